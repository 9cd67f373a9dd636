"""Users' YAML files: reading one, and where the host looks for the base configuration under it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from digitalmodel_optimizer.plugin import OptimizerError

TEST_DATA = Path("src", "digitalmodel", "tests", "test_data")
"""Below the working folder: the first place where the host looks for ``<basename>.yml``."""


def base_places(basename: str, packages: Iterable[str] | None = None) -> Iterator[Path]:
    """Where the host looks for the base configuration of ``basename``, in its order.

    :param packages: folders of the host's package, by default those of the installed one.
    """
    yield TEST_DATA / f"{basename}.yml"
    for folder in _installed_host() if packages is None else packages:
        yield Path(folder, "base_configs", "modules", basename, f"{basename}.yml")


def _installed_host() -> Iterable[str]:
    import importlib.util

    host = importlib.util.find_spec("digitalmodel")
    return (host.submodule_search_locations or ()) if host else ()


def find_base(basename: str) -> Path | None:
    """The base configuration that the host will find from this working folder."""
    found = next((place for place in base_places(basename) if place.is_file()), None)
    return found.absolute() if found else None


def read_mapping(path: Path) -> dict[str, Any]:
    """The mapping that stands in the YAML file ``path``, read as the host does.

    :raises OptimizerError: it cannot be read; the text says where.
    """
    import yaml

    try:
        content = _load(path.read_bytes().decode("utf-8"))
    except OSError as error:
        raise OptimizerError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise OptimizerError(f"{path} is not UTF-8, as the engine reads it: {error}") from error
    except yaml.YAMLError as error:
        raise OptimizerError(f"{path} is not YAML: {_complaint(error)}") from error
    if not isinstance(content, dict):
        raise OptimizerError(f"{path} holds no mapping")
    return content


def _load(text: str) -> Any:
    import yaml

    try:
        return yaml.safe_load(text)
    except yaml.composer.ComposerError:  # several documents: the host lays them over each other
        merged: dict[str, Any] = {}
        for document in yaml.safe_load_all(text):
            if isinstance(document, dict):
                merged = lay_over(merged, document)
        return merged


def lay_over(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """``over`` laid over ``under``, mappings inside mappings too, as the host does."""
    merged = dict(under)
    for key, value in over.items():
        below = merged.get(key)
        both = isinstance(value, Mapping) and isinstance(below, Mapping)
        merged[key] = lay_over(below, value) if both else value  # type: ignore[arg-type]
    return merged


def _complaint(error: Any) -> str:
    """What is wrong and where, in one sentence of the reader's own words."""
    mark = getattr(error, "problem_mark", None)
    said = getattr(error, "problem", None) or " ".join(str(error).split())
    return f"line {mark.line + 1}, column {mark.column + 1}: {said}" if mark else said

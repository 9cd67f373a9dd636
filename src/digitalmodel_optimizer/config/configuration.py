"""The configuration of a run as the host merges it, with the place that each value comes from.

The host lays the user's file over the base configuration, and what its command line says over
both. A file that the user's names as ``default_yaml`` is not a layer: the host reads its text below
the user's, so that a key at the top that stands in both has the value of the default file.
"""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from digitalmodel_optimizer.config.user_yaml import Key, Place, YamlText, read_yaml
from digitalmodel_optimizer.plugin import OptimizerError

TEST_DATA = Path("src", "digitalmodel", "tests", "test_data")
"""Below the working folder: the first place where the host looks for ``<basename>.yml``."""
MISSING = object()


@dataclass(frozen=True)
class Configuration:
    """``base`` is the base configuration that the host will find, None if it will find none.

    ``texts`` holds it and the user's file, later ones over earlier; ``merged`` is the outcome, with
    what the arguments say. Its values are shared with other readers, so never to be changed.
    """

    own: Path
    basename: str | None
    base: Path | None
    texts: tuple[YamlText, ...]
    merged: dict[Any, Any]

    def origin(self, key: Key) -> Place | None:
        """The file that has the last word on ``key``, and the line; None if no file has it."""
        places = (text.place_of(key) for text in reversed(self.texts))
        return next((place for place in places if place), None)

    def origin_of(self, key: Key, value: Any) -> Place | None:
        """:meth:`origin`, if ``value`` is what stands there."""
        for text in reversed(self.texts):
            found = look_up(text.content, key)
            if found is not MISSING:
                mappings = isinstance(found, Mapping) and isinstance(value, Mapping)
                return text.place_of(key) if mappings or bool(found == value) else None
        return None


def look_up(cfg: Any, key: Key) -> Any:
    """The value at ``key`` in nested mappings, or :data:`MISSING`."""
    for name in key:
        if not isinstance(cfg, Mapping) or name not in cfg:
            return MISSING
        cfg = cfg[name]
    return cfg


def read_configuration(typed: Path | str, arguments: Sequence[str] = ()) -> Configuration:
    """Read the user's file and all that the host merges with it.

    :param typed: the file as it stands on the host's command line, ``arguments`` what follows it.
    :raises OptimizerError: a file, or an argument, cannot be read.
    """
    path = Path(typed)
    text = read_yaml(path)
    own = text.content
    meta = own.get("meta")
    basename = own.get("basename") or (meta.get("basename") if isinstance(meta, dict) else None)
    base = find_base(str(basename)) if basename else None
    if isinstance(own.get("default_yaml"), str):
        text = read_yaml(path, Path(own["default_yaml"]))
    texts = (text,) if base is None else (read_yaml(base), text)
    noted = {"Analysis": {"CustomInputFile": str(typed)}}
    merged: dict[Any, Any] = {}
    for over in (*(text.content for text in texts), given_by(arguments), noted):
        merged = merge(merged, over)
    return Configuration(path, basename, base, texts, merged)


def merge(under: Any, over: Mapping[Any, Any]) -> Any:
    """``over`` laid over ``under``, mappings inside mappings too, as the host does it."""
    if not over:
        return under
    merged = dict(under) if isinstance(under, Mapping) else {}
    for key, value in over.items():
        merged[key] = merge(merged.get(key, {}), value) if isinstance(value, Mapping) else value
    return merged


def given_by(arguments: Sequence[str]) -> Mapping[str, Any]:
    """What the words behind the user's file say: a dict literal, or ``--key sub=value`` pairs.

    :raises OptimizerError: only the host can tell.
    """
    if not arguments:
        return {}
    literal = arguments[0].strip()
    try:
        if literal.startswith("{") and literal.endswith("}"):
            given = ast.literal_eval(literal)
        else:
            given = _hosts_parser().parse_cli_arguments([*arguments])
    except Exception as error:
        raise OptimizerError(f"cannot read the argument {arguments[0]}: {error}") from error
    if not isinstance(given, dict):
        raise OptimizerError(f"the argument {arguments[0]} is not a dict")
    return given


def _hosts_parser() -> ModuleType:
    """The host's module for its command line, run by itself: its package would import pandas."""
    package = importlib.util.find_spec("assetutilities")
    folders = (package and package.submodule_search_locations) or [""]
    file = Path(folders[0], "common", "cli_parser.py")
    spec = importlib.util.spec_from_file_location("_host_cli_parser", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def base_places(basename: str) -> Iterator[Path]:
    """Where the host looks for the base configuration of ``basename``, in its order."""
    yield TEST_DATA / f"{basename}.yml"
    host = importlib.util.find_spec("digitalmodel")
    for folder in (host and host.submodule_search_locations) or ():
        yield Path(folder, "base_configs", "modules", basename, f"{basename}.yml")


def find_base(basename: str) -> Path | None:
    """The base configuration that the host will find from this working folder."""
    found = next((place for place in base_places(basename) if place.is_file()), None)
    return found.absolute() if found else None

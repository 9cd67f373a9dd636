"""Which simulation files a user's configuration means, as the host would list them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from digitalmodel_optimizer.plugin import OptimizerError

Choose = Callable[[Sequence[Path]], list[Path]]
# What the host can be told to do besides post-processing, by its keys under ``orcaflex``.
_OTHER_WORK = (
    ("analysis", "static"),
    ("analysis", "simulation"),
    ("analysis", "iterate", "flag"),
    ("analysis", "mooring", "flag"),
    ("preprocess", "load_vessel", "flag"),
)


def layered(layers: Sequence[Mapping[str, Any]], *keys: str) -> dict[str, Any]:
    """The mapping at ``keys``, from all ``layers``, later ones over earlier ones."""
    merged: dict[str, Any] = {}
    for layer in layers:
        found: Any = layer
        for key in keys:
            found = found.get(key) if isinstance(found, Mapping) else None
        if isinstance(found, Mapping):
            merged.update(found)
    return merged


def other_work(layers: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Keys that make the host run or write simulations, where they are switched on."""
    for keys in _OTHER_WORK:
        if layered(layers, "orcaflex", *keys[:-1]).get(keys[-1]):
            yield ".".join(("orcaflex", *keys))


def at_most(number: int | None) -> Choose | None:
    """So many files, evenly taken; None: all of them."""
    if number is None:
        return None

    def choose(files: Sequence[Path]) -> list[Path]:
        wanted = min(number, len(files))
        return [files[place * len(files) // wanted] for place in range(wanted)]

    return choose


def inputs(
    config: Path, managed: Mapping[str, Any], folder: Path | None, choose: Choose | None = None
) -> tuple[list[Path], dict[str, Any]]:
    """The simulation files, and what to lay over ``file_management`` so that the host finds them.

    The host works in another folder then, so relative paths are made absolute here, and its
    outputs stay in that folder, wherever the user has them.

    :param managed: ``file_management`` of the user's configurations, merged.
    :param folder: take the files from here instead.
    :param choose: which of the files to take.
    """
    root = config.parent.absolute()
    listed = layered([managed], "input_files").get("sim")
    override: dict[str, Any] = {"output_directory": None}
    if folder is None and listed and not managed.get("flag"):
        found = [_listed(root, str(name)) for name in listed]
        present = [path for path in found if path.is_file()]
        chosen = _chosen(present, choose)
        if len(chosen) == len(present):
            return present, {**override, "input_files": {"sim": [str(path) for path in found]}}
    else:
        directory = folder.absolute() if folder else _directory(root, managed)
        if not directory.is_dir():
            raise OptimizerError(f"there is no folder {directory}")
        present = list(_found(directory, layered([managed], "filename")))
        chosen = _chosen(present, choose)
        if len(chosen) == len(present):
            return present, {**override, "flag": True, "input_directory": str(directory)}
    names = [str(path) for path in chosen]
    return chosen, {**override, "flag": False, "input_files": {"sim": names}}


def _chosen(present: list[Path], choose: Choose | None) -> list[Path]:
    return present if choose is None or not present else choose(present)


def _listed(root: Path, name: str) -> Path:
    """The host opens a listed file as it is named, from its working folder."""
    here = Path(name).absolute()
    return here if here.is_file() else root / name


def _directory(root: Path, managed: Mapping[str, Any]) -> Path:
    """Beside the configuration, or else in the working folder."""
    named = str(managed.get("input_directory") or ".")
    return next((place for place in (root / named, Path(named)) if place.is_dir()), root / named)


def _found(directory: Path, wanted: Mapping[str, Any]) -> Iterator[Path]:
    pattern = wanted.get("pattern")
    filters = layered([wanted], "filters")
    for path in sorted(directory.glob(f"*{pattern}*.sim" if pattern else "*.sim")):
        if all(_passes(path, name, value) for name, value in filters.items() if _is_set(value)):
            yield path


def _is_set(value: Any) -> bool:
    return value is not None and value not in ("NULL", [])


def _passes(path: Path, name: str, value: Any) -> bool:
    """Whether a file passes one of the host's filters; those that it does not know let all pass."""
    size_kb = path.stat().st_size / 1024
    if name == "contains":
        return all(part in path.stem for part in value)
    if name == "not_contains":
        return all(part not in path.stem for part in value)
    if name == "min_size_kb":
        return bool(size_kb >= value)
    if name == "max_size_kb":
        return bool(size_kb <= value)
    if name == "regex":
        try:
            return bool(re.search(value, path.stem))
        except re.error:
            return False
    return True

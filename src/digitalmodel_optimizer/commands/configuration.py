"""A user's configuration as the host will merge it, with where each value comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from digitalmodel_optimizer.config.yaml_files import find_base, lay_over, read_mapping


@dataclass(frozen=True)
class Configuration:
    """``own`` is the user's file, ``merged`` what the host will have, ``sources`` are the files,
    later ones over earlier.

    ``base`` is the base configuration that the host will find, None if it will find none.
    """

    own: Path
    merged: dict[str, Any]
    sources: tuple[tuple[Path, dict[str, Any]], ...]
    basename: str | None
    base: Path | None

    def origin(self, path: tuple[str, ...]) -> Path | None:
        """The file that has the last word on the key ``path``."""
        return next(
            (file for file, content in reversed(self.sources) if _contains(content, path)), None
        )


def read_configuration(path: Path) -> Configuration:
    """Read ``path`` with its base configuration and the file that it names as ``default_yaml``.

    :raises OptimizerError: a file cannot be read.
    """
    own = read_mapping(path)
    meta = own.get("meta")
    basename = own.get("basename") or (meta.get("basename") if isinstance(meta, dict) else None)
    base = find_base(str(basename)) if basename else None
    sources = [(base, read_mapping(base))] if base else []
    sources.append((path, own))
    named = own.get("default_yaml")
    if isinstance(named, str):
        sources.append((Path(named), read_mapping(Path(named))))
    merged: dict[str, Any] = {}
    for _, content in sources:
        merged = lay_over(merged, content)
    merged["Analysis"] = {"CustomInputFile": str(path)}
    return Configuration(path, merged, tuple(sources), basename, base)


def _contains(content: Any, path: tuple[str, ...]) -> bool:
    for key in path:
        if not isinstance(content, Mapping) or key not in content:
            return False
        content = content[key]
    return True

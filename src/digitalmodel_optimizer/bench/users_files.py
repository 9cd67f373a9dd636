"""Which simulation files a user's configuration means, as the host would list them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from digitalmodel_optimizer.contract import OptimizerError


def inputs(
    config: Path, content: Mapping[str, Any], folder: Path | None
) -> tuple[list[Path], dict[str, Any]]:
    """The simulation files, and what to lay over ``file_management`` so that the host finds them.

    The host works in another folder then, so relative paths are made absolute here.
    """
    managed = content.get("file_management")
    managed = managed if isinstance(managed, Mapping) else {}
    root = config.parent.absolute()
    listed = (managed.get("input_files") or {}).get("sim")
    if folder is None and listed and not managed.get("flag"):
        files = [(root / str(name)).absolute() for name in listed]
        names = [str(path) for path in files]
        return [path for path in files if path.is_file()], {"input_files": {"sim": names}}
    directory = folder.absolute() if folder else root / str(managed.get("input_directory") or ".")
    if not directory.is_dir():
        raise OptimizerError(f"there is no folder {directory}")
    named = managed.get("filename")
    pattern = named.get("pattern") if isinstance(named, Mapping) else None
    found = sorted(directory.glob(f"*{pattern}*.sim" if pattern else "*.sim"))
    return found, {"flag": True, "input_directory": str(directory), "output_directory": None}

"""What batch the host's command line will probably lead to, before the host is imported.

A guess from the user's file alone, by the host's own rules where they are simple (the files below
``file_management.input_directory``). It only decides what is got ready; the batch itself is what
the host makes of all its configurations.
"""

from __future__ import annotations

import ast
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from digitalmodel_optimizer.plugin import SimulationFile
from digitalmodel_optimizer.startup.command_line import host_arguments, parsed_file


def foreseen_batch() -> tuple[dict[str, Any], tuple[SimulationFile, ...]] | None:
    """The configuration and the files; None where the command line does not tell."""
    arguments = host_arguments()
    if not arguments:
        return None
    config = Path(arguments[0])
    cfg = parsed_file(config)
    if not isinstance(cfg, dict) or not _merge_arguments(cfg, arguments[1:]):
        return None
    files = _simulation_files(cfg, config.parent)
    return (cfg, files) if files else None


def _merge_arguments(cfg: dict[str, Any], arguments: list[str]) -> bool:
    """Put what follows the file into ``cfg``; False where it is more than a dict literal."""
    for argument in arguments:
        try:
            given = ast.literal_eval(argument)
        except (ValueError, SyntaxError):
            return False
        if not isinstance(given, dict):
            return False
        _update(cfg, given)
    return True


def _update(cfg: dict[str, Any], given: Mapping[str, Any]) -> None:
    for key, value in given.items():
        present = cfg.get(key)
        if isinstance(present, dict) and isinstance(value, Mapping):
            _update(present, value)
        else:
            cfg[key] = value


def _simulation_files(cfg: dict[str, Any], folder: Path) -> tuple[SimulationFile, ...]:
    block = cfg.get("file_management")
    if not isinstance(block, dict):
        return ()
    directory = block.get("input_directory")
    place = folder if directory is None else folder / str(directory)
    pattern = (block.get("filename") or {}).get("pattern")
    try:
        found = sorted(place.glob(f"*{pattern}*.sim" if pattern else "*.sim"))
        return tuple(
            SimulationFile(index, os.fspath(path), path.stat().st_size)
            for index, path in enumerate(found)
        )
    except (OSError, ValueError):
        return ()

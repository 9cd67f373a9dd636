"""What a batch will probably consist of and write to, by the host's rules where they are simple.

Guesses: the host has not read its configuration yet.
"""

from __future__ import annotations

import os
from typing import Any

from digitalmodel_optimizer.config.configuration import Configuration
from digitalmodel_optimizer.plugin import SimulationFile


def expected_files(configuration: Configuration) -> tuple[SimulationFile, ...]:
    """The files that the host will list."""
    block = _block(configuration)
    directory = block.get("input_directory")
    folder = configuration.own.parent
    place = folder if directory is None else folder / str(directory)
    pattern = (block.get("filename") or {}).get("pattern")
    found = sorted(place.glob(f"*{pattern}*.sim" if pattern else "*.sim"))
    return tuple(
        SimulationFile(index, os.fspath(path), path.stat().st_size)
        for index, path in enumerate(found)
    )


def expected_results_folder(configuration: Configuration) -> str:
    """Where the host will write."""
    named = _block(configuration).get("output_directory")
    folder = "results" if named is None else str(named)
    return os.path.realpath(configuration.own.parent / folder)


def _block(configuration: Configuration) -> dict[str, Any]:
    block = configuration.merged.get("file_management")
    return block if isinstance(block, dict) else {}

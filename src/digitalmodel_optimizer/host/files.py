"""The simulation files of a batch as plain data."""

from __future__ import annotations

import os
from typing import Any

from digitalmodel_optimizer.host.config import HostConfig
from digitalmodel_optimizer.plugin import SimulationFile


def simulation_files(cfg: Any) -> tuple[tuple[Any, ...], tuple[SimulationFile, ...]]:
    """The engine's own file names, and the same as plain data with sizes; 0 where missing."""
    names = tuple(HostConfig(cfg).files)
    files = []
    for index, name in enumerate(names):
        path = os.path.splitext(os.fspath(name))[0] + ".sim"  # as the engine reads it
        try:
            size = os.stat(path).st_size
        except OSError:
            size = 0
        files.append(SimulationFile(index, path, size))
    return names, tuple(files)

"""Asking thread-allocation for workers, as the tests of its subjects do."""

from __future__ import annotations

from typing import Any

from plugin_settings import settings_of

from digitalmodel_optimizer.plugin import (
    Allocation,
    Group,
    Machine,
    Measured,
    Settings,
    SimulationFile,
)
from digitalmodel_optimizer_plugins import thread_allocation as plugin

BIG = Machine(64, 256_000, 200_000, "win32")
SMALL = Machine(2, 24_000, 20_000, "linux")


def settings(*, ceiling: int | None = None, use_processes: bool = True, **options: Any) -> Settings:
    return settings_of(plugin, ceiling=ceiling, use_processes=use_processes, **options)


def files_of(*sizes_mb: float, first: int = 0) -> tuple[SimulationFile, ...]:
    return tuple(
        SimulationFile(index, f"case_{index}.sim", int(size * 1_000_000))
        for index, size in enumerate(sizes_mb, first)
    )


def allocate(
    sizes_mb: list[float],
    machine: Machine = BIG,
    measured: Measured | None = None,
    run: Settings | None = None,
) -> Allocation:
    return plugin.optimizer_allocate(
        group=Group("group", files_of(*sizes_mb)),
        files=files_of(*sizes_mb),
        machine=machine,
        measured=measured or Measured(),
        settings=run or settings(),
    )


def slow(files: int = 1, seconds: float = 60.0, size_mb: float = 100.0) -> Measured:
    """Files so slow that the start of a worker does not matter."""
    return Measured(files=files, seconds=seconds, size_mb=size_mb)

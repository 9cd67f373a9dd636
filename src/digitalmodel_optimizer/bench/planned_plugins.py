"""The installed plugins on a machine that is only a model, driven by the core's own loop."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from digitalmodel_optimizer.batch.defaults import CoreDefaults
from digitalmodel_optimizer.bench.machine_model import Costs, ModelMachine
from digitalmodel_optimizer.bench.simulated_batch import Simulated, make_files, simulate
from digitalmodel_optimizer.config.settings import read_settings
from digitalmodel_optimizer.plugin import Allocation, Machine, Settings, SimulationFile, hookimpl
from digitalmodel_optimizer.plugin.manager import (
    PluginReference,
    build_manager,
    installed_plugins,
)

# Those that decide how a batch runs; those that do the work would do it.
_DECIDING = ("thread-allocation", "batch-grouping")
_EXECUTING = "hybrid-executor"
# Of the memory of a machine, what is free for a batch.
_AVAILABLE_SHARE = 0.9
# Of that, what the plugins fill: the default of their setting memory_share.
_FILLED_SHARE = 0.8


@dataclass(frozen=True)
class PlannedMachine:
    """A machine to plan for; ``disk_mb_per_s`` None: the files are in memory already."""

    cores: int
    memory_mb: float
    disk_mb_per_s: float | None = None
    licences: int | None = None

    @property
    def for_model(self) -> ModelMachine:
        disk_mb_per_s = math.inf if self.disk_mb_per_s is None else self.disk_mb_per_s
        available_mb = _AVAILABLE_SHARE * self.memory_mb
        return ModelMachine(self.cores, available_mb, disk_mb_per_s, self.licences)

    @property
    def for_plugins(self) -> Machine:
        return Machine(self.cores, self.memory_mb, _AVAILABLE_SHARE * self.memory_mb, "win32")


@dataclass(frozen=True)
class Chosen:
    """What the plugins did: workers at the start, at the end, seconds, and their own words."""

    workers: int
    raised_to: int
    elapsed_s: float
    reason: str


class FixedWorkers:
    """A plugin that gives so many workers and changes nothing.

    :param memory_mb: what the workers and all files in flight may take together; None: no bound.
    """

    def __init__(self, workers: int, costs: Costs, memory_mb: float | None = None) -> None:
        self._workers, self._costs, self._memory_mb = workers, costs, memory_mb

    @hookimpl(tryfirst=True)
    def optimizer_allocate(self, files: Sequence[SimulationFile]) -> Allocation:
        workers, budget_mb = min(self._workers, len(files)), self._memory_mb
        if budget_mb is not None:
            budget_mb = max(0.0, budget_mb - workers * self._costs.worker_memory_mb)
        return Allocation(
            workers,
            native_threads=1,
            reason="a fixed number",
            memory_factor=self._costs.memory_factor,
            memory_budget_mb=budget_mb,
            worker_start_s=0.0,  # nothing is waited for
        )


def simulate_fixed(
    sizes_mb: Sequence[float],
    workers: int,
    machine: ModelMachine,
    costs: Costs,
    *,
    ready: int = 0,
    memory_mb: float | None = None,
) -> Simulated:
    """A fixed number of workers, and files that start in the order in which they are given.

    :param ready: so many of the workers were started early.
    :param memory_mb: what workers and files may take together; None: no bound.
    """
    defaults = [("core", CoreDefaults()), ("fixed", FixedWorkers(workers, costs, memory_mb))]
    manager = build_manager((), defaults=defaults)
    settings = Settings(enabled=True)
    return simulate(sizes_mb, machine, costs, manager, settings, ready=ready, adjusted=False)


class PlannedPlugins:
    """The plugins on one machine, for batches of files of one size."""

    def __init__(self, machine: PlannedMachine, costs: Costs) -> None:
        self._planned, self._costs = machine, costs
        self._manager = build_manager(_installed(), defaults=[("core", CoreDefaults())])
        block: dict[str, object] = {"enabled": True}
        if machine.licences is not None:
            block["plugins"] = {"thread-allocation": {"licences": machine.licences}}
        self._settings = read_settings({"orcaflex": {"parallel": block}}, self._manager.options())
        self._manager.ask("optimizer_configure", settings=self._settings)

    def early_workers(self, sizes_mb: Sequence[float]) -> int:
        """Workers that are started while the host is imported.

        The plugin's own rule is asked, since its hook would start them.
        """
        plugin: Any = self._manager.get_plugin(_EXECUTING)
        return int(plugin.how_many(make_files(sizes_mb), self._planned.for_plugins, None, "auto"))

    def fixed(self, sizes_mb: Sequence[float], workers: int) -> Simulated:
        """A fixed number of workers, as many of them early as the plugins would start."""
        machine = self._planned.for_model
        return simulate_fixed(
            sizes_mb,
            workers,
            machine,
            self._costs,
            ready=self.early_workers(sizes_mb),
            memory_mb=_FILLED_SHARE * machine.memory_mb,
        )

    def chosen(self, sizes_mb: Sequence[float]) -> Chosen:
        """As the plugins have it."""
        found = simulate(
            sizes_mb,
            self._planned.for_model,
            self._costs,
            self._manager,
            self._settings,
            ready=self.early_workers(sizes_mb),
            memory_total_mb=self._planned.memory_mb,
        )
        decisive = max(found.schedule.assignments, key=lambda item: item.allocation.workers)
        allocation = decisive.allocation
        return Chosen(allocation.workers, found.limit, found.elapsed_s, allocation.reason)


@functools.cache
def _installed() -> tuple[PluginReference, ...]:
    return tuple(item for item in installed_plugins() if item.name in (*_DECIDING, _EXECUTING))

"""The installed plugins on a machine that is only a model: asked as the core asks them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from digitalmodel_optimizer.bench.machine_model import Costs, ModelMachine, Simulated, simulate
from digitalmodel_optimizer.config.settings import read_settings
from digitalmodel_optimizer.plugin import (
    BYTES_PER_MB,
    Allocation,
    Batch,
    Machine,
    Measured,
    Progress,
    SimulationFile,
)
from digitalmodel_optimizer.plugin.manager import BUILT_IN, build_manager, installed_plugins

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
        filled_mb = _FILLED_SHARE * _AVAILABLE_SHARE * self.memory_mb
        disk_mb_per_s = math.inf if self.disk_mb_per_s is None else self.disk_mb_per_s
        return ModelMachine(self.cores, filled_mb, disk_mb_per_s, self.licences)

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


class PlannedPlugins:
    """The plugins on one machine, for batches of files of one size."""

    def __init__(self, machine: PlannedMachine, costs: Costs) -> None:
        self._planned, self._costs = machine, costs
        self._machine = machine.for_plugins
        self._manager = build_manager(
            [item for item in installed_plugins() if item.name in BUILT_IN]
        )
        block: dict[str, object] = {"enabled": True}
        if machine.licences is not None:
            block["plugins"] = {"thread-allocation": {"licences": machine.licences}}
        self._settings = read_settings({"orcaflex": {"parallel": block}}, self._manager.options())
        self._manager.hook.optimizer_configure(settings=self._settings)

    def early_workers(self, sizes_mb: Sequence[float]) -> int:
        """Workers that are started while the host is imported.

        The plugin's own rule is asked, since its hook would start them.
        """
        plugin: Any = self._manager.get_plugin("hybrid-executor")
        return int(plugin.early_workers(_files(sizes_mb), self._machine, None, "auto"))

    def fixed(self, sizes_mb: Sequence[float], workers: int) -> Simulated:
        """A fixed number of workers, as many of them early as the plugins would start."""
        ready = min(workers, self.early_workers(sizes_mb))
        return simulate(sizes_mb, workers, self._planned.for_model, self._costs, ready=ready)

    def chosen(self, sizes_mb: Sequence[float]) -> Chosen:
        """As the core goes about it: with no workers waiting, the first file goes ahead."""
        ready = self.early_workers(sizes_mb)
        measured, first_s = Measured(ready_workers=ready), 0.0
        if not ready and len(sizes_mb) > 1:
            first_s = self._alone_s(sizes_mb[0])
            native = min(1.0, (first_s - self._costs.file_s) / first_s)
            measured = Measured(1, first_s, sizes_mb[0], native)
            sizes_mb = sizes_mb[1:]
        allocation = self._allocation(sizes_mb, measured)
        if allocation.workers == 1 and not ready:  # one after the other, in the host's own process
            costs, files = self._costs, len(sizes_mb)
            rest_s = costs.batch_s + costs.merge_s * files
            before_mb = [measured.size_mb, *itertools.accumulate(sizes_mb, max)]
            files_s = sum(map(self._alone_s, sizes_mb, before_mb))
            alone_s = first_s + files_s + rest_s
            return Chosen(1, 1, alone_s, allocation.reason)
        limits = [allocation.workers]

        def adjust(progress: Progress) -> int | None:
            left_mb = self._planned.for_model.memory_mb - progress.memory_available_mb
            machine = replace(
                self._machine, memory_available_mb=self._machine.memory_available_mb - left_mb
            )
            answer = self._manager.hook.optimizer_adjust(
                progress=progress, machine=machine, settings=self._settings
            )
            if answer is not None:
                limits.append(answer.workers)
            return None if answer is None else int(answer.workers)

        found = simulate(
            sizes_mb,
            allocation.workers,
            self._planned.for_model,
            self._costs,
            ready=min(ready, allocation.workers),
            most=allocation.most_workers,
            adjust=adjust,
        )
        elapsed_s = first_s + found.elapsed_s
        return Chosen(allocation.workers, max(limits), elapsed_s, allocation.reason)

    def _alone_s(self, size_mb: float, before_mb: float = 0.0) -> float:
        disk = self._planned.disk_mb_per_s
        return self._costs.seconds(size_mb, before_mb) + (size_mb / disk if disk else 0.0)

    def _allocation(self, sizes_mb: Sequence[float], measured: Measured) -> Allocation:
        hook, files = self._manager.hook, _files(sizes_mb)
        batch = Batch("planned", files, "results")
        hook.optimizer_batch_started(batch=batch, settings=self._settings)
        groups = hook.optimizer_group_files(files=files, settings=self._settings)
        allocations: list[Allocation] = [
            hook.optimizer_allocate(
                group=group,
                files=files,
                machine=self._machine,
                measured=measured,
                settings=self._settings,
            )
            for group in groups
        ]
        return max(allocations, key=lambda item: item.workers)


def _files(sizes_mb: Sequence[float]) -> tuple[SimulationFile, ...]:
    return tuple(
        SimulationFile(index, f"case_{index}.sim", round(size_mb * BYTES_PER_MB))
        for index, size_mb in enumerate(sizes_mb)
    )

"""What the core does where no plugin answers: one group, the ceiling's workers, one by one."""

from __future__ import annotations

from collections.abc import Sequence

from digitalmodel_optimizer.plugin import (
    Allocation,
    Executor,
    ExecutorChoice,
    Group,
    Machine,
    ProcessFile,
    Settings,
    SimulationFile,
    hookimpl,
)
from digitalmodel_optimizer.plugin.executor import SerialExecutor


class CoreDefaults:
    """Asked last; makes the core run without any plugin."""

    @hookimpl(trylast=True)
    def optimizer_group_files(self, files: Sequence[SimulationFile]) -> Sequence[Group]:
        return [Group("all files", tuple(files))]

    @hookimpl(trylast=True)
    def optimizer_allocate(self, group: Group, machine: Machine, settings: Settings) -> Allocation:
        ceiling = settings.ceiling or machine.logical_cpus
        workers = max(1, min(ceiling, machine.logical_cpus, len(group.files)))
        threads = max(1, machine.logical_cpus // workers)
        return Allocation(workers, threads, f"{workers} workers, no plugin allocates")

    @hookimpl(trylast=True)
    def optimizer_executor(self, process_file: ProcessFile) -> Executor:
        return SerialExecutor(process_file)

    @hookimpl(trylast=True)
    def optimizer_choose_executor(self) -> ExecutorChoice:
        return ExecutorChoice(SerialExecutor.name, "no plugin supplies another one")

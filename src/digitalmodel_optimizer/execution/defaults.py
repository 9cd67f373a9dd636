"""What the core does where no plugin answers: one group, the ceiling's workers, one by one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from digitalmodel_optimizer.contract import (
    Allocation,
    Control,
    FileResult,
    Group,
    Machine,
    ProcessFile,
    Schedule,
    Settings,
    SimulationFile,
    hookimpl,
)


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
    def optimizer_execute(
        self, schedule: Schedule, process_file: ProcessFile, control: Control
    ) -> Iterator[FileResult]:
        control.chose_backend("serial")
        return (control.run(task, process_file) for task in schedule.order)

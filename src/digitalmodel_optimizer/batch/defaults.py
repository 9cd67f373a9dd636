"""What the core does where no plugin answers: one group, the ceiling's workers, one by one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from digitalmodel_optimizer.plugin import (
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

# Above this the work is sure to pay for worker processes, whatever the first file would tell, and
# in a worker a crash costs no more than its file.
TRY_FIRST_LARGEST_BATCH_MB = 2_000.0
# Nothing runs beside the first file, so it must not be large.
TRY_FIRST_LARGEST_FILE_MB = 200.0


class CoreDefaults:
    """Asked last; makes the core run without any plugin."""

    @hookimpl(trylast=True)
    def optimizer_try_first(self, files: Sequence[SimulationFile]) -> bool:
        batch_mb = sum(file.size_mb for file in files)
        return (
            batch_mb <= TRY_FIRST_LARGEST_BATCH_MB and files[0].size_mb <= TRY_FIRST_LARGEST_FILE_MB
        )

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

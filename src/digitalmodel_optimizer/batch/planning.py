"""Asking the plugins how a batch should run: groups, allocations, and the order of its files."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from digitalmodel_optimizer.plugin import (
    Allocation,
    Assignment,
    FileResult,
    FileTask,
    Group,
    Machine,
    Measured,
    Schedule,
    Settings,
    SimulationFile,
)
from digitalmodel_optimizer.plugin.manager import Manager

# What a smaller file adds to a process's memory says nothing of its size.
_MIN_MEASURED_MB = 10


def make_schedule(
    manager: Manager,
    settings: Settings,
    files: Sequence[SimulationFile],
    measured: Measured,
    machine: Machine,
    isolated: Collection[int] = (),
) -> Schedule:
    """Groups, allocations and start order of ``files``.

    :param isolated: indices of files that have ended a process before: they start last.
    :raises PluginError: a plugin's answer cannot be used.
    """
    assignments = [
        Assignment(
            group,
            _allocation(
                manager,
                group=group,
                files=tuple(files),
                machine=machine,
                measured=measured,
                settings=settings,
            ),
        )
        for group in _groups(manager, settings, files)
    ]
    order = [
        FileTask(file, item.allocation.native_threads, isolated=file.index in isolated)
        for item in assignments
        for file in item.group.files
    ]
    # Stable: what every other file builds on first, what may end a process last, the rest as is.
    order.sort(key=lambda task: 1 if task.isolated else -1 if task.file.index == 0 else 0)
    return Schedule(tuple(assignments), tuple(order), measured)


def _groups(
    manager: Manager, settings: Settings, files: Sequence[SimulationFile]
) -> Sequence[Group]:
    hook = "optimizer_group_files"
    groups = manager.ask(hook, files=tuple(files), settings=settings)
    expected = "groups with every file in exactly one of them"
    try:
        grouped = sorted(file.index for group in groups for file in group.files)
    except (AttributeError, TypeError):
        raise manager.invalid_return(hook, groups, expected) from None
    if grouped != sorted(file.index for file in files):
        raise manager.invalid_return(hook, groups, expected)
    return groups  # type: ignore[no-any-return]


def _allocation(manager: Manager, *, group: Group, **known: object) -> Allocation:
    hook = "optimizer_allocate"
    allocation = manager.ask(hook, group=group, **known)
    if not isinstance(allocation, Allocation) or allocation.workers < 1:
        expected = f"an Allocation of one worker or more for {group.label}"
        raise manager.invalid_return(hook, allocation, expected)
    return allocation


def measured_of(
    results: Iterable[FileResult], ready_workers: int, starting_workers: int = 0
) -> Measured:
    """What the files that succeeded have cost."""
    done = [result for result in results if result.error is None and result.timings.total_s]
    seconds = sum(result.timings.total_s for result in done)
    native = sum(result.timings.load_s + result.timings.read_s for result in done)
    growth = [
        result.memory_growth_mb / result.file.size_mb
        for result in done
        if result.file.size_mb > _MIN_MEASURED_MB
    ]
    return Measured(
        files=len(done),
        seconds=seconds,
        size_mb=sum(result.file.size_mb for result in done),
        native_share=min(1.0, native / seconds) if seconds else 0.0,
        memory_factor=max(growth) if growth else None,
        ready_workers=ready_workers,
        starting_workers=starting_workers,
    )

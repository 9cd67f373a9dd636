"""thread-allocation: how many workers a batch gets, native threads for each model, and why.

Before the batch: the size class of the files, then four budgets at once (CPU, memory, native
threads, licences), the user's ceiling, and whether more workers pay for their start. While it
runs: more workers than the size class's while they keep their cores busy, fewer when memory runs
short or when more of them do less.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from digitalmodel_optimizer.plugin import (
    AUTO,
    Adjustment,
    Allocation,
    Batch,
    Group,
    Machine,
    Measured,
    Option,
    PluginOptions,
    Progress,
    Settings,
    SettingsError,
    SimulationFile,
    hookimpl,
)
from digitalmodel_optimizer_plugins.size_classes import parse_table, table_text
from digitalmodel_optimizer_plugins.thread_allocation.budgets import allocate
from digitalmodel_optimizer_plugins.thread_allocation.scale_down import Tuner
from digitalmodel_optimizer_plugins.thread_allocation.scale_up import Raiser

NAME = "thread-allocation"

OPTIONS = (
    Option(
        "size_classes",
        str,
        table_text(),
        "Workers to start from, as 'file size below MB:workers' pairs, closed by the workers for "
        "all larger files.",
    ),
    Option(
        "raise_workers",
        bool,
        True,
        "Raise the workers above the size class's number while the batch runs, as far as the "
        "budgets allow, if they keep their cores busy.",
    ),
    Option(
        "memory_share",
        float,
        0.8,
        "Part of the available memory that the workers may fill.",
        minimum=0.05,
        maximum=1.0,
    ),
    Option(
        "memory_budget_mb",
        float,
        AUTO,
        "Memory for all workers together, instead of the share; never more than is available.",
        unit="MB",
        minimum=1,
        auto=True,
    ),
    Option(
        "memory_factor",
        float,
        AUTO,
        "Memory that a file needs, divided by its size; auto learns it from the files done and "
        "assumes 2.5 before.",
        minimum=0,
        auto=True,
    ),
    Option(
        "worker_memory_mb",
        float,
        200.0,
        "Memory that a worker process needs before its first file.",
        unit="MB",
        minimum=0,
    ),
    Option(
        "native_threads",
        int,
        AUTO,
        "OrcaFlex threads for each model; auto shares the cores among the workers.",
        minimum=1,
        auto=True,
    ),
    Option(
        "licences",
        int,
        None,
        "Most workers that the OrcaFlex licences serve; empty for no cap.",
        minimum=1,
        optional=True,
    ),
    Option(
        "worker_start_s",
        float,
        0.5,
        "Time in which a worker process starts and imports what it needs of the host; more where "
        "that comes from a slow disk.",
        unit="s",
        minimum=0,
    ),
    Option(
        "assumed_mb_per_s",
        float,
        50.0,
        "Rate of one worker, where no file has been measured.",
        unit="MB/s",
        minimum=0.1,
    ),
    Option(
        "memory_reserve_mb",
        float,
        AUTO,
        "Below this much available memory the workers are halved; auto: 500 MB or 5 % of the "
        "machine's memory, whichever is more.",
        unit="MB",
        minimum=0,
        auto=True,
    ),
    Option(
        "throughput_drop",
        float,
        0.25,
        "Fall of the throughput, as a part of the best so far, at which one worker fewer is tried; "
        "1 never does.",
        minimum=0.05,
        maximum=1.0,
    ),
)


@dataclass
class _BatchState:
    """What this plugin knows of the batch that runs; one batch at a time."""

    tuner: Tuner
    raiser: Raiser = field(default_factory=Raiser)
    measured: Measured = field(default_factory=Measured)


_batch = _BatchState(Tuner())


@hookimpl
def optimizer_options() -> PluginOptions:
    return PluginOptions(
        "Chooses workers and native threads within the machine's budgets.", OPTIONS
    )


@hookimpl
def optimizer_configure(settings: Settings) -> None:
    try:
        parse_table(settings.plugin(NAME)["size_classes"])
    except ValueError as fault:
        key = f"orcaflex.parallel.plugins.{NAME}.size_classes"
        raise SettingsError([f"{key} {fault}"], settings.source) from None


@hookimpl
def optimizer_batch_started(batch: Batch, settings: Settings) -> None:
    options = settings.plugin(NAME)
    _batch.tuner = Tuner(throughput_drop=options["throughput_drop"])
    _batch.raiser = Raiser(
        start_s=options["worker_start_s"], assumed_mb_per_s=options["assumed_mb_per_s"]
    )
    _batch.measured = Measured()


@hookimpl
def optimizer_allocate(
    group: Group,
    files: Sequence[SimulationFile],
    machine: Machine,
    measured: Measured,
    settings: Settings,
) -> Allocation:
    """Groups share the workers, so each allocation looks at all files to do, its own first."""
    members = {file.index for file in group.files}
    others = tuple(file for file in files if file.index not in members)
    everything = (*group.files, *others)
    allocation = allocate(group, everything, machine, measured, settings, settings.plugin(NAME))
    _batch.tuner.memory_factor = allocation.memory_factor
    if measured != _batch.measured:
        _batch.measured = measured
        _batch.raiser.begin_plan()
    _batch.raiser.max_workers = max(_batch.raiser.max_workers, allocation.max_workers)
    return allocation


@hookimpl
def optimizer_adjust(progress: Progress, machine: Machine, settings: Settings) -> Adjustment | None:
    reserve_mb = settings.plugin(NAME)["memory_reserve_mb"]
    if reserve_mb == AUTO:
        reserve_mb = max(500.0, 0.05 * machine.memory_total_mb)
    memory_mb = machine.memory_available_mb
    raised = _batch.raiser.advise(progress, memory_mb, reserve_mb, machine.logical_cpus)
    return raised or _batch.tuner.advise(progress, memory_mb, reserve_mb)

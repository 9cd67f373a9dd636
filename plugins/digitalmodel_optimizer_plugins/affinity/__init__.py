"""affinity: each worker process stays on one NUMA node, or on cores of its own, with its memory.

Off unless the settings enable it. The parent, which stays where it is, plans a place for each
worker; a worker claims one as it starts, before it has read anything. Whatever does not work leaves
a worker where the system puts it, and is told in the report.

What does the work is imported by the hooks, which are called only where the plugin is enabled.
"""

from __future__ import annotations

from collections.abc import Generator

from digitalmodel_optimizer.plugin import (
    Allocation,
    BatchVerdict,
    Executor,
    FileResult,
    Group,
    Option,
    PluginOptions,
    Schedule,
    Settings,
    hookimpl,
)

NAME = "affinity"
OPTIONS = (
    Option("enabled", bool, False, "True switches the plugin on."),
    Option(
        "mode",
        str,
        "nodes",
        "Bind each worker to the CPUs of one NUMA node, or to a share of its cores; off: to none.",
        choices=("nodes", "cores", "off"),
    ),
    Option(
        "local_memory",
        bool,
        False,
        "On Linux, have workers take memory of their own node though another policy was inherited "
        "(numactl --interleave).",
    ),
)


@hookimpl
def optimizer_options() -> PluginOptions:
    return PluginOptions("Keeps each worker on one NUMA node, or on cores of its own.", OPTIONS)


# -- in the parent -----------------------------------------------------------------------------


@hookimpl(wrapper=True)
def optimizer_executor(
    schedule: Schedule, settings: Settings
) -> Generator[None, Executor | None, Executor | None]:
    """Plan as soon as the executor is known, which is before it sends the batch to any worker."""
    from digitalmodel_optimizer_plugins.affinity import parent

    executor = yield
    if isinstance(executor, Executor):  # anything else the core refuses, and says whose it is
        parent.begin(schedule, executor, settings.plugin(NAME))
    return executor


@hookimpl(wrapper=True, tryfirst=True)
def optimizer_allocate(group: Group) -> Generator[None, Allocation | None, Allocation | None]:
    """The first file may tell that more workers pay: their places are smaller then."""
    from digitalmodel_optimizer_plugins.affinity import parent

    allocation = yield
    if isinstance(allocation, Allocation):
        parent.plan_anew(group, allocation)
    return allocation


@hookimpl
def optimizer_batch_finished() -> BatchVerdict | None:
    from digitalmodel_optimizer_plugins.affinity import parent

    return parent.finish()


# -- in a worker -------------------------------------------------------------------------------


@hookimpl
def optimizer_worker_started(settings: Settings) -> None:
    """Take a place and stay on it. Memory that is touched from here on is of that node."""
    from digitalmodel_optimizer_plugins.affinity import worker

    worker.begin(settings.plugin(NAME))


@hookimpl(wrapper=True)
def optimizer_process_file() -> Generator[None, FileResult | None, FileResult | None]:
    """Go over to a new place, should the parent have planned anew, before the file is opened."""
    from digitalmodel_optimizer_plugins.affinity import worker

    worker.look()
    return (yield)

"""affinity: each worker process stays on one NUMA node, or on cores of its own, with its memory.

Off unless the settings enable it. The parent, which stays where it is, plans a place for each
worker; a worker claims one as it starts, before it has read anything. Whatever does not work leaves
a worker where the system puts it, and is told in the report.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Generator
from dataclasses import dataclass, field

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
from digitalmodel_optimizer.plugin.topology import Topology, detect_topology
from digitalmodel_optimizer_plugins.affinity.claims import Claims, Slot
from digitalmodel_optimizer_plugins.affinity.pinning import pin, prefer_local_memory, why_not
from digitalmodel_optimizer_plugins.affinity.places import Place, places_of
from digitalmodel_optimizer_plugins.affinity.words import in_words

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


@dataclass
class _Run:
    """The parent's: what was planned for the workers, or in words why they are left alone."""

    topology: Topology
    by_core: bool = False
    claims: Claims | None = None
    said: str = ""
    allocated: dict[str, Allocation] = field(default_factory=dict)

    def places(self) -> tuple[Place, ...]:
        """For as many workers as may run, by the latest allocation of each group."""
        latest = self.allocated.values()
        workers = max((max(item.workers, item.max_workers) for item in latest), default=1)
        threads = [item.native_threads for item in latest]
        needed = 0 if 0 in threads else max(threads, default=1)
        return places_of(self.topology, workers, by_core=self.by_core, native_threads=needed)


@dataclass
class _Worker:
    """A worker process's: its slot, and the CPUs that it had before (None: not known)."""

    slot: Slot
    before: set[int] | None


_run: _Run | None = None
_worker: _Worker | None = None


@hookimpl
def optimizer_options() -> PluginOptions:
    return PluginOptions("Keeps each worker on one NUMA node, or on cores of its own.", OPTIONS)


# -- in the parent -----------------------------------------------------------------------------


@hookimpl(wrapper=True)
def optimizer_executor(
    schedule: Schedule, settings: Settings
) -> Generator[None, Executor | None, Executor | None]:
    """Plan as soon as the executor is known, which is before it sends the batch to any worker."""
    global _run
    executor = yield
    _end_run()
    if executor is not None:
        _run = _planned(schedule, executor, settings)
    return executor


def _planned(schedule: Schedule, executor: Executor, settings: Settings) -> _Run:
    options = settings.plugin(NAME)
    topology, mode, said = detect_topology(), options["mode"], ""
    if mode == "cores" and not executor.isolates:
        mode, said = "nodes", "whole nodes, since several files share a process; "
    obstacle = _obstacle(mode, topology, executor)
    if obstacle is not None:
        return _Run(topology, said=f"workers are left alone: {obstacle}")
    run = _Run(topology, mode == "cores", said=said)
    run.allocated = {item.group.label: item.allocation for item in schedule.assignments}
    try:
        run.claims = Claims(run.places(), local_memory=options["local_memory"])
    except Exception as error:  # no place for the folder, no locks: no reason to end a batch
        run.said = f"workers are left alone: {error}"
    return run


@hookimpl(wrapper=True, tryfirst=True)
def optimizer_allocate(group: Group) -> Generator[None, Allocation | None, Allocation | None]:
    """The first file may tell that more workers pay: their places are smaller then."""
    allocation = yield
    if _run is not None and _run.claims is not None and isinstance(allocation, Allocation):
        before = _run.places()
        _run.allocated[group.label] = allocation
        with contextlib.suppress(OSError):  # the places stay as they are
            if (places := _run.places()) != before:
                _run.claims.plan(places)
    return allocation


def _obstacle(mode: str, topology: Topology, executor: Executor) -> str | None:
    """Why nothing is planned; None if something is."""
    if mode == "off":
        return "mode is off"
    if executor.in_parent:
        return "files run in the host's own process"
    unable = why_not()
    if unable is not None:
        return unable
    if len(topology.cpus) < 2:
        return "there is one CPU for all"
    if mode == "nodes" and len(topology.with_cpus) < 2:
        return "one node has all CPUs"
    return None


@hookimpl
def optimizer_batch_finished() -> BatchVerdict | None:
    run = _run
    if run is None:
        return None
    told = in_words(run.claims.pinned()) if run.claims is not None else ""
    _end_run()
    return BatchVerdict((f"{run.topology}; {run.said}{told}",))


def _end_run() -> None:
    global _run
    if _run is not None and _run.claims is not None:
        _run.claims.close()
    _run = None


# -- in a worker -------------------------------------------------------------------------------


@hookimpl
def optimizer_worker_started(settings: Settings) -> None:
    """Take a place and stay on it. Memory that is touched from here on is of that node."""
    global _worker
    _leave_place()
    if settings.plugin(NAME)["mode"] == "off":
        return
    try:
        slot = Slot()
    except Exception:  # nothing is planned for this process, or it is on another machine
        return
    _worker = _Worker(slot, _own_cpus())
    _settle(slot)


@hookimpl(wrapper=True)
def optimizer_process_file() -> Generator[None, FileResult | None, FileResult | None]:
    """Go over to a new place, should the parent have planned anew, before the file is opened."""
    if _worker is not None:
        with contextlib.suppress(Exception):  # the run is over, or its folder was removed
            if _worker.slot.look():
                _settle(_worker.slot)
    return (yield)


def _settle(slot: Slot) -> None:
    try:
        pin(slot.place.cpus)
    except (OSError, ValueError) as error:  # CPUs that have been taken away since
        slot.note(bound=False, fault=str(error))
    else:
        slot.note(fault=(prefer_local_memory() or "") if slot.local_memory else "")


def _leave_place() -> None:
    """A worker that takes another batch begins as one that is new."""
    global _worker
    if _worker is not None:
        _worker.slot.release()
        if _worker.before:
            pin(_worker.before)
        _worker = None


def _own_cpus() -> set[int] | None:
    return os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None

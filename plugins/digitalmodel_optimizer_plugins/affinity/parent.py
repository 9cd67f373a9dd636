"""The parent's side: where workers may go, told to them by the run's folder; and what became of it.

The parent runs one batch at a time.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from digitalmodel_optimizer.plugin import Allocation, BatchVerdict, Executor, Group, Schedule
from digitalmodel_optimizer.plugin.topology import Topology, detect_topology
from digitalmodel_optimizer_plugins.affinity.claims import Claims
from digitalmodel_optimizer_plugins.affinity.pinning import why_not
from digitalmodel_optimizer_plugins.affinity.places import Place, places_of
from digitalmodel_optimizer_plugins.affinity.words import in_words


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


_run: _Run | None = None


def begin(schedule: Schedule, executor: Executor, options: Mapping[str, Any]) -> None:
    """Plan for the workers of ``executor``."""
    global _run
    _end_run()
    _run = _planned(schedule, executor, options)


def _planned(schedule: Schedule, executor: Executor, options: Mapping[str, Any]) -> _Run:
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


def plan_anew(group: Group, allocation: Allocation) -> None:
    """A group gets another allocation, for as long as there is a run."""
    if _run is None or _run.claims is None:
        return
    with contextlib.suppress(Exception):  # the places stay as they are
        before = _run.places()
        _run.allocated[group.label] = allocation
        if (places := _run.places()) != before:
            _run.claims.plan(places)


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


def finish() -> BatchVerdict | None:
    """The sentence for the report; nothing of the run is left."""
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

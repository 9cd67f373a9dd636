"""What memory of one's own node would save at best: a small model, with measured shares.

A file takes ``1 - share`` of its CPU time whatever memory is where, and ``share`` for loading and
reading results, where it waits for memory. If ``remote`` of these accesses go to other nodes, and
one takes ``factor`` times as long there, the file takes ``1 + share * remote * (factor - 1)`` times
as long as with local memory.

Each assumption is in favour of binding: all of the CPU time of loading and reading waits for
memory (caches serve much of it), a file never waits for anything else, bandwidth falls as latency
rises, and without binding a worker runs on any node, wherever its memory is (Linux tries to keep a
process where it ran).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from digitalmodel_optimizer.plugin.topology import Topology
from digitalmodel_optimizer.plugin.topology.data import LOCAL_DISTANCE

NODES = (1, 2, 4, 8)
USUAL_DISTANCE = 21
"""Between two sockets, as firmware usually has it (ACPI: relative to 10)."""


@dataclass(frozen=True)
class Share:
    """Of the CPU time of all files: loading, and reading results, 0 to 1 each.

    ``busy``: the CPU time's part of the whole time. The rest is waiting: for disks, networks,
    licences, and for CPUs that others use.
    """

    load: float
    read: float
    busy: float
    files: int

    @property
    def total(self) -> float:
        return self.load + self.read


def share_of(records: Sequence[Mapping[str, Any]]) -> Share | None:
    """The share in the records of a report; None if no file was done in that run.

    Waiting for a disk, a network or a busy machine is not waiting for memory, so CPU time counts.
    """
    done = [item for item in records if item["outcome"] == "done" and item["total_s"]]
    cpu_s, total_s = (sum(item[name] for item in done) for name in ("cpu_s", "total_s"))
    if not cpu_s:
        return None
    load, read = (sum(item[f"{stage}_cpu_s"] for item in done) for stage in ("load", "read"))
    return Share(load / cpu_s, read / cpu_s, cpu_s / total_s, len(done))


def remote_share(nodes: int) -> float:
    """Of the accesses of workers that run on any of ``nodes`` equal nodes, those to others."""
    return 1 - 1 / nodes


def slowdown(share: float, remote: float, factor: float) -> float:
    """How many times as long a file takes; see the module."""
    return 1 + share * remote * (factor - 1)


def saved(share: float, remote: float, factor: float) -> float:
    """The part of the time that local memory saves, 0 to 1."""
    return 1 - 1 / slowdown(share, remote, factor)


def factor_of(topology: Topology) -> float | None:
    """How many times as long other nodes' memory takes on this machine; None without others.

    The mean distance, each node weighted by its CPUs, to the other nodes that have memory.
    """
    weighted = [
        (len(node.cpus), topology.distances[node.number, other.number])
        for node in topology.with_cpus
        for other in topology.nodes
        if other is not node
        and other.memory_mb
        and (node.number, other.number) in topology.distances
    ]
    cpus = sum(weight for weight, _ in weighted)
    if not cpus:
        return None
    return sum(weight * distance for weight, distance in weighted) / cpus / LOCAL_DISTANCE


def table(share: float, factor: float) -> Iterator[str]:
    """A line for each number of nodes."""
    yield f"{'nodes':>5}  {'remote accesses':>15}  {'saved at best':>13}"
    for nodes in NODES:
        remote = remote_share(nodes)
        yield f"{nodes:>5}  {remote:>15.0%}  {saved(share, remote, factor):>13.1%}"

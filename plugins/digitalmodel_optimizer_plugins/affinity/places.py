"""Which worker runs where: pure functions of the topology and the number of workers.

A worker has a slot, a number from 0; each slot has a place. Slots are spread so that of any number
of workers that run, those with the lowest slots are spread evenly too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from digitalmodel_optimizer.plugin.topology import Node, Topology


@dataclass(frozen=True)
class Place:
    """The number of a node, and the CPUs on it that a worker is bound to."""

    node: int
    cpus: tuple[int, ...]


def places_of(
    topology: Topology, workers: int, *, by_core: bool, native_threads: int = 1
) -> tuple[Place, ...]:
    """A place for each of ``workers`` slots.

    :param by_core: a share of its node's cores for each; False: all CPUs of the node.
    :param native_threads: threads of a model; so many CPUs at least are in a place, or the whole
        node where they do not fit. 0: as many as OrcaFlex likes, so the whole node.
    """
    nodes = topology.with_cpus
    slots = spread([len(node.cpus) for node in nodes], workers)
    on_node = [slots.count(index) for index in range(len(nodes))]
    begun = [0] * len(nodes)
    places = []
    for index in slots:
        node = nodes[index]
        cpus = node.cpus
        if by_core and native_threads:
            cpus = _share(node, begun[index], on_node[index], native_threads)
        begun[index] += 1
        places.append(Place(node.number, cpus))
    return tuple(places)


def spread(cpus: Sequence[int], workers: int) -> list[int]:
    """For each worker the index of its node; ``cpus`` are the CPUs of each node.

    Each goes where it has most CPUs to itself (the method of D'Hondt), the lower node first. So no
    worker would have more of them on another node, and no node has more workers than CPUs before
    all have as many.
    """
    on_node = [0] * len(cpus)
    chosen = []
    for _ in range(workers):
        best = max(range(len(cpus)), key=lambda index: (cpus[index] / (on_node[index] + 1), -index))
        on_node[best] += 1
        chosen.append(best)
    return chosen


def _share(node: Node, worker: int, workers: int, native_threads: int) -> tuple[int, ...]:
    """The cores of one of the ``workers`` on a node, each core with all of its CPUs.

    Neighbouring cores, since these are the ones that share caches. Shares differ by one core at
    most; where there are more workers than cores, so do the workers on a core. A share that
    ``native_threads`` do not fit in is made larger, into those of its neighbours.
    """
    cores = len(node.cores)
    first, end = worker * cores // workers, (worker + 1) * cores // workers
    share: list[int] = []
    for at in range(first, first + cores):
        if at >= end and len(share) >= native_threads:
            break
        share += node.cores[at % cores]
    return tuple(sorted(share))

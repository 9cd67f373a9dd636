"""Nodes as plain data, and in words.

A CPU has a number: on Linux the system's own, on Windows 64 times its processor group plus its
place in the group. Memory is in MB (1 MB = 1,000,000 bytes).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

LOCAL_DISTANCE = 10
"""A node's distance to itself; others are relative to it (ACPI, system locality table)."""
GROUP_BITS = 64
_MOST_LISTED = 8


@dataclass(frozen=True)
class Node:
    """``cores``: its CPUs that this process may use, those of one physical core together.

    ``memory_mb`` is what it has of memory that this process may use, 0.0 for a node without; None
    where the system does not tell. ``memory_free_mb``: what is free of it now.
    """

    number: int
    cores: tuple[tuple[int, ...], ...] = ()
    memory_mb: float | None = None
    memory_free_mb: float | None = None

    @property
    def cpus(self) -> tuple[int, ...]:
        return tuple(sorted(cpu for core in self.cores for cpu in core))


@dataclass(frozen=True)
class Topology:
    """All nodes, by number; ``distances`` by pair of their numbers, where the system tells them.

    ``groups``: Windows' processor groups, 1 elsewhere. ``doubt``: why this is one node whatever
    the machine has, or empty.
    """

    nodes: tuple[Node, ...]
    distances: Mapping[tuple[int, int], int] = field(default_factory=dict)
    groups: int = 1
    doubt: str = ""

    @property
    def with_cpus(self) -> tuple[Node, ...]:
        """Nodes on which something can run; at least one."""
        return tuple(node for node in self.nodes if node.cores)

    @property
    def cpus(self) -> tuple[int, ...]:
        return tuple(sorted(cpu for node in self.nodes for cpu in node.cpus))

    def __str__(self) -> str:
        """One line: ``2 nodes, each with 32 CPUs (16 cores) and 128.0 GB; distance 21``."""
        return "; ".join(self._parts())

    def _parts(self) -> Iterator[str]:
        owned = [_owned(node) for node in self.nodes]
        if len(owned) == 1:
            yield f"1 node with {owned[0]}"
        elif len(set(owned)) == 1:
            yield f"{len(owned)} nodes, each with {owned[0]}"
        else:
            yield f"{len(owned)} nodes"
            numbered = zip(self.nodes, owned, strict=True)
            listed = [f"node {node.number}: {words}" for node, words in numbered]
            yield from listed[:_MOST_LISTED]
            if listed[_MOST_LISTED:]:
                yield f"{len(listed) - _MOST_LISTED} more"
        if self.distances:
            apart = sorted({d for (a, b), d in self.distances.items() if a != b})
            if apart:
                span = f"{apart[0]}" if len(apart) == 1 else f"{apart[0]} to {apart[-1]}"
                yield f"distance {span} (local {LOCAL_DISTANCE})"
        if self.groups > 1:
            yield f"{self.groups} processor groups"
        if self.doubt:
            yield f"nodes are not known ({self.doubt})"


def _owned(node: Node) -> str:
    cpus = len(node.cpus)
    said = "no CPU" if not cpus else "1 CPU" if cpus == 1 else f"{cpus} CPUs"
    if cpus != len(node.cores):
        said += f" ({len(node.cores)} core{'s' if len(node.cores) > 1 else ''})"
    if node.memory_mb is not None:
        return f"{said} and {_amount(node.memory_mb)}"
    if node.memory_free_mb is not None:
        return f"{said}, {_amount(node.memory_free_mb)} free"
    return said


def _amount(mb: float) -> str:
    if not mb:
        return "no memory"
    return f"{mb / 1000:.1f} GB" if mb >= 1000 else f"{mb:.0f} MB"


def one_node(
    cpus: Iterable[int], siblings: Mapping[int, Collection[int]] | None = None, doubt: str = ""
) -> Topology:
    """All ``cpus`` in one node; ``siblings`` as in :func:`cores_of`."""
    return Topology((Node(0, cores_of(set(cpus), siblings or {})),), doubt=doubt)


def cores_of(
    cpus: Collection[int], siblings: Mapping[int, Collection[int]]
) -> tuple[tuple[int, ...], ...]:
    """``cpus`` by physical core, in order of the cores' lowest CPUs.

    :param siblings: of a CPU, all of its core, itself too; a CPU that is missing is a core.
    """
    cores: list[tuple[int, ...]] = []
    left = set(cpus)
    for cpu in sorted(cpus):
        if cpu in left:
            core = (left & set(siblings.get(cpu, ()))) | {cpu}
            left -= core
            cores.append(tuple(sorted(core)))
    return tuple(cores)

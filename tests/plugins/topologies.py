"""Machines that are made up: trees as Linux shows them, buffers as Windows fills them."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

KB_PER_NODE = 64 * 1024 * 1024


def spans(numbers: Sequence[int]) -> str:
    """``0-3,8``, as the kernel writes it."""
    parts: list[list[int]] = []
    for number in sorted(numbers):
        if parts and number == parts[-1][1] + 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    return ",".join(f"{a}" if a == b else f"{a}-{b}" for a, b in parts)


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{text}\n")


def linux(
    root: Path,
    nodes: Mapping[int, Sequence[int]],
    *,
    siblings: Sequence[Sequence[int]] = (),
    offline: Sequence[int] = (),
    memory_kb: Mapping[int, int] | None = None,
    distances: Mapping[int, Sequence[int]] | None = None,
    mems_allowed: str | None = None,
) -> list[int]:
    """A tree in which each node has these CPUs; those online."""
    online = sorted(cpu for cpus in nodes.values() for cpu in cpus if cpu not in offline)
    write(root / "sys/devices/system/cpu/online", spans(online))
    of_cpu = {cpu: core for core in siblings for cpu in core}
    for cpu in online:
        core = [other for other in of_cpu.get(cpu, [cpu]) if other in online]
        folder = root / f"sys/devices/system/cpu/cpu{cpu}/topology"
        write(folder / "thread_siblings_list", spans(core))
    folder = root / "sys/devices/system/node"
    write(folder / "online", spans(list(nodes)))
    for place, (number, cpus) in enumerate(nodes.items()):
        write(folder / f"node{number}/cpulist", spans([c for c in cpus if c in online]))
        total = (memory_kb or {}).get(number, KB_PER_NODE)
        text = f"Node {number} MemTotal:  {total} kB\nNode {number} MemFree: {total // 2} kB"
        write(folder / f"node{number}/meminfo", text)
        row = [10 if place == other else 21 for other in range(len(nodes))]
        row = list((distances or {}).get(number, row))
        write(folder / f"node{number}/distance", " ".join(map(str, row)))
    if mems_allowed is not None:
        write(root / "proc/self/status", f"Name:\tpython\nMems_allowed_list:\t{mems_allowed}")
    return online


def _masks(cpus: Sequence[int]) -> bytes:
    masks: dict[int, int] = {}
    for cpu in cpus:
        masks[cpu // 64] = masks.get(cpu // 64, 0) | 1 << cpu % 64
    return b"".join(struct.pack("<QH6x", mask, group) for group, mask in sorted(masks.items()))


def core_record(cpus: Sequence[int]) -> bytes:
    """RelationProcessorCore: Flags, EfficiencyClass, Reserved[20], GroupCount, GroupMask."""
    body = struct.pack("<BB20xH", len(cpus) > 1, 0, 1) + _masks(cpus)
    return struct.pack("<II", 0, 8 + len(body)) + body


def node_record(number: int, cpus: Sequence[int], *, extended: bool = True) -> bytes:
    """RelationNumaNodeEx; or RelationNumaNode of older Windows, whose count is reserved and 0."""
    masks = _masks(cpus)
    count = len(masks) // 16 if extended else 0
    body = struct.pack("<I18xH", number, count) + masks
    return struct.pack("<II", 6 if extended else 1, 8 + len(body)) + body


def group_record(active: Sequence[int]) -> bytes:
    """RelationGroup: so many CPUs are active in each group."""
    infos = b"".join(
        struct.pack("<BB38xQ", 64, cpus, (1 << cpus) - 1 if cpus < 64 else 2**64 - 1)
        for cpus in active
    )
    body = struct.pack("<HH20x", len(active), len(active)) + infos
    return struct.pack("<II", 4, 8 + len(body)) + body

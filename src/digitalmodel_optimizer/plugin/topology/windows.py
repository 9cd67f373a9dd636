"""Windows: nodes, cores and processor groups from GetLogicalProcessorInformationEx.

The system fills a buffer with records; :func:`parse` reads them and is a pure function. All layouts
are those of 64-bit Windows (winnt.h).
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

from digitalmodel_optimizer.plugin.topology.data import (
    GROUP_BITS,
    Node,
    Topology,
    cores_of,
    one_node,
)

# LOGICAL_PROCESSOR_RELATIONSHIP
CORE, NUMA_NODE, GROUP, NUMA_NODE_EX = 0, 1, 4, 6
_HEADER = struct.Struct("<II")  # Relationship, Size of the whole record
_AFFINITY = struct.Struct("<QH6x")  # GROUP_AFFINITY: Mask, Group, Reserved[3]
# PROCESSOR_RELATIONSHIP and NUMA_NODE_RELATIONSHIP have GroupCount and GroupMasks at one place.
_COUNT_AT, _MASKS_AT = 30, 32
_NODE_AT = 8  # NodeNumber
_ACTIVE_GROUPS_AT = 10  # GROUP_RELATIONSHIP: ActiveGroupCount


def parse(
    content: bytes,
    allowed: Collection[int] | None = None,
    free_mb: Callable[[int], float | None] = lambda _: None,
) -> Topology:
    """The topology that the records in ``content`` describe.

    :param allowed: the CPUs that this process may use; None: all.
    :param free_mb: the free memory of a node, which no record has.
    """
    siblings: dict[int, Collection[int]] = {}
    of_node: dict[int, set[int]] = {}
    groups = 1
    for kind, record in _records(content):
        if kind == CORE:
            cpus = _cpus(record)
            siblings.update(dict.fromkeys(cpus, cpus))
        elif kind in (NUMA_NODE, NUMA_NODE_EX):
            (number,) = struct.unpack_from("<I", record, _NODE_AT)
            of_node.setdefault(number, set()).update(_cpus(record))
        elif kind == GROUP:
            (groups,) = struct.unpack_from("<H", record, _ACTIVE_GROUPS_AT)
    every = set(siblings) | {cpu for cpus in of_node.values() for cpu in cpus}
    usable = every if allowed is None else (every & set(allowed) or every)
    placed = [cpu for cpus in of_node.values() for cpu in cpus & usable]
    if sorted(placed) != sorted(usable):
        return one_node(usable, siblings, "Windows does not place each CPU in one of them")
    nodes = tuple(
        Node(number, cores_of(cpus & usable, siblings), None, free_mb(number))
        for number, cpus in sorted(of_node.items())
    )
    return Topology(nodes, groups=max(1, groups))


def _records(content: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + _HEADER.size <= len(content):
        kind, size = _HEADER.unpack_from(content, at)
        if size < _HEADER.size or at + size > len(content):
            raise ValueError(f"a record of {size} bytes at {at} of {len(content)}")
        yield kind, content[at : at + size]
        at += size


def _cpus(record: bytes) -> set[int]:
    """The CPUs of all masks; before Windows Server 2022 a node's count is 0 and it has one mask."""
    (count,) = struct.unpack_from("<H", record, _COUNT_AT)
    found = set()
    for index in range(max(1, count)):
        mask, group = _AFFINITY.unpack_from(record, _MASKS_AT + index * _AFFINITY.size)
        found |= cpus_of_mask(mask, group)
    return found


def cpus_of_mask(mask: int, group: int) -> set[int]:
    return {group * GROUP_BITS + bit for bit in range(GROUP_BITS) if mask >> bit & 1}


def masks_of(cpus: Collection[int]) -> Mapping[int, int]:
    """The mask of each processor group that ``cpus`` are in."""
    masks: dict[int, int] = {}
    for cpu in sorted(cpus):
        group, bit = divmod(cpu, GROUP_BITS)
        masks[group] = masks.get(group, 0) | 1 << bit
    return masks


def allowed_by(groups: Sequence[int], process_mask: int, system_mask: int) -> set[int] | None:
    """The CPUs that somebody has bound the process to; None if nobody has.

    A mask tells of one group only. A process that has not been bound fills its group's mask, and
    may use other groups as well.

    :param groups: those in which the process has threads.
    """
    if len(groups) != 1 or not process_mask or process_mask == system_mask:
        return None
    return cpus_of_mask(process_mask, groups[0])


def read_windows(kernel32: Any = None) -> Topology:
    """What this system tells.

    :raises OSError: it refuses to.
    """
    kernel32 = load_kernel32() if kernel32 is None else kernel32
    nodes = _ask(kernel32, NUMA_NODE_EX) or _ask(kernel32, NUMA_NODE)
    content = _ask(kernel32, GROUP) + _ask(kernel32, CORE) + nodes
    if not content:
        raise OSError("GetLogicalProcessorInformationEx tells nothing")
    return parse(content, _allowed(kernel32), lambda node: _free_mb(kernel32, node))


def load_kernel32() -> Any:
    """kernel32 with handles as wide as they are."""
    kernel32 = ctypes.WinDLL("kernel32", use_last_error=True)  # type: ignore[attr-defined, unused-ignore]
    for name in ("GetCurrentProcess", "GetCurrentThread"):
        getattr(kernel32, name).restype = ctypes.c_void_p
    return kernel32


def process_groups(kernel32: Any) -> list[int]:
    """The processor groups in which this process has threads; empty if the system does not tell."""
    count = ctypes.c_ushort(GROUP_BITS)
    found = (ctypes.c_ushort * GROUP_BITS)()
    process = ctypes.c_void_p(kernel32.GetCurrentProcess())
    if not kernel32.GetProcessGroupAffinity(process, ctypes.byref(count), found):
        return []
    return list(found[: count.value])


def _ask(kernel32: Any, kind: int) -> bytes:
    """The records of one kind; empty where the system does not know it."""
    size = ctypes.c_ulong(0)
    kernel32.GetLogicalProcessorInformationEx(kind, None, ctypes.byref(size))
    buffer = ctypes.create_string_buffer(max(1, size.value))
    if not kernel32.GetLogicalProcessorInformationEx(kind, buffer, ctypes.byref(size)):
        return b""
    return buffer.raw[: size.value]


def _allowed(kernel32: Any) -> set[int] | None:
    process, system = ctypes.c_size_t(0), ctypes.c_size_t(0)
    handle = ctypes.c_void_p(kernel32.GetCurrentProcess())
    done = kernel32.GetProcessAffinityMask(handle, ctypes.byref(process), ctypes.byref(system))
    return allowed_by(process_groups(kernel32), process.value, system.value) if done else None


def _free_mb(kernel32: Any, node: int) -> float | None:
    free = ctypes.c_ulonglong(0)
    number = ctypes.c_ushort(node)
    if not kernel32.GetNumaAvailableMemoryNodeEx(number, ctypes.byref(free)):
        return None
    return free.value / 1e6

"""Linux: nodes from /sys/devices/system/node, cores from /sys/devices/system/cpu.

What of it the process may use is in its affinity mask and in its cpuset. The kernel keeps the mask
within the cpuset, and shows which nodes' memory is allowed in /proc/self/status; where that line is
missing (sandboxes that emulate a kernel) the cpuset's own files are read.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path, PurePosixPath

from digitalmodel_optimizer.plugin.topology.data import Node, Topology, cores_of, one_node

_KIB_PER_MB = 1e6 / 1024
_SIBLINGS = ("core_cpus_list", "thread_siblings_list")  # the second until Linux 5.2
# Names in version 2 of control groups, and in version 1.
_CPUS = ("cpuset.cpus.effective", "cpuset.effective_cpus", "cpuset.cpus")
_MEMORY = ("cpuset.mems.effective", "cpuset.effective_mems", "cpuset.mems")


def read_linux(root: Path, affinity: Collection[int]) -> Topology:
    """The topology below ``root``, which stands for ``/``.

    :param affinity: the CPUs in the process's mask.
    """
    cpus = _usable_cpus(root, affinity)
    siblings = {cpu: _siblings(root, cpu) for cpu in cpus}
    folder = root / "sys/devices/system/node"
    numbers = _numbers(_read(folder / "online")) or _listed(folder)
    if not numbers:
        return one_node(cpus, siblings, "this kernel tells of none")
    of_node = {n: _numbers(_read(folder / f"node{n}/cpulist")) & cpus for n in numbers}
    placed = [cpu for found in of_node.values() for cpu in found]
    if sorted(placed) != sorted(cpus):
        return one_node(cpus, siblings, "the kernel does not place each CPU in one of them")
    allowed = _allowed_memory(root)
    nodes = []
    for number in sorted(numbers):
        total_mb, free_mb = _memory_mb(folder / f"node{number}/meminfo")
        if len(numbers) == 1:  # a virtual machine may grow, which its node does not always show
            total_mb, free_mb = _memory_mb(root / "proc/meminfo", total_mb, free_mb)
        if allowed and number not in allowed:
            total_mb = free_mb = 0.0
        if of_node[number] or total_mb:
            nodes.append(Node(number, cores_of(of_node[number], siblings), total_mb, free_mb))
    return Topology(tuple(nodes), _distances(folder, sorted(numbers), {n.number for n in nodes}))


def _usable_cpus(root: Path, affinity: Collection[int]) -> set[int]:
    """The mask, without what is offline or outside of the cpuset, should the kernel show it."""
    cpus = set(affinity)
    folder = root / "sys/devices/system/cpu"
    for bound in (_numbers(_read(folder / "online")), _cpuset(root, _CPUS)):
        cpus = (cpus & bound) or cpus  # a bound that leaves nothing is not about this process
    return cpus


def _siblings(root: Path, cpu: int) -> set[int]:
    folder = root / f"sys/devices/system/cpu/cpu{cpu}/topology"
    return next(filter(None, (_numbers(_read(folder / name)) for name in _SIBLINGS)), {cpu})


def _memory_mb(
    path: Path, total_mb: float | None = None, free_mb: float | None = None
) -> tuple[float | None, float | None]:
    """``Node 0 MemTotal:  8017812 kB``, and the same of MemFree; kB are 1024 bytes here.

    :param total_mb, free_mb: what is returned where the file does not tell.
    """
    found: dict[str, float] = {}
    for name, kib in re.findall(r"(MemTotal|MemFree):\s+(\d+) kB", _read(path)):
        found[name] = int(kib) / _KIB_PER_MB
    return found.get("MemTotal", total_mb), found.get("MemFree", free_mb)


def _distances(folder: Path, online: list[int], known: set[int]) -> Mapping[tuple[int, int], int]:
    """A row for each node, with a number for each node that is online, in order."""
    found = {}
    for number in online:
        row = _read(folder / f"node{number}/distance").split()
        if len(row) != len(online) or not all(word.isdigit() for word in row):
            return {}
        found.update({(number, other): int(d) for other, d in zip(online, row, strict=True)})
    return {pair: d for pair, d in found.items() if known.issuperset(pair)}


def _allowed_memory(root: Path) -> set[int]:
    """Nodes whose memory may be used; empty if nobody tells."""
    found = re.search(r"(?m)^Mems_allowed_list:\s*(\S+)$", _read(root / "proc/self/status"))
    return _numbers(found[1]) if found else _cpuset(root, _MEMORY)


def _cpuset(root: Path, names: tuple[str, ...]) -> set[int]:
    """What the process's cpuset holds; empty without one.

    Looked for where systems mount it, in the process's own group and those above it; in a
    container the group's name may be one that only the machine outside knows.
    """
    for folder in _cpuset_folders(root):
        for name in names:
            found = _numbers(_read(folder / name))
            if found:
                return found
    return set()


def _cpuset_folders(root: Path) -> Iterator[Path]:
    for line in _read(root / "proc/self/cgroup").splitlines():
        number, _, rest = line.partition(":")
        controllers, _, name = rest.partition(":")
        if "cpuset" in controllers.split(","):
            mount = root / "sys/fs/cgroup/cpuset"
        elif number == "0" and not controllers:
            mount = root / "sys/fs/cgroup"
        else:
            continue
        group = PurePosixPath(name.lstrip("/"))
        if ".." not in group.parts:
            yield from (mount / parent for parent in (group, *group.parents))


def _listed(folder: Path) -> set[int]:
    """Nodes by their folders; holes in the numbering are usual."""
    try:
        names = [path.name for path in folder.iterdir()]
    except OSError:
        return set()
    return {int(name[4:]) for name in names if re.fullmatch(r"node\d+", name)}


def _numbers(text: str) -> set[int]:
    """``0-3,8`` as numbers; what is written otherwise is none."""
    found: set[int] = set()
    for part in text.split(","):
        span = re.fullmatch(r"\s*(\d+)(?:-(\d+))?\s*", part)
        if span:
            first = int(span[1])
            found.update(range(first, int(span[2] or first) + 1))
    return found


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""

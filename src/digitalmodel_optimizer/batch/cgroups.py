"""What Linux's control groups leave to this process: limits of its own group and of all parents.

Versions 1 and 2 are read, inside a container and outside. Where there are no control groups (other
systems, no /proc) there are no limits. A file that is missing or malformed sets no limit either: an
odd mount must not end a batch.

``root`` is the folder that stands for ``/``.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import NamedTuple

ROOT = Path("/")


class _Files(NamedTuple):
    """Names of the files of one version of control groups, and of the keys of ``memory.stat``."""

    quota: tuple[str, ...]  # together they say "quota period" in microseconds
    limits: tuple[str, ...]
    used: str
    prefix: str  # version 1 has the figures of a group and its children under names of their own
    mapped: str


_V1 = _Files(
    quota=("cpu.cfs_quota_us", "cpu.cfs_period_us"),
    limits=("memory.limit_in_bytes",),
    used="memory.usage_in_bytes",
    prefix="total_",
    mapped="mapped_file",
)
_V2 = _Files(
    quota=("cpu.max",),
    # Above memory.high the kernel slows the group down until it has shrunk.
    limits=("memory.max", "memory.high"),
    used="memory.current",
    prefix="",
    mapped="file_mapped",
)


class _Group(NamedTuple):
    folder: Path
    files: _Files


class _Mount(NamedTuple):
    """A mounted hierarchy: ``top`` is the group that is seen at ``folder``."""

    top: PurePosixPath
    folder: Path
    controllers: frozenset[str]  # none in version 2


def cpu_quota(root: Path = ROOT) -> float | None:
    """CPU seconds per second that the strictest group allows; None without a quota."""
    allowed = (_quota(group) for group in _groups("cpu", root))
    return min((quota for quota in allowed if quota is not None), default=None)


def memory_limits(below: float, root: Path = ROOT) -> Iterator[tuple[float, float]]:
    """Limit and used memory, in bytes, of each group whose limit is under ``below`` bytes.

    The kernel sums up a group's memory.stat when it is read, which is slow on large machines, so
    it is read only where a limit needs it.
    """
    for folder, files in _groups("memory", root):
        limit = min(_number(_read(folder / name)) for name in files.limits)
        if limit >= below:
            continue
        used = _number(_read(folder / files.used))
        if math.isfinite(used):
            yield limit, max(0.0, used - _reclaimable(folder, files))


def _quota(group: _Group) -> float | None:
    words = " ".join(_read(group.folder / name) for name in group.files.quota).split()
    if len(words) != 2:
        return None
    quota, period = map(_number, words)  # no quota is "max" in version 2, -1 in version 1
    return quota / period if math.isfinite(quota) and quota > 0 and period > 0 else None


def _reclaimable(folder: Path, files: _Files) -> float:
    """Page cache, in bytes, that the kernel drops before it lets the group run out of memory.

    As in the kernel's own MemAvailable the active list counts too: a .sim file that has been read
    twice is on it. Mapped pages do not count, since they are the code of running programs and
    libraries, which without them would be read from the disk again and again.
    """
    stat = dict(line.partition(" ")[::2] for line in _read(folder / "memory.stat").splitlines())
    inactive, active, mapped = (
        _number(stat.get(files.prefix + name, "0"))
        for name in ("inactive_file", "active_file", files.mapped)
    )
    return inactive + max(0.0, active - mapped)


def _groups(controller: str, root: Path) -> tuple[_Group, ...]:
    """The groups that limit this process, from its own up to the topmost that can be seen."""
    return _groups_named(controller, _read(root / "proc/self/cgroup"), root)


@lru_cache(maxsize=16)  # the mounts stay; a process that is moved to another group is noticed
def _groups_named(controller: str, memberships: str, root: Path) -> tuple[_Group, ...]:
    mounts = list(_mounts(root))
    found = []
    for line in memberships.splitlines():
        number, _, rest = line.partition(":")
        controllers, _, name = rest.partition(":")
        if number == "0" and not controllers:
            fitting, files = [mount for mount in mounts if not mount.controllers], _V2
        elif controller in controllers.split(","):
            fitting, files = [mount for mount in mounts if controller in mount.controllers], _V1
        else:
            continue
        found += [_Group(folder, files) for folder in _folders(PurePosixPath(name), fitting)]
    return tuple(found)


def _mounts(root: Path) -> Iterator[_Mount]:
    for line in _read(root / "proc/self/mountinfo").splitlines():
        # "31 24 0:27 TOP FOLDER rw shared:9 - cgroup2 cgroup2 rw,nsdelegate", see proc(5)
        place, _, system = line.partition(" - ")
        places, kinds = place.split(), system.split()
        if len(places) < 5 or not kinds or kinds[0] not in ("cgroup", "cgroup2"):
            continue
        top, folder = map(_unescaped, places[3:5])
        options = kinds[-1].split(",") if kinds[0] == "cgroup" else ()
        yield _Mount(PurePosixPath(top), root / folder.lstrip("/"), frozenset(options))


def _folders(name: PurePosixPath, mounts: list[_Mount]) -> list[Path]:
    """Folders of the group ``name`` and its parents, in the mount that shows most of them."""
    for mount in sorted(mounts, key=lambda mount: len(mount.top.parts)):
        if name.is_relative_to(mount.top) and ".." not in name.parts:
            below = name.relative_to(mount.top)
            return [mount.folder / parent for parent in (below, *below.parents)]
    # The mount was made for another namespace of groups than ours. What it shows topmost is, in a
    # container, the container's own group.
    return [mount.folder for mount in mounts[:1]]


def _unescaped(text: str) -> str:
    """A path as it is, of which mountinfo writes blanks and backslashes as octal numbers."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), text)


def _read(path: Path) -> str:
    try:
        return os.fsdecode(path.read_bytes()).strip()
    except OSError:
        return ""


def _number(text: str) -> float:
    """Infinity for what is no number: "max", or a file that is not there."""
    try:
        return float(text)
    except ValueError:
        return math.inf

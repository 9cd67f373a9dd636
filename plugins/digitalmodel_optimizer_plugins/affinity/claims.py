"""How a worker knows its slot: files in a private temporary folder of its run, locked.

The folder has the process id of the run's parent in its name, which a worker knows as well. The
worker holds the lock of its slot's file for as long as it lives, and the system lets go of it
however the worker ends, so the one that replaces it finds the slot free. The parent holds a lock of
its own: a folder without it is a leftover, which nobody follows and the next run removes.
"""

from __future__ import annotations

import atexit
import contextlib
import glob
import json
import multiprocessing
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from filelock import FileLock, Timeout

from digitalmodel_optimizer.plugin import OutputError
from digitalmodel_optimizer.plugin.atomic import write_whole
from digitalmodel_optimizer.plugin.private import (
    read_own,
    remove_tree,
    why_not_private,
)
from digitalmodel_optimizer_plugins.affinity.places import Place

PREFIX = "dmo-affinity-"
_OWNER, _PLAN = "owner.lock", "plan.json"
_LARGEST_BYTES = 10_000_000
# A folder is made before it is locked; a younger one may be about to be.
_LEFTOVER_S = 60.0


@dataclass(frozen=True)
class Pinned:
    """What became of one worker process: whether it is ``bound``, and what was refused, if any."""

    slot: int
    node: int
    cpus: tuple[int, ...]
    bound: bool = True
    fault: str = ""


class Claims:
    """The parent's side: makes the folder with the places, and removes it.

    :raises OSError, OutputError: there cannot be one.
    """

    def __init__(self, places: Sequence[Place], *, local_memory: bool) -> None:
        self._process = os.getpid()
        self.folder = _folder_of(self._process)
        _remove_leftovers()
        with contextlib.suppress(FileExistsError):
            os.mkdir(self.folder, 0o700)
        _refuse_strange(self.folder)
        self._owner = _lock(os.path.join(self.folder, _OWNER))
        if self._owner is None:  # a container that shares the folder, with process ids of its own
            raise OutputError(f"{self.folder} belongs to another run")
        atexit.register(self.close)
        self._local_memory = local_memory
        try:
            self.plan(places)
        except BaseException:
            self.close()
            raise

    def plan(self, places: Sequence[Place]) -> None:
        """Give each slot its place; workers that have one go over to it with their next file."""
        content = {
            "places": [[place.node, list(place.cpus)] for place in places],
            "local_memory": self._local_memory,
        }
        _write(os.path.join(self.folder, _PLAN), content)

    def pinned(self) -> list[Pinned]:
        """What the workers have noted so far, by slot."""
        found = []
        for path in glob.glob(os.path.join(glob.escape(self.folder), "worker-*.json")):
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
                noted = json.loads(read_own(path, _LARGEST_BYTES))
                found.append(Pinned(**{**noted, "cpus": tuple(noted["cpus"])}))
        return sorted(found, key=lambda item: (item.slot, item.fault))

    def close(self) -> None:
        """Remove the folder; at exit again, where a worker held a file of it (Windows)."""
        if os.getpid() != self._process:  # a fork of it
            return
        if self._owner is not None:
            self._owner.release()
            self._owner = None
        remove_tree(self.folder)
        if not os.path.lexists(self.folder):
            atexit.unregister(self.close)


class Slot:
    """A worker's side: the lowest slot that is free, held until this process ends.

    :param folder: of the run; None: that of the process which has started this one.
    :raises LookupError: the parent has planned nothing for its workers.
    :raises OSError, OutputError, ValueError: the plan cannot be read, or no slot be had.
    """

    def __init__(self, folder: str | None = None) -> None:
        self._folder = _folder_of(_parent()) if folder is None else folder
        if not os.path.isdir(self._folder):
            raise LookupError(f"{self._folder} is not there")
        _refuse_strange(self._folder)
        if not is_held(os.path.join(self._folder, _OWNER)):
            raise LookupError(f"{self._folder} is a leftover")
        self._plan = os.path.join(self._folder, _PLAN)
        self._seen: tuple[int, int] | None = None
        self.number, self._lock = self._claim()
        self.place, self.local_memory = Place(0, ()), False
        self.look()

    def look(self) -> bool:
        """Read the plan if it is new; whether this slot's place is another one than before.

        :raises OSError, ValueError: it cannot be read; the place stays.
        """
        status = os.stat(self._plan)
        seen = (status.st_mtime_ns, status.st_ino)
        if seen == self._seen:
            return False
        plan: dict[str, Any] = json.loads(read_own(self._plan, _LARGEST_BYTES))
        node, cpus = plan["places"][self.number % len(plan["places"])]
        before, self.place = self.place, Place(int(node), tuple(map(int, cpus)))
        self.local_memory, self._seen = bool(plan["local_memory"]), seen
        return self.place != before

    def _claim(self) -> tuple[int, FileLock]:
        number = 0
        while True:
            lock = _lock(os.path.join(self._folder, f"slot-{number}.lock"))
            if lock is not None:
                return number, lock
            number += 1

    def note(self, *, bound: bool = True, fault: str = "") -> None:
        """Tell the parent what came of it."""
        what = Pinned(self.number, self.place.node, self.place.cpus, bound, fault)
        _write(os.path.join(self._folder, f"worker-{self.number}-{os.getpid()}.json"), asdict(what))

    def release(self) -> None:
        self._lock.release()


def _write(path: str, content: Any) -> None:
    write_whole(path, json.dumps(content).encode(), 0o600)


def _folder_of(parent: int) -> str:
    return os.path.join(tempfile.gettempdir(), f"{PREFIX}{parent}")


def _refuse_strange(folder: str) -> None:
    fault = why_not_private(folder)
    if fault is not None:
        raise OutputError(f"{folder} {fault}")


def _parent() -> int:
    """The process that has started this one; a virtual environment of Windows puts one between."""
    parent = multiprocessing.parent_process()
    return os.getppid() if parent is None or parent.pid is None else parent.pid


def _lock(path: str) -> FileLock | None:
    """The lock, held; None if another process holds it.

    :raises OSError, NotImplementedError: this file system has none.
    """
    lock = FileLock(path, timeout=0, thread_local=False)
    try:
        lock.acquire()
    except Timeout:
        return None
    return lock


def is_held(path: str) -> bool:
    lock = _lock(path)
    if lock is not None:
        lock.release()
    return lock is None


def _remove_leftovers() -> None:
    """Folders of runs that were killed; never one that is in use, or another user's."""
    for folder in _leftovers():
        remove_tree(folder)


def _leftovers() -> Iterator[str]:
    for folder in glob.glob(os.path.join(glob.escape(tempfile.gettempdir()), f"{PREFIX}*")):
        with contextlib.suppress(OSError):
            own = folder == _folder_of(os.getpid())
            old = time.time() - os.lstat(folder).st_mtime > _LEFTOVER_S
            if not (own or old) or why_not_private(folder) is not None:
                continue
            if not is_held(os.path.join(folder, _OWNER)):
                yield folder

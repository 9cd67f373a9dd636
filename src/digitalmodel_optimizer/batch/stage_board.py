"""What each worker is doing just now, told to the parent through a few bytes that both can see.

A worker process has a board: a slot for each of its threads with the file's index and its stage.
Writing costs less than a microsecond and waits for nobody; who reads may see a stage that is a
moment old. Nothing depends on it but what is shown.
"""

from __future__ import annotations

import contextlib
import hashlib
import mmap
import os
import struct
import sys
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path

from digitalmodel_optimizer.plugin import Stage

_SLOTS = 64
_SLOT = struct.Struct("<ii")  # the file's index + 1, the stage's place
_BYTES = _SLOTS * _SLOT.size
_STAGES = tuple(Stage)
_FOLDER = "stages"


class StageBoard:
    """The board of this process, for the batch that is staged in ``staging``; made when it has its
    first file.
    """

    def __init__(self, staging: str) -> None:
        self._staging = staging
        self._memory: mmap.mmap | None = None
        self._lock = threading.Lock()
        self._taken = 0
        self._this_thread = threading.local()

    def file(self, index: int) -> Callable[[Stage], None]:
        """What to call with each stage of a file that this thread begins."""
        slot = self._slot()
        with self._lock:
            if self._memory is None:
                self._memory = _mapped(self._staging, os.getpid(), write=True)
            memory = self._memory
        if memory is None or slot >= _SLOTS:
            return lambda _: None
        at = slot * _SLOT.size

        def show(stage: Stage) -> None:
            _SLOT.pack_into(memory, at, index + 1, _STAGES.index(stage))

        return show

    def done(self) -> None:
        """The calling thread has no file any more."""
        slot = self._slot()
        if self._memory is not None and slot < _SLOTS:
            _SLOT.pack_into(self._memory, slot * _SLOT.size, 0, 0)

    def close(self) -> None:
        memory, self._memory = self._memory, None
        if memory is not None:
            memory.close()

    def _slot(self) -> int:
        slot: int | None = getattr(self._this_thread, "slot", None)
        if slot is None:
            with self._lock:
                slot, self._taken = self._taken, self._taken + 1
            self._this_thread.slot = slot
        return slot


class Boards:
    """The parent's look at the boards of its workers."""

    def __init__(self, staging: str) -> None:
        self._staging = staging
        self._known: dict[int, mmap.mmap] = {}

    def stages(self, pids: Collection[int]) -> Mapping[int, str]:
        """The stage of each file that these processes work on, by the file's index."""
        found: dict[int, str] = {}
        for pid in pids:
            if pid not in self._known:
                memory = _mapped(self._staging, pid, write=False)
                if memory is None:
                    continue
                self._known[pid] = memory
            found.update(_read(self._known[pid]))
        return found

    def close(self) -> None:
        for memory in self._known.values():
            memory.close()
        self._known.clear()


def _read(memory: mmap.mmap) -> Iterator[tuple[int, str]]:
    for number, place in _SLOT.iter_unpack(memory[:_BYTES]):
        if number > 0 and 0 <= place < len(_STAGES):
            yield number - 1, _STAGES[place].value


def _mapped(staging: str, pid: int, *, write: bool) -> mmap.mmap | None:
    """The bytes of a process's board; None where they cannot be had."""
    with contextlib.suppress(OSError, ValueError):
        if sys.platform == "win32":  # memory with a name: no file that somebody could not remove
            name = f"dmo-{hashlib.sha256(staging.encode()).hexdigest()[:16]}-{pid}"
            return mmap.mmap(-1, _BYTES, tagname=name)
        path = Path(staging, _FOLDER, str(pid))
        if write:
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(bytes(_BYTES))
        with path.open("r+b") as stream:
            return mmap.mmap(stream.fileno(), _BYTES)
    return None

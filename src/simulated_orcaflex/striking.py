"""Faults that end a process or a call: native crashes, exits, hangs, a lack of memory."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from collections.abc import Iterable

from .faults import Crash, Faults, happens


def strike(faults: Iterable[Faults], stage: str) -> None:
    """Let what shall go wrong at `stage` go wrong now."""
    for fault in faults:
        hang, crash, memory = fault.hang, fault.crash, fault.memory
        if hang and hang.stage == stage and happens(hang.times, hang.counter):
            while True:
                time.sleep(3600.0)
        if crash and crash.stage == stage and happens(crash.times, crash.counter):
            _crash(crash)
        if memory and memory.stage == stage and happens(memory.times, memory.counter):
            bytearray(_more_than_there_is())


def _crash(crash: Crash) -> None:
    if crash.how == "exit":
        os._exit(crash.code)
    if crash.how == "kill" and hasattr(signal, "SIGKILL"):
        os.kill(os.getpid(), signal.SIGKILL)
    if crash.how == "segfault" and sys.platform != "win32":  # ctypes makes an OSError of it there
        ctypes.memset(1, 0, 1)
    os.abort()


def _more_than_there_is() -> int:
    """Bytes that the system refuses in one request, so that no other thread goes without."""
    if sys.platform != "win32":
        import resource

        limit = resource.getrlimit(resource.RLIMIT_AS)[0]
        if limit != resource.RLIM_INFINITY:
            return limit
    return sys.maxsize // 2

"""What this process holds in memory, and giving back to the system what it no longer needs."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable

BYTES_PER_MB = 1_000_000


@functools.cache
def _reader() -> Callable[[], int]:
    import psutil  # a worker that never measures need not load it

    process = psutil.Process()
    return lambda: int(process.memory_info().rss)


def resident_mb() -> float:
    """Resident memory of this process in MB (on Windows its working set)."""
    return _reader()() / BYTES_PER_MB


@functools.cache
def _releaser() -> Callable[[], object] | None:
    import ctypes

    try:
        if sys.platform == "win32":
            # HeapCompact on the C runtime's heap. Emptying the working set would make the figure
            # smaller too, but gives nothing back: the pages come in again at the next touch.
            heapmin: Callable[[], object] = ctypes.CDLL("ucrtbase")._heapmin
            return heapmin
        malloc_trim = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError):  # musl, macOS: their allocators return memory by themselves
        return None
    malloc_trim.argtypes = [ctypes.c_size_t]
    malloc_trim.restype = ctypes.c_int
    return functools.partial(malloc_trim, 0)


def release_to_system() -> bool:
    """Ask the C allocator to return free memory; False where the platform has no such call."""
    release = _releaser()
    if release is None:
        return False
    release()
    return True


def forget() -> None:
    """Look everything up anew: a forked process must not measure its parent."""
    _reader.cache_clear()
    _releaser.cache_clear()

"""Writing behind the computing: one thread per process writes what the others have rendered."""

from __future__ import annotations

import errno
import os
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

from digitalmodel_optimizer.plugin import ErrorKind, FileError
from digitalmodel_optimizer.plugin.errors import ends_batch

BYTES_PER_MB = 1_000_000
_FLUSH_AT_EXIT_S = 60.0


@dataclass
class Ledger:
    """What one file has handed to the writer, and what became of it; one thread hands over.

    ``written_bytes`` maps each path to its size on disk.
    """

    pending: int = 0
    write_s: float = 0.0
    wait_s: float = 0.0
    written_bytes: dict[str, int] = field(default_factory=dict)
    fault: FileError | None = None


@dataclass(frozen=True)
class _Job:
    ledger: Ledger
    path: Path
    content: bytes
    chunk_bytes: int
    fsync: bool


class Writer:
    """A queue bounded by bytes and a daemon thread, started with the first table."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._jobs: deque[_Job] = deque()
        self._queued_bytes = 0
        self._thread: threading.Thread | None = None
        self._closed = False

    def put(
        self,
        ledger: Ledger,
        path: Path,
        content: bytes,
        *,
        chunk_bytes: int,
        queue_bytes: int,
        fsync: bool,
    ) -> None:
        """Queue ``content`` for ``path``; waits while more than ``queue_bytes`` are queued.

        A table larger than the whole queue is taken once the queue is empty.
        """
        start = time.perf_counter()
        with self._changed:
            while self._queued_bytes and self._queued_bytes + len(content) > queue_bytes:
                self._changed.wait()
            ledger.wait_s += time.perf_counter() - start
            ledger.pending += 1
            self._queued_bytes += len(content)
            self._jobs.append(_Job(ledger, path, content, chunk_bytes, fsync))
            # A thread does not survive a close, nor a fork.
            if self._thread is None or not self._thread.is_alive():
                self._closed = False
                self._thread = threading.Thread(target=self._run, name="io-writer", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def wait(self, ledger: Ledger) -> None:
        """Wait until everything that ``ledger`` has handed over is on disk, or has failed."""
        start = time.perf_counter()
        with self._changed:
            while ledger.pending:
                self._changed.wait()
        ledger.wait_s += time.perf_counter() - start

    def close(self, timeout_s: float = _FLUSH_AT_EXIT_S) -> None:
        """Write what is queued, then end the thread; a later ``put`` starts a new one."""
        with self._changed:
            self._closed = True
            thread = self._thread
            self._changed.notify_all()
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout_s)

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._jobs and not self._closed:
                    self._changed.wait()
                if not self._jobs:
                    self._thread = None
                    return
                job = self._jobs.popleft()
            start = time.perf_counter()
            fault = job.ledger.fault or _write(job)
            with self._changed:
                ledger = job.ledger
                ledger.write_s += time.perf_counter() - start
                ledger.fault = fault
                if fault is None:
                    ledger.written_bytes[str(job.path)] = len(job.content)
                ledger.pending -= 1
                self._queued_bytes -= len(job.content)
                del job, ledger
                self._changed.notify_all()


def _write(job: _Job) -> FileError | None:
    """Write one table in large pieces; the reason in words if it cannot be done."""
    try:
        with open(job.path, "wb", buffering=0) as stream:
            view = memoryview(job.content)
            position = 0
            while position < len(view):
                position += stream.write(view[position : position + job.chunk_bytes])
            if job.fsync:
                os.fsync(stream.fileno())
    except OSError as error:
        _discard(job.path)
        return _describe(job, error)
    except BaseException as error:  # anything else would end the thread, unheard
        kind = ErrorKind.MEMORY if isinstance(error, MemoryError) else ErrorKind.OUTPUT
        return FileError(kind, f"cannot write {job.path}: {error!r}")
    return None


def _discard(path: Path) -> None:
    """Take a half-written table away, so that it neither fills the disk nor looks finished."""
    try:
        path.unlink(missing_ok=True)
    except OSError:
        pass


def _describe(job: _Job, error: OSError) -> FileError:
    size_mb = len(job.content) / BYTES_PER_MB
    if ends_batch(error):
        reason = "the disk is full"
        if error.errno == errno.EROFS:
            reason = "the file system is read-only"
        return FileError(
            ErrorKind.DISK_FULL, f"cannot write {job.path} ({size_mb:.1f} MB): {reason}"
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        reason = f"no permission to write there ({error.strerror})"
        return FileError(ErrorKind.OUTPUT, f"cannot write {job.path}: {reason}")
    reason = error.strerror or str(error)
    return FileError(ErrorKind.OUTPUT, f"cannot write {job.path} ({size_mb:.1f} MB): {reason}")

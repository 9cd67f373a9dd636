"""One worker process as the parent sees it: a process, a pipe, and what it is doing.

loky's context starts the process: of Python's own start methods ``spawn`` would import the user's
main module there, and ``fork`` copies locks that other threads hold.
"""

from __future__ import annotations

import math
import os
import pickle
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import wait
from typing import Any

from digitalmodel_optimizer.plugin import FileTask, ProcessFile
from digitalmodel_optimizer_plugins.hybrid_executor.worker_side import work

# One pool of native threads per process is enough, and each reserves memory in every worker.
_NUMERIC_THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)


@dataclass
class Sent:
    """A file that a worker has, and until when it may take."""

    task: FileTask
    deadline_s: float


class WorkerProcess:
    """Started when made; :attr:`said_hello` and :attr:`ready` tell how far it is.

    :param threads: files that it runs at a time.
    :param prepare: run in it before a batch comes; what it imports need not be imported later.
    :raises OSError, ImportError: a process cannot be had.
    """

    def __init__(self, threads: int = 1, prepare: Callable[[], None] | None = None) -> None:
        from loky.backend import get_context  # type: ignore[import-untyped, unused-ignore]

        context = get_context()
        self.threads = threads
        self.started_s = time.monotonic()
        self.said_hello = False
        self.batch_sent = False
        self.ready = False
        self.retiring = False
        self.idle_since_s = self.started_s
        self.sent: dict[int, Sent] = {}
        self._number = 0
        self._watch: int | None = None
        self.connection, child_connection = context.Pipe()
        self._process = context.Process(
            target=work,
            args=(child_connection, threads, prepare),
            env={name: "1" for name in _NUMERIC_THREADS if name not in os.environ},
        )
        try:
            with _interrupts_held_back():
                self._process.start()
        except BaseException:
            self.connection.close()
            raise
        finally:
            child_connection.close()
        self.pid: int = self._process.pid
        if hasattr(os, "pidfd_open"):
            try:
                self._watch = os.pidfd_open(self.pid)
            except OSError:  # an older kernel
                pass

    # -- what it is doing --------------------------------------------------------------------

    @property
    def watched(self) -> tuple[Any, ...]:
        """What :func:`multiprocessing.connection.wait` takes: a message, or its end.

        On Windows the pipe tells of both, and half as many handles can be waited for as there
        would be. loky's sentinel is a pipe as well, which a child of the worker may hold open.
        """
        if sys.platform == "win32":
            return (self.connection,)
        return (self.connection, self._process.sentinel if self._watch is None else self._watch)

    @property
    def has_room(self) -> bool:
        return self.ready and not self.retiring and len(self.sent) < self.threads

    @property
    def is_alive(self) -> bool:
        return bool(self._process.is_alive())

    @property
    def exit_code(self) -> int | None:
        code: int | None = self._process.exitcode
        return code

    def deadline_s(self, start_s: float) -> float:
        """When something will have taken too long: a file, or the start."""
        if not self.ready:
            return self.started_s + start_s
        return min((sent.deadline_s for sent in self.sent.values()), default=math.inf)

    # -- messages ----------------------------------------------------------------------------

    def send_batch(self, process_file: ProcessFile) -> None:
        """Only once it has said hello: before, nobody reads, and a pipe holds little."""
        self.batch_sent, self.ready = True, False
        self.started_s = time.monotonic()
        self._send(("batch", process_file))

    def send_file(self, task: FileTask, limit_s: float | None) -> None:
        self._number += 1
        deadline_s = math.inf if limit_s is None else time.monotonic() + limit_s
        self.sent[self._number] = Sent(task, deadline_s)
        self._send(("file", self._number, task))

    def send_end(self) -> None:
        """Have it end once it has done what it has."""
        self.retiring = True
        try:
            self._send(None)
        except OSError:  # it is gone already
            pass

    def _send(self, message: Any) -> None:
        self.connection.send_bytes(pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL))

    def messages(self) -> Iterator[tuple[str | int, Any]]:
        """What has come, without waiting.

        :raises EOFError, OSError: it has ended.
        """
        while self.connection.poll():
            yield pickle.loads(self.connection.recv_bytes())  # noqa: S301 - of our own worker

    # -- its end -----------------------------------------------------------------------------

    def kill(self) -> None:
        """End the process and its children now, whatever they do."""
        import psutil  # type: ignore[import-untyped, unused-ignore]

        if not self.is_alive:
            return
        try:
            worker = psutil.Process(self.pid)
            tree = [*worker.children(recursive=True), worker]
        except psutil.Error:
            return
        for process in tree:
            try:
                process.kill()
            except psutil.Error:
                pass

    def join(self, timeout_s: float) -> bool:
        """Wait for its end; whether it has ended."""
        if self._watch is not None:
            wait([self._watch], timeout_s)
            self._process.join(0)
        else:
            self._process.join(timeout_s)
        return not self.is_alive

    def close(self) -> None:
        """Let go of what belonged to a process that has ended."""
        self.connection.close()
        if self._watch is not None:
            os.close(self._watch)
            self._watch = None


@contextmanager
def _interrupts_held_back() -> Iterator[None]:
    """Keep Ctrl-C from a process that is starting; it ignores Ctrl-C as soon as it can."""
    if sys.platform == "win32":
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)

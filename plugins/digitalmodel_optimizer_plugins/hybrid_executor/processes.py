"""Files in worker processes; with several threads inside each, if that is wanted.

One file at a time and process is the default: a crash, a kill or a time limit then costs one file
and nothing else.
"""

from __future__ import annotations

import math
import pickle
import sys
import time
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from multiprocessing.connection import wait
from typing import Any

from digitalmodel_optimizer.plugin import (
    ErrorKind,
    Executor,
    FileError,
    FileResult,
    FileTask,
    ProcessFile,
)
from digitalmodel_optimizer_plugins.hybrid_executor.recovery import describe_exit
from digitalmodel_optimizer_plugins.hybrid_executor.worker_process import WorkerProcess

# Windows waits for 63 handles at most.
MAX_PROCESSES = 60 if sys.platform == "win32" else 1_000
# What a child of a worker that has ended keeps open is noticed by looking.
_CHECK_S = 1.0
_EXIT_CODE_S = 1.0


@dataclass(frozen=True)
class Limits:
    """Seconds: for one file (None: no limit), for a start with all imports, for an orderly end, and
    for a worker to have nothing to do before it is ended.
    """

    file_s: float | None = None
    start_s: float = 300.0
    stop_s: float = 5.0
    idle_s: float = 30.0


class ProcessExecutor(Executor):
    """Sends each file to a worker that is free, and starts workers as files need them.

    :param threads: files at a time in each process.
    :param processes: how many there may be whatever the core allows; None: as many as it allows.
    :param workers: processes that were started early.
    """

    keeps_time_limit = True

    def __init__(
        self,
        process_file: ProcessFile,
        limits: Limits,
        *,
        name: str = "loky",
        reason: str = "",
        threads: int = 1,
        processes: int | None = None,
        workers: Sequence[WorkerProcess] = (),
    ) -> None:
        self.name, self.reason = name, reason
        self.isolates = threads == 1
        self._process_file = process_file
        self._limits = limits
        self._threads = threads
        self._most = min(processes or MAX_PROCESSES, MAX_PROCESSES)
        self._processes = 1
        self._workers = list(workers)
        self._queue: deque[FileTask] = deque()
        self._finished: list[FileResult] = []
        self._closed = False

    # -- what the core asks ------------------------------------------------------------------

    def submit(self, task: FileTask) -> None:
        self._queue.append(task)
        self._dispatch()

    def wait(self, timeout_s: float) -> Sequence[FileResult]:
        self._dispatch()
        # A start keeps this process busy for some ms: after each one it hears those that run.
        more = self._start_further()
        if not self._finished:
            self._listen(0.0 if more else timeout_s)
            self._dispatch()
        finished, self._finished = self._finished, []
        return finished

    def resize(self, workers: int) -> None:
        self._processes = max(1, min(self._most, math.ceil(workers / self._threads)))

    def close(self, *, kill: bool) -> None:
        self._closed = True
        self._queue.clear()
        for worker in self._workers:
            if not worker.ready or worker.sent:
                worker.kill()
            elif not worker.retiring:
                worker.send_end()
        if kill:
            end_workers(self._workers, self._limits.stop_s)
            self._workers = []

    @property
    def ready_workers(self) -> int:
        return sum(not worker.retiring for worker in self._workers)

    @property
    def pids(self) -> Collection[int]:
        return [worker.pid for worker in self._workers]

    @property
    def starting_workers(self) -> int:
        return sum(not worker.ready and not worker.retiring for worker in self._workers)

    @property
    def files_by_pid(self) -> Mapping[int, int]:
        return {worker.pid: len(worker.sent) for worker in self._workers if worker.sent}

    def start_worker(self) -> None:
        """One more process.

        :raises OSError, ImportError: it cannot be had.
        """
        self._workers.append(WorkerProcess(self._threads))

    # -- files to workers --------------------------------------------------------------------

    def _dispatch(self) -> None:
        while self._queue and (worker := self._free_worker()) is not None:
            task = self._queue.popleft()
            try:
                worker.send_file(task, self._limits.file_s)
            except OSError:  # its end is noticed when it is listened to
                worker.retiring = True

    def _free_worker(self) -> WorkerProcess | None:
        """The one that was busy last, whose memory is warm; with threads the least busy."""
        free = [worker for worker in self._workers if worker.has_room]
        return max(free, key=lambda it: (-len(it.sent), it.idle_since_s), default=None)

    def _start_further(self) -> bool:
        """A worker for a file that waits, unless one is coming; whether one was started."""
        active = [worker for worker in self._workers if not worker.retiring]
        coming = sum(self._threads for worker in active if not worker.ready)
        if self._closed or len(self._queue) <= coming or len(active) >= self._processes:
            return False
        try:
            self.start_worker()
        except OSError as error:
            if not self._workers:
                self._fail_next(f"a worker process cannot be started: {error}")
            return False
        return True

    def _fail_next(self, message: str) -> None:
        if self._queue:
            task = self._queue.popleft()
            self._finished.append(_lost(task, ErrorKind.CRASHED, message))

    # -- what comes from workers -------------------------------------------------------------

    def _listen(self, timeout_s: float) -> None:
        now_s = time.monotonic()
        deadlines_s = [worker.deadline_s(self._limits.start_s) for worker in self._workers]
        until_s = min([now_s + timeout_s, now_s + _CHECK_S, *deadlines_s])
        watched = {item: worker for worker in self._workers for item in worker.watched}
        if watched:
            woken = wait(list(watched), max(0.0, until_s - now_s))
            for worker in {watched[item]: None for item in woken}:
                self._hear(worker)
        else:
            time.sleep(max(0.0, until_s - now_s))
        self._look_after(time.monotonic())

    def _hear(self, worker: WorkerProcess) -> None:
        """Take what has come from a worker, and notice its end."""
        try:
            for what, content in worker.messages():
                self._take(worker, what, content)
            ended = not worker.is_alive
        except (EOFError, OSError):
            ended = True
        if ended:
            worker.join(_EXIT_CODE_S)
            how = describe_exit(worker.exit_code)
            self._lose(worker, ErrorKind.CRASHED, f"the worker process was lost: {how}")

    def _take(self, worker: WorkerProcess, what: str | int, content: Any) -> None:
        if what == "hello":
            worker.said_hello = True
        elif what == "ready":
            worker.ready = True
            worker.idle_since_s = time.monotonic()
        else:
            sent = worker.sent.pop(int(what))
            worker.idle_since_s = time.monotonic()
            result = _unpickled(content, sent.task)
            self._finished.append(result)
            worker.retiring = worker.retiring or result.retire_worker

    def _look_after(self, now_s: float) -> None:
        """Whatever a clock says of workers: a batch to be sent, a limit passed, nothing to do."""
        for worker in list(self._workers):
            if not worker.is_alive:
                self._hear(worker)
            elif now_s >= worker.deadline_s(self._limits.start_s):
                self._give_up(worker, now_s)
            elif worker.said_hello and not worker.batch_sent and not worker.retiring:
                self._send_batch(worker)
            elif (worker.retiring and not worker.sent) or self._is_idle(worker, now_s):
                self._retire(worker)

    def _is_idle(self, worker: WorkerProcess, now_s: float) -> bool:
        busy = bool(worker.sent or self._queue) or not worker.ready
        return not busy and now_s - worker.idle_since_s > self._limits.idle_s

    def _send_batch(self, worker: WorkerProcess) -> None:
        try:
            worker.send_batch(self._process_file)
        except OSError:  # its end is noticed when it is listened to
            worker.retiring = True

    def _retire(self, worker: WorkerProcess) -> None:
        worker.send_end()
        self._workers.remove(worker)
        end_workers([worker], self._limits.stop_s)

    def _give_up(self, worker: WorkerProcess, now_s: float) -> None:
        """A file, or a start, has taken too long.

        Of several files in one process any may have held up the others: each is lost with it, and
        shows by itself, in a process of its own, whether it takes too long.
        """
        worker.kill()
        limit_s = self._limits.file_s
        by_itself = len(worker.sent) == 1
        for number, sent in list(worker.sent.items()):
            if by_itself and now_s >= sent.deadline_s:
                del worker.sent[number]
                message = (
                    f"it took longer than {limit_s:g} s, the time limit per file; its worker "
                    "process was stopped"
                )
                self._finished.append(_lost(sent.task, ErrorKind.TIMEOUT, message, worker.pid))
        slow = f"took longer than {self._limits.start_s:g} s, the time limit for its start"
        said = "was stopped, since a file in it took too long" if worker.ready else slow
        self._lose(worker, ErrorKind.CRASHED, f"the worker process {said}")

    def _lose(self, worker: WorkerProcess, kind: ErrorKind, message: str) -> None:
        """A worker is gone, with the files that it had; one that never got ready costs one file."""
        self._workers.remove(worker)
        lost = [sent.task for sent in worker.sent.values()]
        self._finished.extend(_lost(task, kind, message, worker.pid) for task in lost)
        if not worker.ready and not lost and not worker.retiring:
            self._fail_next(message)
        end_workers([worker], self._limits.stop_s)


def end_workers(workers: Sequence[WorkerProcess], stop_s: float) -> None:
    """Wait for the end that was asked for; kill what has not ended after ``stop_s``."""
    deadline_s = time.monotonic() + stop_s
    for worker in workers:
        if not worker.join(max(0.0, deadline_s - time.monotonic())):
            worker.kill()
            worker.join(stop_s)
        worker.close()


def _lost(task: FileTask, kind: ErrorKind, message: str, pid: int = 0) -> FileResult:
    return FileResult(task.file, FileError(kind, message), attempt=task.attempt, worker=pid)


def _unpickled(content: bytes, task: FileTask) -> FileResult:
    try:
        result = pickle.loads(content)  # noqa: S301 - of our own worker, by its pipe
    except Exception as error:  # whatever unpickling raises
        message = f"its result cannot be read: {type(error).__name__}: {error}"
        return _lost(task, ErrorKind.ENGINE, message)
    if isinstance(result, FileResult):
        return replace(result, attempt=task.attempt)
    return result  # type: ignore[no-any-return]  # the core refuses it, and says whose it is

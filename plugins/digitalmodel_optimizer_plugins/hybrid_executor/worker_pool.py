"""The worker processes of a batch: started when needed, reused, replaced, never left behind.

A file goes to the worker that is free first. Where none is, one more is started meanwhile, but the
file does not wait for that start if another worker comes free before.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from digitalmodel_optimizer.plugin import (
    ErrorKind,
    FileError,
    FileResult,
    FileTask,
    WorkerLostError,
)
from digitalmodel_optimizer_plugins.hybrid_executor.worker_process import WorkerProcess

# A start that never ends is noticed by looking, not by being told.
_START_CHECK_S = 1.0


def stopped(task: FileTask) -> FileResult:
    """The result of a file that was not run because the batch is stopping."""
    error = FileError(ErrorKind.STOPPED, "the batch was stopped before this file was done")
    return FileResult(task.file, error=error, attempt=task.attempt)


class WorkerPool:
    """Hands each file to a free worker; its threads are the caller's, one a running file."""

    def __init__(
        self, new_worker: Callable[[], WorkerProcess], most: int, stop_s: float, idle_s: float
    ) -> None:
        self._new_worker = new_worker
        self._most = most
        self._stop_s = stop_s
        self._idle_s = idle_s
        self._lock = threading.Lock()
        self._left = threading.Condition(self._lock)
        self._changed = threading.Condition(self._lock)
        self._inside = 0
        self._waiting = 0
        self._workers: list[WorkerProcess] = []
        self._leaving: list[WorkerProcess] = []
        # On the list, for no more than are needed to be made, and not for anybody to take yet.
        self._not_begun: set[WorkerProcess] = set()
        self._closed = False

    def run_once(self, task: FileTask) -> FileResult:
        """Run a file in a worker process; the ``run_once`` that the core is given."""
        with self._lock:
            self._inside += 1
        try:
            return self._run(task)
        finally:
            with self._left:
                self._inside -= 1
                self._left.notify_all()

    def _run(self, task: FileTask) -> FileResult:
        worker = self._take()
        if worker is None:
            return stopped(task)
        try:
            result = worker.run(task)
        except WorkerLostError:
            self._put_back(worker, lost=True)
            if self._closed:  # we took its worker away
                return stopped(task)
            raise
        except BaseException:
            self._put_back(worker)
            raise
        self._put_back(worker, replace=wants_new_worker(result))
        return result

    def _take(self) -> WorkerProcess | None:
        """The worker that has room first; None once the pool is closed."""
        with self._lock:
            self._waiting += 1
        try:
            while True:
                with self._lock:
                    if self._closed:
                        return None
                    worker = self._with_room()
                    if worker is not None:
                        worker.running += 1
                        return worker
                    further = self._further()
                    if further is None:
                        self._changed.wait(_START_CHECK_S)
                        continue
                self._begin(further)
        finally:
            with self._lock:
                self._waiting -= 1

    def _begin(self, worker: WorkerProcess) -> None:
        """Start a worker that is on the list already; from now on it tells itself how far it is."""
        try:
            worker.begin(self._tell)
        finally:
            with self._lock:
                self._not_begun.discard(worker)
                self._changed.notify_all()

    def _is_starting(self, worker: WorkerProcess) -> bool:
        return worker.starting or worker in self._not_begun

    def _with_room(self) -> WorkerProcess | None:
        """An idle worker; the least busy one where no more may be started."""
        roomy = [w for w in self._workers if w.running < w.capacity and not self._is_starting(w)]
        idle = [w for w in roomy if not w.running]
        if idle:
            return max(idle, key=lambda w: w.idle_since)
        full = roomy and len(self._workers) >= self._most
        return min(roomy, key=lambda w: w.running) if full else None

    def _further(self) -> WorkerProcess | None:
        """A new worker for a file that waits, unless one is being started for it."""
        starting = sum(map(self._is_starting, self._workers))
        if len(self._workers) >= self._most or starting >= self._waiting:
            return None
        worker = self._new_worker()
        worker.idle_since = time.monotonic()
        self._not_begun.add(worker)
        self._workers.append(worker)
        return worker

    def _tell(self) -> None:
        with self._lock:
            self._changed.notify_all()

    def _put_back(
        self, worker: WorkerProcess, *, lost: bool = False, replace: bool = False
    ) -> None:
        now = time.monotonic()
        with self._lock:
            worker.running -= 1
            worker.idle_since = now
            self._changed.notify_all()
            if self._closed:
                return  # close() sees to its end
            if (lost or replace) and not worker.retiring:
                worker.retiring = True
                self._workers.remove(worker)
                self._leaving.append(worker)
            overdue = [
                w
                for w in self._workers
                if not (w.running or self._is_starting(w)) and now - w.idle_since > self._idle_s
            ]
            for other in overdue:
                self._workers.remove(other)
                self._leaving.append(other)
            ending = overdue + ([worker] if worker.retiring and not worker.running else [])
        if lost:
            worker.kill()
        self._end(ending, now + self._stop_s)
        with self._lock:
            self._leaving = [w for w in self._leaving if w not in ending]

    def hand_over(self) -> list[WorkerProcess]:
        """Give away the workers that may be used again; they are no longer the pool's to end."""
        with self._lock:
            idle = [worker for worker in self._workers if worker.reusable and not worker.running]
            self._workers = [worker for worker in self._workers if worker not in idle]
        return idle

    def close(self, *, kill: bool) -> None:
        """End every worker; ``kill`` does not let them finish what they are doing."""
        with self._lock:
            self._closed = True
            self._changed.notify_all()
            workers = [*self._workers, *self._leaving]
            self._workers, self._leaving = [], []
        if kill:
            for worker in workers:
                worker.kill()
        self._end(workers, time.monotonic() + self._stop_s)
        # A thread that still tidies up while the interpreter ends would leave semaphores behind.
        with self._left:
            self._left.wait_for(lambda: not self._inside, timeout=self._stop_s)

    @staticmethod
    def _end(workers: list[WorkerProcess], deadline: float) -> None:
        for worker in workers:
            worker.begin_stop()
        for worker in workers:
            worker.finish(deadline)


def wants_new_worker(result: FileResult) -> bool:
    """Whether the gc plugin found that the worker has grown too much to go on."""
    return bool(result.notes.get("gc", {}).get("replace_worker"))

"""The worker processes of a batch: started when needed, reused, replaced, never left behind."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from digitalmodel_optimizer.contract import (
    ErrorKind,
    FileError,
    FileResult,
    FileTask,
    WorkerLostError,
)
from digitalmodel_optimizer_plugins._worker_process import WorkerProcess


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
        self._inside = 0
        self._workers: list[WorkerProcess] = []
        self._leaving: list[WorkerProcess] = []
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
        """A worker with room: an idle one, else a new one, else the least busy."""
        with self._lock:
            if self._closed:
                return None
            roomy = [w for w in self._workers if w.running < w.capacity]
            idle = [w for w in roomy if not w.running]
            if idle:
                worker = max(idle, key=lambda w: w.idle_since)
            elif roomy and len(self._workers) >= self._most:
                worker = min(roomy, key=lambda w: w.running)
            else:
                worker = self._new_worker()
                self._workers.append(worker)
            worker.running += 1
            return worker

    def _put_back(
        self, worker: WorkerProcess, *, lost: bool = False, replace: bool = False
    ) -> None:
        now = time.monotonic()
        with self._lock:
            worker.running -= 1
            worker.idle_since = now
            if self._closed:
                return  # close() sees to its end
            if (lost or replace) and not worker.retiring:
                worker.retiring = True
                self._workers.remove(worker)
                self._leaving.append(worker)
            overdue = [
                w for w in self._workers if not w.running and now - w.idle_since > self._idle_s
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

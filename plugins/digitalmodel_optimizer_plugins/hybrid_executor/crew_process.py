"""A worker process that runs several files at a time, a thread each; all are lost together."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from digitalmodel_optimizer.plugin import FileResult, FileTask, ProcessFile, WorkerLostError
from digitalmodel_optimizer_plugins.hybrid_executor.worker_process import (
    WorkerLimits,
    WorkerProcess,
)
from digitalmodel_optimizer_plugins.hybrid_executor.worker_side import serve

_READER_END_S = 5.0


class CrewProcess(WorkerProcess):
    """Sends tasks over a pipe as they come, and hands each answer to the thread that waits for it.

    One long call (``serve``) keeps the process busy for loky, whose workers take one call at a
    time; so no file waits for the slowest of a chunk.
    """

    reusable = False

    def __init__(self, process_file: ProcessFile, limits: WorkerLimits, threads: int) -> None:
        self.capacity = threads
        self._lock = threading.Lock()
        self._number = 0
        self._warm: Future[Any] = Future()
        self._answers: dict[int, Future[Any]] = {0: self._warm}
        self._gone: str | None = None
        self._reader: threading.Thread | None = None
        super().__init__(process_file, limits)

    def begin(self, tell: Callable[[], None]) -> None:
        """A crew starts with its first file; its other threads wait for it there."""

    def run(self, task: FileTask) -> FileResult:
        """Process one file; raises :class:`WorkerLostError` when the process is gone."""
        with self._lock:
            if self._service is None:
                self._service = self._submit(serve, self.process_file, self.capacity)
                self._reader = threading.Thread(target=self._read, name="crew-reader", daemon=True)
                self._reader.start()
        self._settle(self._warm, self.limits.start_s, None)
        result: FileResult = self._settle(self._send(task), self.limits.file_s, task)
        return result

    def _send(self, task: FileTask) -> Future[Any]:
        answer: Future[Any] = Future()
        with self._lock:
            if self._gone is not None:
                raise WorkerLostError(self._gone)
            self._number += 1
            self._answers[self._number] = answer
            try:
                self._conversation.send((self._number, task))
            except OSError as error:
                raise WorkerLostError(self._how_it_ended()) from error
        return answer

    def _read(self) -> None:
        """Hand over answers until the process is gone; then tell everyone who still waits."""
        gone = None
        try:
            while True:
                number, (result, error) = self._conversation.recv()
                answer = self._answers.pop(number)
                if error is None:
                    answer.set_result(result)
                else:
                    answer.set_exception(error)
        except (EOFError, OSError):
            pass
        except Exception as unreadable:  # whatever unpickling raises
            gone = f"the worker process was lost: its answer cannot be read: {unreadable!r}"
            self.kill()
        if gone is None:
            gone = self._how_it_ended(self._service_error())
        with self._lock:
            self._gone = gone
            waiting, self._answers = self._answers, {}
        for answer in waiting.values():
            answer.set_exception(WorkerLostError(gone))

    def _end_service(self) -> None:
        with self._lock:
            super()._end_service()

    def finish(self, deadline: float) -> None:
        """Wait for the end that was asked for; kill what has not ended by ``deadline``."""
        super().finish(deadline)
        if self._reader is not None:
            self._reader.join(_READER_END_S)

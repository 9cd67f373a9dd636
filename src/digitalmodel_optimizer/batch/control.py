"""What stands around every file in the parent: admission, retries, progress, the wish to stop."""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from digitalmodel_optimizer.batch.admission import Admission
from digitalmodel_optimizer.batch.machine import measure_memory_mb
from digitalmodel_optimizer.plugin import (
    Adjustment,
    Allocation,
    Decision,
    ErrorKind,
    FileError,
    FileResult,
    FileTask,
    Progress,
    SimulationFile,
    WorkerLostError,
)
from digitalmodel_optimizer.plugin.manager import Manager

StateFor = Callable[[SimulationFile], Any]

# Plugins read files ahead on what they are told, so small files must not wait long for it.
TELL_S = 0.01


class BatchControl:
    """The :class:`~digitalmodel_optimizer.plugin.Control` of one batch; used by many threads."""

    def __init__(
        self,
        manager: Manager,
        settings: Any,
        admission: Admission,
        allocations: Mapping[int, Allocation],
        state_for: StateFor,
        tracker: Tracker,
    ) -> None:
        self._manager = manager
        self._settings = settings
        self._admission = admission
        self._allocations = allocations
        self._state_for = state_for
        self._tracker = tracker
        self.decisions: list[str] = []
        self.backend = "serial"

    @property
    def stopping(self) -> bool:
        return self._admission.stopping

    def stop(self) -> None:
        self._admission.stop()

    def adjust(self, adjustment: Adjustment) -> None:
        """Let from now on another number of files run at a time."""
        before = self._admission.limit
        self._admission.set_limit(adjustment.workers)
        self.decide(f"workers {before} -> {self._admission.limit}: {adjustment.reason}")

    def decide(self, text: str) -> None:
        self.decisions.append(text)

    def chose_backend(self, name: str) -> None:
        self.backend = name

    def run(self, task: FileTask, run_once: Callable[[FileTask], FileResult]) -> FileResult:
        """See :meth:`digitalmodel_optimizer.plugin.Control.run`."""
        allocation = self._allocations.get(task.file.index)
        factor = allocation.memory_factor if allocation else 1.0
        attempt, alone = task.attempt, False
        while True:
            size_mb = factor * task.file.size_mb
            if not self._admission.enter(size_mb, alone):
                return self._turned_away(task)
            try:
                result = self._once(replace(task, attempt=attempt), run_once)
            finally:
                self._admission.leave(size_mb)
            decision = self._decision(result, attempt)
            if decision is None:
                break
            if decision.reason:
                self.decide(f"{task.file.stem}: {decision.reason}")
            alone = decision.action == "alone"
            if decision.action == "wait":
                self._admission.set_limit(self._admission.limit - 1)
            self._admission.pause(decision.delay_s)
            attempt += 1
        if result.error is None or result.error.kind is not ErrorKind.STOPPED:
            self._tracker.finished(result)
        return result

    def _once(self, task: FileTask, run_once: Callable[[FileTask], FileResult]) -> FileResult:
        task = replace(task, state=self._state_for(task.file))
        self._tracker.started(task.file)
        try:
            return run_once(task)
        except WorkerLostError as lost:
            kind = ErrorKind.TIMEOUT if lost.timed_out else ErrorKind.CRASHED
            return FileResult(task.file, FileError(kind, str(lost)), attempt=task.attempt)

    def _decision(self, result: FileResult, attempt: int) -> Decision | None:
        if result.error is None or self.stopping:
            return None
        if result.error.kind is ErrorKind.OUTPUT:
            self.stop()
            return None
        decision: Decision | None = self._manager.hook.optimizer_file_failed(
            file=result.file, error=result.error, attempt=attempt, settings=self._settings
        )
        if not isinstance(decision, (Decision, type(None))):
            raise self._manager.wrong_answer("optimizer_file_failed", decision, "a Decision")
        return None if decision is None or decision.action == "give_up" else decision

    def _turned_away(self, task: FileTask) -> FileResult:
        error = FileError(ErrorKind.STOPPED, "the batch was stopped before this file's turn")
        return FileResult(task.file, error, attempt=task.attempt)


class Tracker:
    """Knows where the batch stands and tells the plugins, often enough and no more often.

    Telling costs more, the more files there are. So of events that follow one another within
    :data:`TELL_S` one is told; :meth:`catch_up` tells what came after it.
    """

    def __init__(self, hook: Any, settings: Any, order: list[SimulationFile]) -> None:
        self._hook = hook
        self._settings = settings
        self._lock = threading.RLock()
        self._start = time.perf_counter()
        self._total = len(order)
        self._total_mb = sum(file.size_mb for file in order)
        self._upcoming = {file.index: file for file in order}
        self._running: dict[int, SimulationFile] = {}
        self._done: dict[int, tuple[float, bool]] = {}
        self._done_mb = 0.0
        self._finished_s: list[float] = []
        self._failed = 0
        self._told_at = float("-inf")
        self._untold = False
        self._memory = (float("-inf"), 0.0)
        self.limit: Callable[[], int] = lambda: 1

    def reorder(self, order: list[SimulationFile]) -> None:
        with self._lock:
            self._upcoming = {f.index: f for f in order if f.index in self._upcoming}

    def started(self, file: SimulationFile) -> None:
        with self._lock:
            self._upcoming.pop(file.index, None)
            self._running[file.index] = file
            self._changed()

    def finished(self, result: FileResult) -> None:
        with self._lock:
            file = result.file
            self._upcoming.pop(file.index, None)
            self._running.pop(file.index, None)
            self._count(file, time.perf_counter() - self._start, result.error is not None)
            self._changed()

    def _count(self, file: SimulationFile, when_s: float, failed: bool) -> None:
        """Count a file as done; one that was processed again counts as it ended last."""
        before = self._done.get(file.index)
        if before is None:
            self._done_mb += file.size_mb
        else:
            del self._finished_s[bisect_left(self._finished_s, before[0])]
            self._failed -= before[1]
        self._done[file.index] = (when_s, failed)
        self._finished_s.append(when_s)
        self._failed += failed

    def _changed(self) -> None:
        self._untold = True
        complete = len(self._done) == self._total
        if complete or time.perf_counter() - self._told_at >= TELL_S:
            self.catch_up()

    def catch_up(self) -> None:
        """Tell the plugins where the batch stands, if they have not been told yet."""
        with self._lock:
            if self._untold:
                self._untold = False
                self._hook.optimizer_progress(progress=self.progress(), settings=self._settings)
                self._told_at = time.perf_counter()

    def progress(self) -> Progress:
        with self._lock:
            return Progress(
                files_total=self._total,
                files_done=len(self._done),
                files_failed=self._failed,
                size_total_mb=self._total_mb,
                size_done_mb=self._done_mb,
                elapsed_s=time.perf_counter() - self._start,
                running=tuple(self._running.values()),
                upcoming=tuple(self._upcoming.values()),
                workers_limit=self.limit(),
                memory_available_mb=self._available_mb(),
                finished_s=tuple(self._finished_s),
            )

    def _available_mb(self) -> float:
        """Free memory, asked of the system at most twice a second."""
        now = time.perf_counter()
        if now - self._memory[0] > 0.5:
            self._memory = (now, measure_memory_mb()[1])
        return self._memory[1]

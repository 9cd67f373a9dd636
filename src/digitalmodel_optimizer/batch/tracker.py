"""Where the batch stands, and telling the plugins often enough and no more often."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterable, Mapping

from digitalmodel_optimizer.plugin import FileResult, Progress, SimulationFile

# Plugins read files ahead on what they are told, so small files must not wait long for it.
TELL_S = 0.01
MAX_UPCOMING = 64
MAX_FINISHED = 256
_MEMORY_S = 0.5


class Tracker:
    """Counts what has started and finished; :meth:`progress` costs the same in any batch.

    :param clock: seconds since the batch began.
    :param available_mb: free memory now; asked at most twice a second.
    """

    def __init__(
        self,
        files: Iterable[SimulationFile],
        clock: Callable[[], float],
        available_mb: Callable[[], float],
    ) -> None:
        self._clock = clock
        self._measure_mb = available_mb
        self._upcoming = {file.index: file for file in files}
        self._total = len(self._upcoming)
        self._total_mb = sum(file.size_mb for file in self._upcoming.values())
        self._running: dict[int, SimulationFile] = {}
        self._running_since_s: dict[int, float] = {}
        self._stages: Mapping[int, str] = {}
        self._failed: dict[int, bool] = {}
        self._failures = 0
        self._done_mb = 0.0
        self._resumed, self._resumed_mb = 0, 0.0
        self._worker_s = 0.0
        self._finished_s: deque[float] = deque(maxlen=MAX_FINISHED)
        self._available_mb = 0.0
        self._measured_at_s = float("-inf")
        self._told_at_s = float("-inf")
        self.untold = False
        self.limit: Callable[[], int] = lambda: 1
        self.stages: Callable[[], Mapping[int, str]] = dict
        self.memory_mb = 0.0
        self.memory_budget_mb: float | None = None
        self.decision = ""

    def reorder(self, order: Iterable[SimulationFile]) -> None:
        """Files start in this order from now on."""
        self._upcoming = {file.index: file for file in order if file.index in self._upcoming}

    def resumed(self, result: FileResult) -> None:
        """A file was finished by an earlier run: done, and no work of this one."""
        self._count(result)
        self._resumed += 1
        self._resumed_mb += result.file.size_mb

    def started(self, file: SimulationFile) -> None:
        self._upcoming.pop(file.index, None)
        self._running[file.index] = file
        self._running_since_s[file.index] = self._clock()
        self.untold = True

    def finished(self, result: FileResult) -> None:
        """A file is done for good; one that was processed again counts as it ended last."""
        self._running.pop(result.file.index, None)
        self._count(result)
        self._worker_s += result.timings.total_s
        self._finished_s.append(self._clock())

    def interrupted(self, file: SimulationFile) -> None:
        """A file will have to start once more."""
        self._running.pop(file.index, None)
        self._upcoming[file.index] = file
        self.untold = True

    def _count(self, result: FileResult) -> None:
        file = result.file
        self._upcoming.pop(file.index, None)
        before = self._failed.get(file.index)
        if before is None:
            self._done_mb += file.size_mb
        failed = result.error is not None
        self._failures += failed - bool(before)
        self._failed[file.index] = failed
        self.untold = True

    def due(self) -> bool:
        """Whether plugins have something to be told now."""
        complete = len(self._failed) == self._total
        return self.untold and (complete or self._clock() - self._told_at_s >= TELL_S)

    def told(self) -> None:
        self.untold = False
        self._told_at_s = self._clock()

    def available_mb(self) -> float:
        """Free memory, as it was at most half a second ago."""
        now_s = self._clock()
        if now_s - self._measured_at_s > _MEMORY_S:
            self._measured_at_s, self._available_mb = now_s, self._measure_mb()
            self._stages = self.stages()
        return self._available_mb

    def progress(self, busy_cores: float | None = None, observed_files: int = 0) -> Progress:
        now_s, available_mb = self._clock(), self.available_mb()
        return Progress(
            files_total=self._total,
            files_done=len(self._failed),
            files_failed=self._failures,
            size_total_mb=self._total_mb,
            size_done_mb=self._done_mb,
            elapsed_s=now_s,
            running=tuple(self._running.values()),
            upcoming=tuple(itertools.islice(self._upcoming.values(), MAX_UPCOMING)),
            workers_limit=self.limit(),
            memory_available_mb=available_mb,
            files_waiting=len(self._upcoming),
            files_resumed=self._resumed,
            size_resumed_mb=self._resumed_mb,
            finished_s=tuple(self._finished_s),
            worker_s=self._worker_s,
            busy_cores=busy_cores,
            observed_files=observed_files,
            running_s={i: now_s - self._running_since_s[i] for i in self._running},
            stages={i: stage for i, stage in self._stages.items() if i in self._running},
            memory_mb=self.memory_mb,
            memory_budget_mb=self.memory_budget_mb,
            decision=self.decision,
        )

"""Which file starts when: budgets, retries, pauses, isolation. No thread, no clock, no system call.

A :class:`Scheduler` is a state. Whoever drives it says what time it is and what has happened, asks
which files may start, and when to ask again.
"""

from __future__ import annotations

import math
import sys
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from digitalmodel_optimizer.plugin import FileTask, Schedule

# After a pause, so many files that succeed in a row are worth trying one more beside them.
SUCCESSES_TO_RECOVER = 8
# A plugin that asks for one more try for ever must not keep a batch from ending.
MAX_RETRIES = 5


@dataclass(frozen=True)
class _Waiting:
    task: FileTask
    not_before_s: float = 0.0
    alone: bool = False


class Scheduler:
    """Starts files in their order, as far as the budgets allow.

    - At most ``limit`` files run at a time; their memory stays within the schedule's budget.
    - A file that does not fit is not passed by those behind it, or it would wait for ever. One
      file is always started when nothing else runs, however large it is.
    - A file that must run alone waits until nothing runs, and nothing starts beside it.
    - While the batch pauses, or is held, nothing starts.

    :param isolated_alone: files that must be isolated run alone, since the executor cannot isolate
        one from another.
    :param capacity: files that the executor runs at a time; None: as many as the schedule allows.
    """

    def __init__(self, *, isolated_alone: bool = False, capacity: int | None = None) -> None:
        self._isolated_alone = isolated_alone
        self._capacity = sys.maxsize if capacity is None else capacity
        self._waiting: deque[_Waiting] = deque()
        self._delayed: list[_Waiting] = []
        self._running: dict[int, tuple[_Waiting, float]] = {}
        self._retries: dict[int, int] = {}
        self._factors: Mapping[int, float] = {}
        self._budget_mb: float | None = None
        self._in_flight_mb = 0.0
        self._resume_at_s = 0.0
        self._limit = 1
        self._max_limit = sys.maxsize
        self._limit_before_pause: int | None = None
        self._refused: set[int] = set()
        self._successes = 0
        self.stopping = False
        self.held = False

    # -- what is asked -----------------------------------------------------------------------

    @property
    def limit(self) -> int:
        """How many files may run at a time."""
        return self._limit

    @property
    def running(self) -> int:
        return len(self._running)

    @property
    def waiting(self) -> int:
        return len(self._waiting) + len(self._delayed)

    @property
    def done(self) -> bool:
        """Whether there is nothing left to start or to wait for."""
        return not self._running and (self.stopping or not self.waiting)

    def start(self, now_s: float) -> list[FileTask]:
        """The files that start now; they count as running from here on."""
        self._take_due(now_s)
        started: list[FileTask] = []
        while self._waiting and self._may_start(self._waiting[0], now_s):
            waiting = self._waiting.popleft()
            size_mb = self._memory_mb(waiting.task)
            self._running[waiting.task.file.index] = (waiting, size_mb)
            self._in_flight_mb += size_mb
            started.append(waiting.task)
        return started

    def wake_s(self, now_s: float) -> float:
        """When :meth:`start` may have more to start though nothing has finished; inf for never."""
        if self.stopping or not self.waiting:
            return math.inf
        times_s = [self._resume_at_s, *(waiting.not_before_s for waiting in self._delayed)]
        return min((time_s for time_s in times_s if time_s > now_s), default=math.inf)

    # -- what is told ------------------------------------------------------------------------

    def plan(self, schedule: Schedule) -> None:
        """Take a schedule's limit, budget, and each file's memory and native threads.

        A later schedule, made when more is known, leaves files that wait in their place.
        """
        self._max_limit = max(1, min(schedule.max_workers, self._capacity))
        self.set_limit(schedule.workers)
        self._budget_mb = schedule.memory_budget_mb
        self._factors = {
            file.index: item.allocation.memory_factor
            for item in schedule.assignments
            for file in item.group.files
        }
        threads = {task.file.index: task.native_threads for task in schedule.order}
        for place, waiting in enumerate(self._waiting):
            native_threads = threads.get(waiting.task.file.index)
            if native_threads is not None and native_threads != waiting.task.native_threads:
                task = replace(waiting.task, native_threads=native_threads)
                self._waiting[place] = replace(waiting, task=task)

    def add(self, tasks: Iterable[FileTask]) -> None:
        """More files to run, behind those that wait."""
        self._waiting.extend(_Waiting(task) for task in tasks)

    def set_limit(self, limit: int) -> None:
        """A new limit, as far as the schedule's budgets allow."""
        self._limit = max(1, min(limit, self._max_limit))

    def finished(self, index: int, *, succeeded: bool) -> None:
        """A file has ended; one that failed may come back by :meth:`retry` or :meth:`pause`."""
        _, size_mb = self._running.pop(index)
        self._in_flight_mb = self._in_flight_mb - size_mb if self._running else 0.0
        if succeeded and self._limit_before_pause is not None:
            self._recover(self._limit_before_pause)

    def retry(
        self, task: FileTask, now_s: float, *, delay_s: float = 0.0, alone: bool = False
    ) -> bool:
        """Run a file again, before all that wait; False where it has been tried too often."""
        tries = self._retries.get(task.file.index, 0) + 1
        if tries > MAX_RETRIES:
            return False
        self._retries[task.file.index] = tries
        self._delayed.append(_Waiting(task, now_s + delay_s, alone))
        return True

    def pause(self, task: FileTask, now_s: float, delay_s: float) -> None:
        """What files need cannot be had: this file again, later, and no more than run now.

        Where nothing runs and others were refused as well, nothing starts before ``delay_s``
        seconds have passed, and then one file.
        """
        if self._limit_before_pause is None:
            self._limit_before_pause = self._limit
        self._limit = max(1, min(self._limit, len(self._running)))
        self._successes = 0
        self._refused.add(task.file.index)
        if not self._running and (len(self._refused) > 1 or not self._waiting):
            self._resume_at_s = max(self._resume_at_s, now_s + delay_s)
        self._delayed.append(_Waiting(task, now_s + delay_s))

    def _recover(self, before: int) -> None:
        """A file has had what others were refused: all at once if nobody had, else step by step."""
        self._refused.clear()
        self._successes += 1
        if self._resume_at_s:
            self._limit, self._resume_at_s = max(self._limit, before), 0.0
        elif self._successes >= SUCCESSES_TO_RECOVER:
            self._limit, self._successes = self._limit + 1, 0
        if self._limit >= before:
            self._limit_before_pause = None

    def stop(self) -> None:
        """Start nothing more."""
        self.stopping = True

    # -- how it is decided -------------------------------------------------------------------

    def _take_due(self, now_s: float) -> None:
        """Files whose delay is over go first, those that have been tried most before others."""
        due = [waiting for waiting in self._delayed if waiting.not_before_s <= now_s]
        if due:
            self._delayed = [waiting for waiting in self._delayed if waiting.not_before_s > now_s]
            due.sort(key=lambda waiting: -waiting.task.attempt)
            self._waiting.extendleft(reversed(due))

    def _may_start(self, waiting: _Waiting, now_s: float) -> bool:
        if self.stopping or self.held or now_s < self._resume_at_s:
            return False
        if not self._running:
            return True
        if self._is_alone(waiting) or any(self._is_alone(it) for it, _ in self._running.values()):
            return False
        if len(self._running) >= self._limit:
            return False
        needed_mb = self._in_flight_mb + self._memory_mb(waiting.task)
        return self._budget_mb is None or needed_mb <= self._budget_mb

    def _is_alone(self, waiting: _Waiting) -> bool:
        return waiting.alone or (self._isolated_alone and waiting.task.isolated)

    def _memory_mb(self, task: FileTask) -> float:
        return self._factors.get(task.file.index, 1.0) * task.file.size_mb

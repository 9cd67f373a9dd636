"""More workers than the size class begins with, while those that run keep their cores busy.

The table of size classes knows nothing of the machine's disk. Workers that wait for it would wait
longer beside others; workers that compute show that cores, of which there are more, are what the
batch lacks. So the number is raised by steps, until a budget or an idle worker says stop; each step
waits until the workers of the last one have started.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

from digitalmodel_optimizer.plugin import Adjustment, Progress
from digitalmodel_optimizer.plugin.estimates import remaining_s
from digitalmodel_optimizer_plugins.thread_allocation.budgets import WORTHWHILE, begin_s_of

FACTOR = 4
# Workers that use less of a core than this wait for something else.
BUSY_SHARE = 0.6
# The present rate is that of so many last seconds.
RECENT_S = 1.0
# Available memory below so many times the reserve is a reason not to start more.
CALM_MEMORY = 1.25


@dataclass
class Raiser:
    """One batch's; ``max_workers`` is the number that all budgets allow."""

    max_workers: int = 0
    start_s: float = 0.5
    assumed_mb_per_s: float = 50.0
    _limit: int = 0
    _raised_at_s: float = -math.inf
    _known: int = 0
    _coming: list[tuple[int, float]] = field(default_factory=list)

    def begin_plan(self, ready_workers: int) -> None:
        """A new plan counts, whatever an earlier one said; its allocations come."""
        self.max_workers, self._limit = 0, 0
        self._known = max(self._known, ready_workers)

    def advise(
        self, progress: Progress, available_mb: float, reserve_mb: float, cpus: int
    ) -> Adjustment | None:
        """The limit to go to, or None; the caller is expected to follow."""
        limit, running = progress.workers_limit, len(progress.running)
        if limit < self._limit:  # somebody had a reason to lower it
            self.max_workers = limit
        self._limit = limit
        busy, starting = progress.busy_cores, self._starting(limit, progress.elapsed_s)
        if (
            limit >= self.max_workers
            or progress.elapsed_s < self._raised_at_s + self.start_s
            or not progress.files_waiting
            or running < limit
            or busy is None
            or busy - starting < BUSY_SHARE * (running - starting)
            or running <= starting
            or available_mb < CALM_MEMORY * reserve_mb
        ):
            return None
        raised = min(FACTOR * limit, self._soonest(progress, cpus))
        if raised <= limit:
            return None
        self._limit, self._raised_at_s = raised, progress.elapsed_s
        reason = f"{limit} keep {busy:.0f} cores busy, and the budgets allow {self.max_workers}"
        return Adjustment(raised, reason)

    def _starting(self, limit: int, now_s: float) -> int:
        """Workers that are busy with their own start, which says nothing of the files."""
        if limit > self._known:
            self._coming.append((limit - self._known, now_s + self.start_s))
            self._known = limit
        self._coming = [(workers, at_s) for workers, at_s in self._coming if at_s > now_s]
        return sum(workers for workers, _ in self._coming)

    def _soonest(self, progress: Progress, cpus: int) -> int:
        """The number of workers that ends soonest; the present one where others gain little.

        Running files are taken to be half done; new workers begin when they have started.
        """
        limit, waiting = progress.workers_limit, progress.files_waiting
        file_s = self._file_s(progress)
        times_s = {}
        for workers in range(limit, min(self.max_workers, limit + waiting) + 1):
            begin_s = begin_s_of(self.start_s, workers, limit, cpus)
            begins = ((limit, file_s / 2), (workers - limit, begin_s))
            times_s[workers] = last_end_s(waiting, file_s, begins)
        soonest = min(times_s, key=lambda workers: (times_s[workers], workers))
        return soonest if times_s[soonest] * (1 + WORTHWHILE) <= times_s[limit] else limit

    def _file_s(self, progress: Progress) -> float:
        """Seconds that a file takes a worker as it goes now.

        Before the first file is done: what is assumed, or that those which run are half done.
        """
        window_s = min(RECENT_S, progress.elapsed_s)
        since_s = progress.elapsed_s - window_s
        recent = sum(when_s > since_s for when_s in progress.finished_s)
        limit = progress.workers_limit
        if recent:
            return limit * window_s / recent
        if progress.finished_s and (left_s := remaining_s(progress)) is not None:
            return left_s * limit / max(1, progress.files_waiting)
        size_mb = sum(file.size_mb for file in progress.running) / max(1, len(progress.running))
        return max(2 * progress.elapsed_s, size_mb / self.assumed_mb_per_s)


def last_end_s(files: int, file_s: float, begins: Iterable[tuple[int, float]]) -> float:
    """When ``files`` of ``file_s`` each are done by workers of whom so many begin at each time."""
    by_time = sorted((begin_s, workers) for workers, begin_s in begins if workers)
    ends_s = 0.0
    rounds, more = divmod(files, sum(workers for _, workers in by_time))
    for begin_s, workers in by_time:
        mine = rounds + (more > 0)
        more = max(0, more - workers)
        ends_s = max(ends_s, begin_s + mine * file_s if mine else 0.0)
    return ends_s

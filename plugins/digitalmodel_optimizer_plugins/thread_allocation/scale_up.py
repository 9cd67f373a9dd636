"""More workers than the size class begins with, while those that run keep their cores busy.

The table of size classes knows nothing of the machine's disk. Workers that wait for it would wait
longer beside others; workers that compute show that cores, of which there are more, are what the
batch lacks. So the number is raised by steps, until a budget or an idle worker says stop; each step
waits until the workers of the last one have started.
"""

from __future__ import annotations

from dataclasses import dataclass

from digitalmodel_optimizer.plugin import Adjustment, Progress
from digitalmodel_optimizer_plugins.worker_start import OPTION as WORKER_START

FACTOR = 4
# Workers that use less of a core than this wait for something else.
BUSY_SHARE = 0.6
# The present rate is that of so many last seconds.
RECENT_S = 1.0
# Available memory below so many times the reserve is a reason not to start more.
CALM_MEMORY = 1.25


@dataclass
class Raiser:
    """One batch's; ``most`` is the number that all budgets allow."""

    most: int = 0
    start_s: float = WORKER_START.default
    _limit: int = 0
    _raised_at_s: float = 0.0

    def advise(
        self, progress: Progress, available_mb: float, reserve_mb: float
    ) -> Adjustment | None:
        """The limit to go to, or None; the caller is expected to follow."""
        limit, running = progress.workers_limit, len(progress.running)
        if limit < self._limit:  # somebody had a reason to lower it
            self.most = limit
        self._limit = limit
        busy = progress.busy_cores
        if (
            limit >= self.most
            or progress.elapsed_s < self._raised_at_s + self.start_s
            or not progress.upcoming
            or running < limit
            or busy is None
            or busy < BUSY_SHARE * running
            or available_mb < CALM_MEMORY * reserve_mb
        ):
            return None
        raised = min(self.most, FACTOR * limit, self._paying(progress))
        if raised <= limit:
            return None
        self._limit, self._raised_at_s = raised, progress.elapsed_s
        reason = f"{limit} keep {busy:.0f} cores busy, and the budgets allow {self.most}"
        return Adjustment(raised, reason)

    def _paying(self, progress: Progress) -> int:
        """So many workers have as much to do as their start takes, which an idle core pays for.

        Of slow files each one pays for a worker of its own; of quick ones a worker needs several.
        """
        left_s = _left_s(progress)
        if progress.finished_s and left_s < self.start_s:
            return 0  # they would come when all is done
        work_s = left_s * progress.workers_limit
        enough_s = max(self.start_s, 1e-3)
        if work_s >= enough_s * len(progress.upcoming):
            return progress.workers_limit + len(progress.upcoming)
        return int(work_s / enough_s)


def _left_s(progress: Progress) -> float:
    """Seconds that are left as it goes now; before the first file is done, at least so many."""
    window_s = min(RECENT_S, progress.elapsed_s)
    since_s = progress.elapsed_s - window_s
    recent = sum(when_s > since_s for when_s in progress.finished_s)
    if recent:
        return window_s * len(progress.upcoming) / recent
    if (left_s := progress.remaining_s) is not None:
        return left_s
    return progress.elapsed_s * len(progress.upcoming) / max(1, progress.workers_limit)

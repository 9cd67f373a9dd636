"""More workers than the size class begins with, while those that run keep their cores busy.

The table of size classes knows nothing of the machine's disk. Workers that wait for it would wait
longer beside others; workers that compute show that cores, of which there are more, are what the
batch lacks. What they show bounds how many more may be of use; of these numbers the one that ends
soonest is taken.
"""

from __future__ import annotations

from dataclasses import dataclass

from digitalmodel_optimizer.plugin import Adjustment, Measured, Progress
from digitalmodel_optimizer.plugin.estimates import predict_s
from digitalmodel_optimizer_plugins.thread_allocation.budgets import DOUBT, WORTHWHILE
from digitalmodel_optimizer_plugins.thread_allocation.makespan import (
    begins_s_of,
    makespan_of_equal_s,
)

# Clocks of CPU time are no finer: workers that seem to compute all the time may wait this share.
LEAST_WAIT = 0.05
# Workers do not take turns: a disk that just as many could keep busy idles while they compute.
SLACK = 2
# Available memory below so many times the reserve is a reason not to start more.
CALM_MEMORY = 1.25


@dataclass
class Raiser:
    """One batch's; ``max_workers`` is the number that all budgets allow."""

    max_workers: int = 0
    start_s: float = 0.5
    assumed_mb_per_s: float = 50.0
    _limit: int = 0

    def begin_plan(self) -> None:
        """A new plan counts, whatever an earlier one said; its allocations come."""
        self.max_workers, self._limit = 0, 0

    def advise(
        self, progress: Progress, available_mb: float, reserve_mb: float, cpus: int
    ) -> Adjustment | None:
        """The limit to go to, or None; the caller is expected to follow."""
        limit, busy = progress.workers_limit, progress.busy_cores
        if limit < self._limit:  # somebody had a reason to lower it
            self.max_workers = limit
        self._limit = limit
        if (
            limit >= self.max_workers
            or not progress.upcoming
            or len(progress.running) < limit
            or busy is None
            or available_mb < CALM_MEMORY * reserve_mb
        ):
            return None
        observed = progress.observed_files
        raised = self._soonest(
            progress, min(self.max_workers, useful_workers(observed, busy)), cpus
        )
        if raised <= limit:
            return None
        self._limit = raised
        reason = (
            f"{observed} at work keep {busy:.1f} cores busy, and the budgets allow "
            f"{self.max_workers}"
        )
        return Adjustment(raised, reason)

    def _soonest(self, progress: Progress, allowed: int, cpus: int) -> int:
        """The number of workers that ends soonest; the present one where others gain little.

        Running files are taken to be half done; new workers begin when they have started.
        """
        limit, waiting = progress.workers_limit, progress.files_waiting
        observed = min(limit, progress.observed_files)
        file_s = self._file_s(progress)
        times_s = {}
        for workers in range(limit, min(allowed, limit + waiting) + 1):
            begins_s = begins_s_of(workers, limit, limit - observed, self.start_s, cpus)
            ends_s = [begin_s + file_s / (1 if begin_s else 2) for begin_s in begins_s[:limit]]
            times_s[workers] = makespan_of_equal_s(waiting, file_s, ends_s + begins_s[limit:])
        if not times_s:
            return limit
        soonest = min(times_s, key=lambda workers: (times_s[workers], workers))
        return soonest if times_s[soonest] * (1 + WORTHWHILE) <= times_s[limit] else limit

    def _file_s(self, progress: Progress) -> float:
        """Seconds that a worker needs for one of the next files.

        Before the first file is done: what is assumed, or that those which run are half done; and
        in doubt more than that.
        """
        done = progress.files_done - progress.files_resumed
        if done and progress.worker_s:
            size_mb = progress.size_done_mb - progress.size_resumed_mb
            measured = Measured(done, progress.worker_s, size_mb)
            return predict_s(measured, progress.upcoming) / len(progress.upcoming)
        size_mb = sum(file.size_mb for file in progress.running) / max(1, len(progress.running))
        return DOUBT * max(2 * progress.elapsed_s, size_mb / self.assumed_mb_per_s)


def useful_workers(files: int, busy_cores: float) -> int:
    """The most workers that may be of use to a batch, of which ``files`` at work keep so many cores
    busy.

    What they do not compute they wait for something that all share, a disk for example. Each such
    wait is at most that of all ``files`` at once; what one of them takes is then its wait divided
    by their number, and ``enough`` workers that take turns keep the disk busy all the time. Where
    those at work are enough already, no more are of use.
    """
    share = min(1.0, busy_cores / files)
    enough = 1 + files * share / max(LEAST_WAIT, 1 - share)
    return int(SLACK * enough) if enough > files else files

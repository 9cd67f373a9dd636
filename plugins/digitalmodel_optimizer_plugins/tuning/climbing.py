"""More or fewer workers while a batch runs: one trial after the other, each judged by what it did.

Beside thread-allocation's own adjustments, which come first: whenever somebody else has changed the
limit, what was measured is forgotten. Only in a batch that is long enough to pay for a trial.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from digitalmodel_optimizer.plugin import Adjustment, Progress
from digitalmodel_optimizer.plugin.estimates import share_done
from digitalmodel_optimizer_plugins.tuning.steps import step_down, step_up

# A rate is measured over so many files of each worker, so many at least, and so long.
FILES_PER_WORKER = 4
LEAST_FILES = 24
LEAST_WINDOW_S = 4.0
# A trial must leave so many windows behind it: with a step of 25 % that is worse in proportion it
# costs 4 % of what remains.
WINDOWS_LEFT = 6
# What a trial must gain to be kept; less is the scatter of a window.
GAIN = 0.05


@dataclass(frozen=True)
class _Mark:
    files: int
    at_s: float
    work: float


@dataclass
class Climber:
    """One batch's. ``bound``: what all budgets allow.

    The first trial goes up where the cores are busy, else down. A trial that gained is followed by
    one further; one that did not is taken back, and the other direction is tried once.
    """

    bound: int = 1
    step: float = 0.25
    _limit: int | None = None
    _settled_at: int = 0
    _mark: _Mark | None = None
    _before: tuple[int, float] | None = None
    _failed: set[int] = field(default_factory=set)
    _direction: int = 0

    def advise(self, progress: Progress, cpus: int) -> Adjustment | None:
        """The limit to go to, or None; the caller is expected to follow."""
        limit = progress.workers_limit
        if limit != self._limit:
            self._settle(limit, progress.files_done + limit)
            self._before, self._direction = None, 0
            self._failed.clear()
        if not progress.upcoming or not progress.finished_s:
            return None
        now = _Mark(progress.files_done, progress.finished_s[-1], share_done(progress))
        if self._mark is None:
            self._mark = now if now.files >= self._settled_at else None
            return None
        files, elapsed_s = now.files - self._mark.files, now.at_s - self._mark.at_s
        needed = max(LEAST_FILES, FILES_PER_WORKER * limit)
        if files < needed or elapsed_s < LEAST_WINDOW_S:
            return None
        rate = (now.work - self._mark.work) / elapsed_s
        self._mark = now
        remaining = progress.files_waiting
        return self._judge(limit, rate, remaining, files, progress, cpus)

    def _judge(
        self, limit: int, rate: float, waiting: int, files: int, progress: Progress, cpus: int
    ) -> Adjustment | None:
        if self._before is not None:
            workers, known = self._before
            self._before = None
            if rate < known * (1 + GAIN):
                self._failed.add(self._direction)
                self._direction = -self._direction
                words = f"{limit} did {rate / known - 1:+.0%} against {workers}, taken back"
                return self._go(workers, progress, f"tuning: {words}")
            self._failed.add(-self._direction)
        # Up where workers compute, down where they wait for what they share.
        busy = progress.busy_cores
        if not self._direction:
            self._direction = 1 if busy is not None and busy > 0.5 * min(limit, cpus) else -1
        if self._direction in self._failed or waiting < WINDOWS_LEFT * files:
            return None
        other = step_up(limit, self.step) if self._direction > 0 else step_down(limit, self.step)
        if other > self.bound or other == limit:
            self._failed.add(self._direction)
            self._direction = -self._direction
            return None
        self._before = (limit, rate)
        return self._go(other, progress, f"tuning: tried out, {limit} are measured")

    def _go(self, workers: int, progress: Progress, reason: str) -> Adjustment:
        self._settle(workers, progress.files_done + len(progress.running))
        return Adjustment(workers, reason)

    def _settle(self, limit: int, at_files: int) -> None:
        """Measure anew once the files that started under the old limit are through."""
        self._limit, self._settled_at, self._mark = limit, at_files, None

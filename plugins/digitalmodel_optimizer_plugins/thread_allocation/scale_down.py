"""Fewer workers while a batch runs: at once when memory runs short, by trial when more do less.

A :class:`Tuner` lives as long as a batch and is asked about twice a second. It never exceeds the
limit that it found, and takes a change that someone else made (a refused licence) as the new top.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from digitalmodel_optimizer.plugin import Adjustment, Progress
from digitalmodel_optimizer.plugin.estimates import share_done

# Memory counts as back above this many times the reserve, plus what the next file needs.
RECOVERY_FACTOR = 1.25
RECOVERY_CALLS = 10
# A throughput is measured over this many files of each worker, and at least so many and so long:
# files of uneven size, and those half done at either end, leave it uncertain by some 8 %.
FILES_PER_WORKER = 4
LEAST_FILES = 24
LEAST_WINDOW_S = 2.0
# A trial with one worker fewer or more must gain this share, or it is taken back.
GAIN = 0.05
# Windows before workers that a trial took away are tried again; doubled when that was in vain.
FIRST_PATIENCE = 2


@dataclass(frozen=True)
class _Mark:
    """A moment in the batch: files finished, when the last of them did, and the work done."""

    files: int
    at_s: float
    work_mb: float


@dataclass(frozen=True)
class _Trial:
    """Another number of workers is being tried: where it came from and what that rate was."""

    workers: int
    rate: float


@dataclass
class Tuner:
    """Hill-climbing with hysteresis, one window of finished files after another.

    ``_top`` is the most that others allow, ``_aim`` what the throughput asks for; the limit is
    below ``_aim`` while memory is short.
    """

    throughput_drop: float = 0.25
    memory_factor: float = 2.5
    _limit: int | None = None
    _top: int = 1
    _aim: int = 1
    _pressed: bool = False
    _calm_calls: int = 0
    _settled_at: int = 0
    _mark: _Mark | None = None
    _trial: _Trial | None = None
    _low_rate: float | None = None
    _patience: int = FIRST_PATIENCE
    _steady_windows: int = 0
    _rates: dict[int, float] = field(default_factory=dict)

    def advise(
        self, progress: Progress, available_mb: float, reserve_mb: float
    ) -> Adjustment | None:
        """The limit to go to, or None to leave it; the caller is expected to follow."""
        limit, finished = max(1, progress.workers_limit), progress.files_done
        if limit != self._limit:
            self._top = self._aim = limit
            self._trial = None
            self._change(limit, finished + limit)
        advice = self._heed_memory(progress, available_mb, reserve_mb)
        if advice is None:
            advice = self._heed_throughput(progress)
        if advice is not None:
            self._change(advice.workers, finished + len(progress.running))
        return advice

    def _change(self, limit: int, settled_at: int) -> None:
        """Measure anew once the files that started under the old limit are through."""
        self._limit, self._settled_at, self._mark = limit, settled_at, None
        self._calm_calls, self._steady_windows, self._low_rate = 0, 0, None

    def _heed_memory(
        self, progress: Progress, available_mb: float, reserve_mb: float
    ) -> Adjustment | None:
        if available_mb >= reserve_mb:
            return self._recover(progress, available_mb, reserve_mb)
        self._calm_calls = 0
        limit, running = progress.workers_limit, len(progress.running)
        # Until the last cut has taken effect a further one could not help.
        if limit < 2 or running > limit:
            return None
        self._pressed, self._trial = True, None
        half = max(1, min(limit, max(1, running)) // 2)
        reason = f"{available_mb:.0f} MB available, below the reserve of {reserve_mb:.0f} MB"
        return Adjustment(half, reason)

    def _recover(
        self, progress: Progress, available_mb: float, reserve_mb: float
    ) -> Adjustment | None:
        """One worker more once memory has been back for some calls in a row."""
        limit = progress.workers_limit
        if limit >= self._aim:
            self._pressed = False
        if not self._pressed or not progress.upcoming:
            return None
        next_mb = self.memory_factor * progress.upcoming[0].size_mb
        calm = available_mb >= RECOVERY_FACTOR * reserve_mb + next_mb
        self._calm_calls = self._calm_calls + 1 if calm else 0
        if self._calm_calls < RECOVERY_CALLS:
            return None
        return Adjustment(limit + 1, f"{available_mb:.0f} MB available again")

    def _heed_throughput(self, progress: Progress) -> Adjustment | None:
        # At the end of a batch workers idle for want of files, which says nothing.
        if self._pressed or not progress.upcoming or not progress.finished_s:
            return None
        now = _Mark(progress.files_done, progress.finished_s[-1], _work_mb(progress))
        if self._mark is None:
            self._mark = now if now.files >= self._settled_at else None
            return None
        limit = progress.workers_limit
        files, elapsed_s = now.files - self._mark.files, now.at_s - self._mark.at_s
        if files < max(LEAST_FILES, FILES_PER_WORKER * limit) or elapsed_s < LEAST_WINDOW_S:
            return None
        rate = (now.work_mb - self._mark.work_mb) / elapsed_s
        self._mark = now
        if self._trial is not None:
            return self._judge(self._trial, limit, rate)
        return self._watch(limit, rate)

    def _judge(self, trial: _Trial, limit: int, rate: float) -> Adjustment | None:
        """End a trial: keep what helped and go one further, or go back."""
        self._trial = None
        if rate < trial.rate * (1 + GAIN):
            # What was measured there is what the batch now does: no reason to try again.
            self._rates = {trial.workers: trial.rate}
            self._patience *= 2 if limit > trial.workers else 1
            return Adjustment(trial.workers, f"{rate:.1f} MB/s, no gain over {trial.rate:.1f}")
        self._aim = limit
        self._rates = {limit: rate}
        return self._try(limit, 2 * limit - trial.workers, rate, f"up from {trial.rate:.1f}")

    def _watch(self, limit: int, rate: float) -> Adjustment | None:
        """Begin a trial with one worker fewer when two windows in a row have fallen."""
        best = max((known for n, known in self._rates.items() if n <= limit), default=0.0)
        if rate < best * (1 - self.throughput_drop):
            if self._low_rate is None:
                self._low_rate = rate
                return None
            low_rate = (self._low_rate + rate) / 2
            return self._try(limit, limit - 1, low_rate, f"down from {best:.1f}")
        self._low_rate = None
        self._rates[limit] = max(rate, self._rates.get(limit, 0.0))
        self._steady_windows += 1
        if self._steady_windows < self._patience:
            return None
        return self._try(limit, limit + 1, rate, "are more of use again?")

    def _try(self, limit: int, other: int, rate: float, why: str) -> Adjustment | None:
        if not 1 <= other <= self._top:
            return None
        self._trial = _Trial(limit, rate)
        return Adjustment(other, f"{rate:.1f} MB/s with {limit}, {why}")


def _work_mb(progress: Progress) -> float:
    """Work done, in MB of the batch: a file counts half by its number and half by its size.

    By size alone the small files at the end of a batch would look like a loss of speed: part of a
    file's cost does not depend on its size (see :func:`predict_s`).
    """
    total_mb = progress.size_total_mb or float(progress.files_total)
    return total_mb * share_done(progress)

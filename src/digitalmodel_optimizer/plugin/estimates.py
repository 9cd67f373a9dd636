"""What is left of a batch, estimated from what it has cost so far.

A file's cost has a part that does not depend on its size (the host's work per column) and one that
does (loading, reading). Without files of different sizes to tell the two apart, each gets half of
what was measured.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from digitalmodel_optimizer.plugin.data import Measured, Progress, SimulationFile

_LEAST_FINISHED = 8


def predict_s(measured: Measured, files: Sequence[SimulationFile]) -> float:
    """Seconds that one worker would need for ``files``; 0 where nothing has been measured."""
    if not measured.files:
        return 0.0
    by_number = measured.seconds / measured.files * len(files)
    if not measured.size_mb:
        return by_number
    by_size = measured.seconds / measured.size_mb * sum(file.size_mb for file in files)
    return (by_number + by_size) / 2


def share_done(progress: Progress) -> float:
    """The part of the work that is done, 0 to 1; files taken over count as done."""
    return _share(progress, progress.files_done, progress.size_done_mb)


def remaining_s(progress: Progress) -> float | None:
    """Seconds until the batch is done, at the rate so far; None before this run's first file."""
    done = share_done(progress)
    in_this_run = done - _share(progress, progress.files_resumed, progress.size_resumed_mb)
    if in_this_run <= 0 or not progress.elapsed_s:
        return None
    return progress.elapsed_s * (1 - done) / in_this_run


def remaining_range_s(progress: Progress) -> tuple[float, float] | None:
    """From and to how many seconds are left, so that about 19 of 20 guesses hold; None where too
    few files have finished.

    The times between files that finish are taken for independent, with the coefficient of variation
    c that the latest of them show: the rate so far, of n files, is then known to c / sqrt(n), and
    what the r files left take beside it varies by c / sqrt(r).
    """
    import statistics  # with what it imports it takes longer than a small file

    expected_s = remaining_s(progress)
    finished = progress.finished_s
    if expected_s is None or len(finished) < _LEAST_FINISHED:
        return None
    gaps = [after - before for before, after in itertools.pairwise(finished)]
    mean_s = statistics.fmean(gaps)
    if mean_s <= 0:
        return None
    variation = statistics.stdev(gaps) / mean_s
    ahead = max(1, progress.files_total - progress.files_done)
    spread = 2 * variation * math.sqrt(1 / len(gaps) + 1 / ahead)
    return expected_s * max(0.0, 1 - spread), expected_s * (1 + spread)


def _share(progress: Progress, files: int, size_mb: float) -> float:
    by_number = files / progress.files_total if progress.files_total else 1.0
    if not progress.size_total_mb:
        return by_number
    return (by_number + size_mb / progress.size_total_mb) / 2

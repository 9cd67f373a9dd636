"""Where a batch stands, in words; the live display and the plain lines both take theirs here."""

from __future__ import annotations

from collections.abc import Sequence

from digitalmodel_optimizer.plugin import Progress, SimulationFile
from digitalmodel_optimizer.plugin.estimates import remaining_s
from digitalmodel_optimizer.report.format import MINUTE_S, amount, duration

MOST_NAMES = 3
_DIGITS = 2
_MANY = 10


def sentence(progress: Progress) -> str:
    """``12/100 files, 1 failed, 4.1 files/s, 21 s left, running: lc0013, lc0014``."""
    parts = [f"{progress.files_done}/{progress.files_total} files"]
    if progress.files_failed:
        parts.append(f"{progress.files_failed} failed")
    if progress.files_done > progress.files_resumed and progress.elapsed_s:
        parts.append(rate(progress))
    remaining = remaining_s(progress)
    if progress.files_done == progress.files_total:
        parts.append(duration(progress.elapsed_s))
    elif remaining is not None:
        parts.append(f"{left(remaining)} left")
    if progress.running:
        parts.append(f"running: {names(progress.running)}")
    return ", ".join(parts)


def rate(progress: Progress) -> str:
    """Files per second of this run, and megabytes where the files' sizes are known."""
    files = (progress.files_done - progress.files_resumed) / progress.elapsed_s
    said = f"{files:.{_DIGITS}g} files/s" if files < _MANY else f"{files:.0f} files/s"
    size_mb = progress.size_done_mb - progress.size_resumed_mb
    if size_mb > 0:
        said += f", {amount(size_mb / progress.elapsed_s)}/s"
    return said


def left(seconds: float) -> str:
    return f"{max(0.0, seconds):.0f} s" if seconds < MINUTE_S else duration(seconds)


def names(files: Sequence[SimulationFile], most: int = MOST_NAMES) -> str:
    """The stems of the first few, and how many more there are."""
    said = ", ".join(file.stem for file in files[:most])
    return said if len(files) <= most else f"{said} +{len(files) - most}"

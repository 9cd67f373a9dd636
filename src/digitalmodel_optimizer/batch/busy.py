"""How busy with files the workers are, from one look at their CPU time to the next.

Workers that are being started keep cores busy as well, which says nothing of the files: only those
count that had a file at both looks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

# Stands for all processes together, where the executor does not tell which of them has a file.
ALL = 0


@dataclass(frozen=True)
class Usage:
    """A look at the workers: CPU seconds so far, and the number of files each has, by process."""

    at_s: float
    cpu_s: Mapping[int, float]
    files: Mapping[int, int]


class BusyWorkers:
    """Compares each look with the one before."""

    def __init__(self) -> None:
        self._before: Usage | None = None

    @property
    def since_s(self) -> float:
        """When the last look was; 0 before the first."""
        return 0.0 if self._before is None else self._before.at_s

    def look(self, now: Usage) -> tuple[float | None, int]:
        """CPU seconds per second of the workers that had files last time and now, and how many
        files those are; None and 0 where that cannot be told.
        """
        before, self._before = self._before, now
        if before is None or now.at_s <= before.at_s:
            return None, 0
        both = before.files.keys() & before.cpu_s.keys() & now.files.keys() & now.cpu_s.keys()
        files = sum(min(before.files[pid], now.files[pid]) for pid in both)
        if not files:
            return None, 0
        cpu_s = sum(max(0.0, now.cpu_s[pid] - before.cpu_s[pid]) for pid in both)
        return cpu_s / (now.at_s - before.at_s), files

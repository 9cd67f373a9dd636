"""Which files of a batch have settled, which are due for a round, and which are held back.

Figures in, figures out: the files and the clock are given.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

Stamp = tuple[int, int, int]
"""Size in bytes, time of modification in ns, inode."""


@dataclass(frozen=True)
class _Seen:
    stamp: Stamp
    since_s: float


class Arrivals:
    """The files of a batch, from the first sight of each to the tables that have it.

    A file has settled when its stamp has been the same for ``settle_s`` seconds and
    ``why_unopenable`` has nothing against it. ``in_tables``: what the last round has processed.
    ``failed``: with their reasons, and the stamps with which they failed; such a file is held back
    until it changes.
    """

    def __init__(self, settle_s: float, why_unopenable: Callable[[str], str | None]) -> None:
        self._settle_s = settle_s
        self._why_unopenable = why_unopenable
        self._seen: dict[str, _Seen] = {}
        self._opened: dict[str, Stamp] = {}
        self.unopenable: dict[str, str] = {}
        self.in_tables: dict[str, Stamp] = {}
        self.failed: dict[str, tuple[Stamp, str]] = {}

    def look(self, files: Mapping[str, Stamp], now_s: float) -> bool:
        """Take note of ``files`` as they are; whether anything has changed since the last look."""
        changed = self._seen.keys() - files.keys()
        self._seen = {path: seen for path, seen in self._seen.items() if path in files}
        for path, stamp in files.items():
            seen = self._seen.get(path)
            if seen is None or seen.stamp != stamp:
                self._seen[path] = _Seen(stamp, now_s)
                changed |= {path}
        self.failed = {
            path: failure for path, failure in self.failed.items() if files.get(path) == failure[0]
        }
        self._open(now_s)
        return bool(changed)

    def _open(self, now_s: float) -> None:
        """Try to open what has stopped changing and was not opened since."""
        self._opened = {
            path: stamp for path, stamp in self._opened.items() if self._is(path, stamp)
        }
        self.unopenable = {}
        for path, seen in self._seen.items():
            if now_s - seen.since_s >= self._settle_s and path not in self._opened:
                reason = self._why_unopenable(path)
                if reason is None:
                    self._opened[path] = seen.stamp
                else:
                    self.unopenable[path] = reason

    def _is(self, path: str, stamp: Stamp) -> bool:
        seen = self._seen.get(path)
        return seen is not None and seen.stamp == stamp

    @property
    def settled(self) -> dict[str, Stamp]:
        """Files for the next round, with the stamps that they are processed with."""
        return {path: stamp for path, stamp in self._opened.items() if path not in self.failed}

    @property
    def held_back(self) -> list[str]:
        """Files that are there and not for the next round."""
        settled = self.settled
        return [path for path in self._seen if path not in settled]

    @property
    def is_due(self) -> bool:
        """Whether a round would give other tables: a file has arrived, has changed, or is gone."""
        settled = self.settled
        arrived = any(self.in_tables.get(path) != stamp for path, stamp in settled.items())
        gone = self.in_tables.keys() - self._seen.keys()
        return bool(settled) and (arrived or bool(gone))

    @property
    def settles_s(self) -> float:
        """The next moment at which a file may have settled; infinite if all have, or cannot."""
        waiting = self._seen.keys() - self._opened.keys() - self.unopenable.keys()
        moments = (self._seen[path].since_s + self._settle_s for path in waiting)
        return min(moments, default=math.inf)

    def processed(self, files: Mapping[str, Stamp], failures: Mapping[str, str]) -> list[str]:
        """A round has processed ``files``, but for those that have failed, with their reasons.

        :return: those that have failed.
        """
        self.in_tables = {path: stamp for path, stamp in files.items() if path not in failures}
        new = [path for path in failures if path in files]
        self.failed |= {path: (files[path], failures[path]) for path in new}
        return new

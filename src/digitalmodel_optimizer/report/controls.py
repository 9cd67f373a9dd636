"""What a user may change while a batch runs: start no more files, more or fewer at a time, stop."""

from __future__ import annotations

import threading

from digitalmodel_optimizer.plugin import Adjustment, Progress

KEYS = {"p": "pause", "+": "more", "-": "fewer", "s": "stop after the running files"}
BY_KEY = "asked for by a key"


class Controls:
    """Takes keys on one thread, answers for the plugins' adjustment on another.

    Once the user has chosen a number of workers it stays, whatever plugins think of it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._limit = 0
        self._asked: int | None = None
        self._paused = False
        self._changed = False
        self._stop = False

    @property
    def words(self) -> str:
        """What is in force, for the display; empty where nothing is."""
        if self._stop:
            return "stopping after the running files"
        parts = ["no more files start"] if self._paused else []
        parts += [f"at most {self._asked} at a time"] if self._asked is not None else []
        return ", ".join(parts)

    def press(self, key: str) -> None:
        with self._lock:
            if key == "p":
                self._paused = not self._paused
            elif key in ("+", "=", "-"):
                step = -1 if key == "-" else 1
                self._asked = max(1, (self._limit if self._asked is None else self._asked) + step)
            elif key == "s":
                self._stop = True
            else:
                return
            self._changed = True

    def adjustment(self, progress: Progress) -> Adjustment | None:
        """What the core is to do now; None to leave it to others."""
        with self._lock:
            self._limit = progress.workers_limit
            in_force = self._changed or self._asked is not None or self._paused
            self._changed = False
            if not in_force:
                return None
            workers = self._limit if self._asked is None else self._asked
            return Adjustment(workers, BY_KEY, starting=not self._paused, stop=self._stop)

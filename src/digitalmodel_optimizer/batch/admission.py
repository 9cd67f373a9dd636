"""Letting files start when the budgets allow it, in the order in which they ask."""

from __future__ import annotations

import threading
from collections import deque


class Admission:
    """Counts what is in flight: files against the worker limit, megabytes against the budget.

    Files are admitted first come, first served, so that a large one is not passed by small ones
    for ever. A file that must run alone waits until nothing runs, and nothing starts beside it.
    One file is always admitted when nothing else runs, however large it is.
    """

    def __init__(self, limit: int, budget_mb: float | None) -> None:
        self._changed = threading.Condition()
        self._limit = max(1, limit)
        self._budget_mb = budget_mb
        self._queue: deque[object] = deque()
        self._running = 0
        self._in_flight_mb = 0.0
        self._alone = False
        self._stopping = False

    @property
    def limit(self) -> int:
        return self._limit

    @property
    def stopping(self) -> bool:
        return self._stopping

    def set_limit(self, limit: int) -> None:
        with self._changed:
            self._limit = max(1, limit)
            self._changed.notify_all()

    def stop(self) -> None:
        """Admit nothing more; those who wait are turned away."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()

    def enter(self, size_mb: float, alone: bool = False) -> bool:
        """Wait until a file of ``size_mb`` in memory may start; False if it never will."""
        ticket = object()
        with self._changed:
            self._queue.append(ticket)
            try:
                while not self._stopping and not self._may_start(ticket, size_mb, alone):
                    self._changed.wait()
            finally:
                self._queue.remove(ticket)
                self._changed.notify_all()
            if self._stopping:
                return False
            self._running += 1
            self._in_flight_mb += size_mb
            self._alone = alone
            return True

    def leave(self, size_mb: float) -> None:
        with self._changed:
            self._running -= 1
            self._in_flight_mb -= size_mb
            self._alone = False
            self._changed.notify_all()

    def pause(self, seconds: float) -> None:
        """Wait, but no longer than until the batch is stopped."""
        with self._changed:
            self._changed.wait_for(lambda: self._stopping, timeout=seconds)

    def _may_start(self, ticket: object, size_mb: float, alone: bool) -> bool:
        if self._queue[0] is not ticket:
            return False
        if self._running == 0:
            return True
        if alone or self._alone or self._running >= self._limit:
            return False
        return self._budget_mb is None or self._in_flight_mb + size_mb <= self._budget_mb

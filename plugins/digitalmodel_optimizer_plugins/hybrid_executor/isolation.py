"""Backends that do not isolate files from one another, but for files that end processes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from digitalmodel_optimizer.plugin import Executor, FileResult, FileTask


class WithIsolation(Executor):
    """An executor that does not isolate files; one that has ended a process gets its own.

    The core runs such files alone, since the others are not isolated from one another.
    """

    def __init__(self, inner: Executor, isolating: Callable[[], Executor]) -> None:
        self.name, self.reason = inner.name, inner.reason
        self.in_parent, self.capacity = inner.in_parent, inner.capacity
        self._inner = inner
        self._make = isolating
        self._isolating: Executor | None = None
        self._isolated = 0

    def submit(self, task: FileTask) -> None:
        if not task.isolated:
            self._inner.submit(task)
            return
        if self._isolating is None:
            self._isolating = self._make()
        self._isolated += 1
        self._isolating.submit(task)

    def wait(self, timeout_s: float) -> Sequence[FileResult]:
        if not self._isolated or self._isolating is None:
            return self._inner.wait(timeout_s)
        results = self._isolating.wait(timeout_s)
        self._isolated -= len(results)
        return results

    def resize(self, workers: int) -> None:
        self._inner.resize(workers)

    def close(self, *, kill: bool) -> None:
        if self._isolating is not None:
            self._isolating.close(kill=kill)
        self._inner.close(kill=kill)

    @property
    def pids(self) -> Collection[int]:
        return () if self._isolating is None else self._isolating.pids

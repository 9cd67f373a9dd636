"""What runs the files of a batch: the core asks, an executor does as it is asked.

The core's one loop decides which file starts when, under all budgets, and what follows a failure.
It calls an executor from one thread only, so that an executor needs no lock of its own.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from digitalmodel_optimizer.plugin.data import FileTask
from digitalmodel_optimizer.plugin.results import FileResult


class ProcessFile(Protocol):
    """Processes one file on the thread that calls it; what goes wrong with it is in the result.

    Picklable: it carries what a worker has to know of the batch, once per worker if possible.
    """

    def __call__(self, task: FileTask) -> FileResult: ...

    def warm_up(self) -> None:
        """Do everything that comes before the first file, so that its time is the file's own."""
        ...


class Executor(ABC):
    """Runs the files that it is given; :func:`optimizer_executor` hands one to the core.

    ``name`` is the backend in the report, ``reason`` says why it was chosen. ``isolates``: a file
    that ends its worker takes no other file with it. ``keeps_time_limit``: ``timeout_per_file`` is
    kept; where it is set, the core refuses an executor that does not. ``in_parent``: files run in
    this very process. ``capacity``: files that it runs at a time, whatever the core would allow.
    """

    name: str = "unnamed"
    reason: str = ""
    isolates: bool = False
    keeps_time_limit: bool = False
    in_parent: bool = False
    capacity: int | None = None

    @abstractmethod
    def submit(self, task: FileTask) -> None:
        """Take a file; returns at once. Never more at a time than :meth:`resize` allowed last."""

    @abstractmethod
    def wait(self, timeout_s: float) -> Sequence[FileResult]:
        """What has finished, as soon as something has, or nothing after ``timeout_s``.

        A file whose worker was lost comes back as well, with an error of the kind ``CRASHED`` or
        ``TIMEOUT``. An exception ends the batch.
        """

    def resize(self, workers: int) -> None:  # noqa: B027 - not every executor has workers
        """Be ready to run ``workers`` files at a time; running files are never interrupted."""

    def close(self, *, kill: bool) -> None:  # noqa: B027 - nor anything to end
        """Take no more files and end the workers.

        Without ``kill``, while the core writes the summaries: ask them to end and return at once.
        With ``kill``, always the last call: when it returns, nothing of the executor is left.
        """

    @property
    def ready_workers(self) -> int:
        """Workers that are started, or being started, and need no start of their own any more."""
        return 0

    @property
    def pids(self) -> Collection[int]:
        """Processes of the workers, for their memory and CPU time; empty where there are none."""
        return ()

    @property
    def starting_workers(self) -> int:
        """Of :attr:`ready_workers`, those that are still being started."""
        return 0

    @property
    def files_by_pid(self) -> Mapping[int, int] | None:
        """How many files each worker process that has any has now; None where that is not known.

        By it the core tells workers that compute files from those that are being started.
        """
        return None


class SerialExecutor(Executor):
    """One file after the other on the calling thread, while the core waits."""

    name = "serial"
    in_parent = True
    capacity = 1

    def __init__(self, process_file: ProcessFile, reason: str = "") -> None:
        self.reason = reason
        self._process_file = process_file
        self._submitted: deque[FileTask] = deque()

    def submit(self, task: FileTask) -> None:
        self._submitted.append(task)

    def wait(self, timeout_s: float) -> Sequence[FileResult]:
        if not self._submitted:  # the core waits for something else, such as a licence
            time.sleep(timeout_s)
            return []
        return [self._process_file(self._submitted.popleft())]

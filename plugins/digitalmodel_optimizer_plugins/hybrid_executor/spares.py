"""Worker processes that wait for files: started early, or done with the files they had.

The host needs seconds to import itself, on one core. A worker that starts beside it is ready when
the batch begins; one that turns out not to be wanted is ended without having been used. When some
files of a batch have to be processed again, the workers of the first round are still there.
"""

from __future__ import annotations

import atexit
import threading
import time
from collections.abc import Callable, Sequence

from digitalmodel_optimizer.plugin import Machine, ProcessFile, SimulationFile, WorkerLostError
from digitalmodel_optimizer_plugins.hybrid_executor.worker_process import (
    WorkerLimits,
    WorkerProcess,
)

# Fewer or smaller files are done before it matters (measured: three of 520 MB in 2.9 s, not 4.0).
LEAST_FILES = 3
LEAST_BATCH_MB = 200.0
# More would fight with the host's own import for the disk.
MOST = 8
# What a worker may take without asking, of the memory that is free.
MEMORY_SHARE_OF_EACH_MB = 1_000.0


def early_workers(
    files: Sequence[SimulationFile], machine: Machine, ceiling: int | None, wish: int | str
) -> int:
    """How many workers to start for a batch of probably ``files``; ``wish`` is a number or auto."""
    if isinstance(wish, int):
        return wish
    if len(files) < LEAST_FILES or sum(file.size_mb for file in files) < LEAST_BATCH_MB:
        return 0
    room = int(machine.memory_available_mb // MEMORY_SHARE_OF_EACH_MB)
    # As many as there are cores, the host's own among them: on two cores one worker fewer took as
    # long to the end of the process, and the late one then started beside the first files.
    cpus = machine.logical_cpus if machine.logical_cpus > 1 else 0
    return max(0, min(cpus, len(files), ceiling or MOST, room, MOST))


class Spares:
    """The waiting workers of this process; asked by many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._workers: list[WorkerProcess] = []
        self._watched = False

    def __len__(self) -> int:
        return len(self._workers)

    def start(self, prepare: Callable[[], None], limits: WorkerLimits, count: int) -> None:
        """Start ``count`` processes that run ``prepare``; returns before they have."""
        for _ in range(count):
            worker = WorkerProcess(None, limits)
            try:
                worker.start_early(prepare)
            except WorkerLostError:  # the batch will meet the reason again, and tell it
                return
            self.put(worker)

    def put(self, worker: WorkerProcess) -> None:
        """Let a worker that has nothing to do wait for more."""
        with self._lock:
            if not self._watched:
                self._watched = True
                atexit.register(self.keep, 0)
            self._workers.append(worker)

    def take(self, process_file: ProcessFile, limits: WorkerLimits) -> WorkerProcess | None:
        """One that is alive, to process files with; None if there is none."""
        with self._lock:
            while self._workers:
                worker = self._workers.pop(0)
                if worker.adopt(process_file, limits):
                    return worker
                worker.finish(time.monotonic())
        return None

    def begin_end(self) -> None:
        """Ask all of them to end, without waiting for it; :meth:`keep` does."""
        with self._lock:
            begin_end(self._workers)

    def keep(self, count: int) -> None:
        """End all but the first ``count``, now."""
        with self._lock:
            doomed, self._workers = self._workers[count:], self._workers[:count]
        end_workers(doomed)


def begin_end(workers: Sequence[WorkerProcess]) -> None:
    """Let workers that wait end in order; those that are still starting are killed."""
    for worker in workers:
        if worker.ready:
            worker.begin_stop()
        else:
            worker.kill()


def end_workers(workers: Sequence[WorkerProcess]) -> None:
    """:func:`begin_end`, and wait until they have."""
    begin_end(workers)
    for worker in workers:
        worker.finish(time.monotonic() + worker.limits.stop_s)


spares = Spares()

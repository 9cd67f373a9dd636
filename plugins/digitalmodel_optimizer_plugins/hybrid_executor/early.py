"""Worker processes that are started early: the host needs seconds to import itself, on one core.

A worker that starts beside it is ready when the batch begins; one that turns out not to be wanted
is ended without having been used.
"""

from __future__ import annotations

import atexit
from collections.abc import Callable, Sequence

from digitalmodel_optimizer.plugin import Machine, SimulationFile
from digitalmodel_optimizer_plugins.hybrid_executor.processes import end_workers
from digitalmodel_optimizer_plugins.hybrid_executor.worker_process import WorkerProcess

# A batch that one worker does before a second one would matter gets one (measured: three of 520 MB
# in 2.9 s, not 4.0).
_MIN_FILES = 3
_MIN_BATCH_MB = 200.0
# More would fight with the host's own import for the disk.
_MAX = 8
# What a worker may take without asking, of the memory that is free.
_MEMORY_OF_EACH_MB = 1_000.0
_STOP_S = 5.0


def how_many(
    files: Sequence[SimulationFile], machine: Machine, ceiling: int | None, wish: int | str
) -> int:
    """How many workers to start for a batch of probably ``files``; ``wish`` is a number or auto."""
    if isinstance(wish, int):
        return wish
    if not files:
        return 0
    small = len(files) < _MIN_FILES or sum(file.size_mb for file in files) < _MIN_BATCH_MB
    if small or machine.logical_cpus < 2:
        return 1
    room = int(machine.memory_available_mb // _MEMORY_OF_EACH_MB)
    # As many as there are cores, the host's own among them: on two cores one worker fewer took as
    # long to the end of the process, and the late one then started beside the first files.
    return max(1, min(machine.logical_cpus, len(files), ceiling or _MAX, room, _MAX))


class EarlyProcesses:
    """The waiting workers of this process."""

    def __init__(self) -> None:
        self._workers: list[WorkerProcess] = []
        self._watched = False

    def start(self, prepare: Callable[[], None], count: int) -> int:
        """Start ``count`` processes that run ``prepare``; returns before they have."""
        if count and not self._watched:
            self._watched = True
            atexit.register(self.end)
        for _ in range(count):
            try:
                self._workers.append(WorkerProcess(1, prepare))
            except (OSError, ImportError):  # the batch will meet the reason again, and tell it
                break
        return len(self._workers)

    def take(self, count: int) -> list[WorkerProcess]:
        """Up to ``count`` that are alive; the others are ended."""
        taken = [worker for worker in self._workers if worker.is_alive][:count]
        self._workers = [worker for worker in self._workers if worker not in taken]
        self.end()
        return taken

    def end(self) -> None:
        """End all that wait."""
        workers, self._workers = self._workers, []
        for worker in workers:
            worker.kill()
        end_workers(workers, _STOP_S)


early_processes = EarlyProcesses()

"""A discrete-event model of a machine that post-processes a batch with worker processes.

Cores are handed out in short slices, as a scheduler does, so more workers than cores are shared
fairly. The disk serves one chunk after the other. Memory and licences are taken before a file is
loaded and given back after it, first come, first served. One parent hands out the files and takes
the results in. All figures come from :class:`Costs`, which are measured; nothing here is.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from digitalmodel_optimizer.contract import OptimizerError

SLICE_S = 0.05
MOST_SLICES = 16
MOST_SLICES_UNSHARED = 4
CHUNK_MB = 64.0


@dataclass(frozen=True)
class Costs:
    """What work costs on one core of the measured machine.

    ``start_s``: a worker process up to its first file, ``file_s`` a file of any size in a worker,
    ``mb_s`` each MB of it, ``parent_s`` a file in the parent, ``batch_s`` a batch in the parent.
    ``contention``: the share by which all of it takes longer when every core is busy.
    ``memory_factor`` and ``worker_memory_mb``: what a file takes of memory per MB, and a worker
    without one.
    """

    start_s: float
    file_s: float
    mb_s: float
    parent_s: float
    batch_s: float
    contention: float = 0.0
    memory_factor: float = 2.5
    worker_memory_mb: float = 200.0

    def seconds(self, size_mb: float) -> float:
        """One file in a worker that has all it needs."""
        return self.file_s + self.mb_s * size_mb


@dataclass(frozen=True)
class ModelMachine:
    """What the workers share. ``disk_mb_per_s`` infinite: all files are in memory already."""

    cores: int
    memory_mb: float
    disk_mb_per_s: float = math.inf
    licences: int | None = None


@dataclass(frozen=True)
class Simulated:
    """How a batch went: seconds in all, memory at the peak, seconds that files waited."""

    workers: int
    elapsed_s: float
    memory_mb: float
    waited_memory_s: float
    waited_disk_s: float
    waited_licence_s: float


def simulate(
    sizes_mb: Sequence[float], workers: int, machine: ModelMachine, costs: Costs
) -> Simulated:
    """Run files of ``sizes_mb``, the largest first, with ``workers`` processes.

    :raises OptimizerError: simpy is not installed.
    """
    try:
        import simpy
    except ImportError as error:
        raise OptimizerError(
            "the model of a machine needs simpy; pip install digitalmodel-optimizer[bench]"
        ) from error
    run = _Run(simpy, sizes_mb, min(workers, max(1, len(sizes_mb))), machine, costs)
    return run.result()


class _Run:
    def __init__(
        self,
        simpy: Any,
        sizes_mb: Sequence[float],
        workers: int,
        machine: ModelMachine,
        costs: Costs,
    ) -> None:
        self.costs = costs
        self.machine = machine
        self.workers = workers
        # Where nobody waits for a core, slices only follow how many others are busy.
        shared = workers + 1 > machine.cores
        self.most_slices = MOST_SLICES if shared else MOST_SLICES_UNSHARED
        self.environment = simpy.Environment()
        self.cores = simpy.Resource(self.environment, machine.cores)
        self.parent = simpy.Resource(self.environment, 1)
        self.disk = simpy.Resource(self.environment, 1)
        self.licences = simpy.Resource(self.environment, machine.licences or workers)
        # Whole kilobytes: what is given back must be what was taken, to the last digit.
        free_kb = max(1, int(1000 * (machine.memory_mb - workers * costs.worker_memory_mb)))
        self.memory = simpy.Container(self.environment, free_kb, init=free_kb)
        self.queue = sorted(sizes_mb)
        self.peak_mb = 0.0
        self.waited = {"memory": 0.0, "disk": 0.0, "licence": 0.0}

    def result(self) -> Simulated:
        running = [self.environment.process(self._worker()) for _ in range(self.workers)]
        self.environment.run(until=self.environment.all_of(running))
        return Simulated(
            workers=self.workers,
            elapsed_s=self.environment.now + self.costs.batch_s,
            memory_mb=self.peak_mb + self.workers * self.costs.worker_memory_mb,
            waited_memory_s=self.waited["memory"],
            waited_disk_s=self.waited["disk"],
            waited_licence_s=self.waited["licence"],
        )

    def _worker(self) -> Iterator[Any]:
        yield from self._compute(self.costs.start_s)
        while self.queue:
            yield from self._file(self.queue.pop())

    def _file(self, size_mb: float) -> Iterator[Any]:
        # A file that is larger than all memory runs all the same, alone.
        wanted_kb = min(round(1000 * self.costs.memory_factor * size_mb), self.memory.capacity)
        since = self.environment.now
        if wanted_kb:
            yield self.memory.get(wanted_kb)
        self.waited["memory"] += self.environment.now - since
        since = self.environment.now
        with self.licences.request() as licence:
            yield licence
            self.waited["licence"] += self.environment.now - since
            taken_mb = (self.memory.capacity - self.memory.level) / 1000
            self.peak_mb = max(self.peak_mb, taken_mb)
            yield from self._read(size_mb)
            yield from self._compute(self.costs.seconds(size_mb))
        if wanted_kb:
            yield self.memory.put(wanted_kb)
        with self.parent.request() as turn:
            yield turn
            yield from self._compute(self.costs.parent_s)

    def _read(self, size_mb: float) -> Iterator[Any]:
        """From the disk, a chunk at a time, so that files that load at once share it."""
        since = self.environment.now
        left_mb = 0.0 if math.isinf(self.machine.disk_mb_per_s) else size_mb
        while left_mb > 0:
            chunk_mb = min(CHUNK_MB, left_mb)
            with self.disk.request() as turn:
                yield turn
                yield self.environment.timeout(chunk_mb / self.machine.disk_mb_per_s)
            left_mb -= chunk_mb
        self.waited["disk"] += self.environment.now - since

    def _compute(self, work_s: float) -> Iterator[Any]:
        """``work_s`` of one core, in slices; slower while others are busy."""
        longest_s = max(SLICE_S, work_s / self.most_slices)
        while work_s > 1e-9:
            slice_s = min(longest_s, work_s)
            with self.cores.request() as core:
                yield core
                others = (self.cores.count - 1) / max(1, self.machine.cores - 1)
                yield self.environment.timeout(slice_s * (1.0 + self.costs.contention * others))
            work_s -= slice_s

"""A discrete-event model of a machine that post-processes a batch with worker processes.

It follows what the executor does. Files are admitted in their order, under the limit of workers and
the memory that files may take; an admitted file goes to the worker that is free first, and where
none is, one more is started meanwhile. The parent starts processes and takes results in, one after
the other. Cores are handed out in short slices, as a scheduler does, and are slower the
more of them are busy; the disk serves one chunk after the other; each file holds a licence. All
figures come from :class:`Costs`, which are measured; nothing here is.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from digitalmodel_optimizer.plugin import (
    BYTES_PER_MB,
    OptimizerError,
    Progress,
    SimulationFile,
)

SLICE_S = 0.05
MOST_SLICES = 16
MOST_SLICES_UNSHARED = 4
CHUNK_MB = 64.0
# As often does the core ask its plugins for an adjustment.
ADJUST_S = 0.5

# What thread-allocation assumes that a file takes of memory per MB, before it has measured one.
ASSUMED_MEMORY_FACTOR = 2.5

Adjust = Callable[[Progress], int | None]


@dataclass(frozen=True)
class Costs:
    """What work costs on one core of the measured machine.

    ``start_s``: a new worker process up to its first file; ``ready_s`` the same for one that was
    started early; ``spawn_s`` what the parent has to do to start one. ``file_s`` a file of any size
    in a worker, ``mb_s`` each MB of it, ``grow_s`` each MB by which it is larger than the worker's
    files before it: memory that the system has to hand out first. ``turn_s`` the parent, from a
    worker's file to its next. ``batch_s`` what comes before the first file and after the last,
    ``merge_s`` each file's share of that. ``contention``: the share by which all of it takes longer
    when every core is busy. ``memory_factor`` and ``worker_memory_mb``: what a file takes of memory
    per MB, and a worker without one.
    """

    start_s: float
    file_s: float
    mb_s: float
    turn_s: float
    batch_s: float
    ready_s: float = 0.0
    spawn_s: float = 0.0
    grow_s: float = 0.0
    merge_s: float = 0.0
    contention: float = 0.0
    memory_factor: float = ASSUMED_MEMORY_FACTOR
    worker_memory_mb: float = 200.0

    def seconds(self, size_mb: float, before_mb: float = 0.0) -> float:
        """One file in a worker whose largest file so far had ``before_mb``."""
        grown_mb = max(0.0, size_mb - before_mb)
        return self.file_s + self.mb_s * size_mb + self.grow_s * grown_mb

    def with_assumed_memory(self) -> Costs:
        """With a file's memory as it is assumed for OrcaFlex, whatever was measured."""
        return replace(self, memory_factor=ASSUMED_MEMORY_FACTOR)


@dataclass(frozen=True)
class ModelMachine:
    """What the workers share. ``memory_mb`` is what workers and files may take together.

    ``disk_mb_per_s`` infinite: all files are in memory already.
    """

    cores: int
    memory_mb: float
    disk_mb_per_s: float = math.inf
    licences: int | None = None


@dataclass(frozen=True)
class Simulated:
    """How a batch went: most workers, seconds in all, memory at the peak, seconds files waited."""

    workers: int
    elapsed_s: float
    memory_mb: float
    waited_memory_s: float
    waited_disk_s: float
    waited_licence_s: float


def simulate(
    sizes_mb: Sequence[float],
    workers: int,
    machine: ModelMachine,
    costs: Costs,
    *,
    ready: int = 0,
    most: int | None = None,
    adjust: Adjust | None = None,
) -> Simulated:
    """Run files of ``sizes_mb``, in this order, with ``workers`` processes.

    :param ready: so many of them were started early.
    :param most: up to how many ``adjust``, which is asked twice a second, may raise them.
    :raises OptimizerError: simpy is not installed.
    """
    simpy = demand_simpy()
    return _Run(simpy, sizes_mb, workers, machine, costs, ready, most or workers, adjust).result()


def demand_simpy() -> Any:
    """The library of events.

    :raises OptimizerError: it is not installed.
    """
    try:
        import simpy
    except ImportError as error:
        raise OptimizerError(
            "the model of a machine needs simpy; pip install digitalmodel-optimizer[bench]"
        ) from error
    return simpy


class _Run:
    def __init__(
        self,
        simpy: Any,
        sizes_mb: Sequence[float],
        workers: int,
        machine: ModelMachine,
        costs: Costs,
        ready: int,
        most: int,
        adjust: Adjust | None,
    ) -> None:
        self.machine, self.costs = machine, costs
        self.files = [
            SimulationFile(index, f"case_{index}.sim", round(size_mb * BYTES_PER_MB))
            for index, size_mb in enumerate(sizes_mb)
        ]
        self.limit, self.adjust = workers, adjust
        most = min(most, max(1, len(self.files)))
        self.environment = simpy.Environment()
        self.cores = simpy.Resource(self.environment, machine.cores)
        self.disk = simpy.Resource(self.environment, 1)
        self.parent = simpy.Resource(self.environment, 1)
        self.licences = simpy.Resource(self.environment, machine.licences or most)
        self.slices = MOST_SLICES if most >= machine.cores else MOST_SLICES_UNSHARED
        self.free_mb = machine.memory_mb - most * costs.worker_memory_mb
        self.room = self.environment.event()
        self.idle: list[float] = []  # the largest file that each of them has had
        self.waiting: deque[Any] = deque()
        self.ready, self.started, self.starting, self.most = ready, 0, 0, most
        self.taken_mb, self.peak_mb = 0.0, 0.0
        self.running: dict[int, SimulationFile] = {}
        self.finished_s: list[float] = []
        self.waited = {"memory": 0.0, "disk": 0.0, "licence": 0.0}

    def result(self) -> Simulated:
        self.environment.process(self._admit())
        if self.adjust is not None:
            self.environment.process(self._watch())
        while len(self.finished_s) < len(self.files):
            self.environment.step()
        costs = self.costs
        rest_s = costs.batch_s + costs.merge_s * len(self.files)
        return Simulated(
            workers=self.started,
            elapsed_s=self.environment.now + rest_s,
            memory_mb=self.peak_mb + self.started * costs.worker_memory_mb,
            waited_memory_s=self.waited["memory"],
            waited_disk_s=self.waited["disk"],
            waited_licence_s=self.waited["licence"],
        )

    def _admit(self) -> Iterator[Any]:
        for file in self.files:
            needed_mb = self.costs.memory_factor * file.size_mb
            while len(self.running) >= self.limit:
                yield self.room
            since = self.environment.now
            # A file that is larger than all memory runs all the same, alone.
            while self.running and self.taken_mb + needed_mb > self.free_mb:
                yield self.room
            self.waited["memory"] += self.environment.now - since
            self.taken_mb += needed_mb
            self.peak_mb = max(self.peak_mb, self.taken_mb)
            self.running[file.index] = file
            self.environment.process(self._file(file, needed_mb))

    def _file(self, file: SimulationFile, needed_mb: float) -> Generator[Any, float, None]:
        if self.idle:
            before_mb = self.idle.pop()
        else:
            self.waiting.append(self.environment.event())
            if self.starting < len(self.waiting) and self.started < self.most:
                self.environment.process(self._start())
            before_mb = yield self.waiting[-1]
        since = self.environment.now
        with self.licences.request() as licence:
            yield licence
            self.waited["licence"] += self.environment.now - since
            yield from self._read(file.size_mb)
            yield from self._compute(self.costs.seconds(file.size_mb, before_mb))
        yield from self._in_parent(self.costs.turn_s)
        self._offer(max(before_mb, file.size_mb))
        self.taken_mb -= needed_mb
        del self.running[file.index]
        self.finished_s.append(self.environment.now)
        self._tell()

    def _start(self) -> Iterator[Any]:
        """One more worker: one that was started early, if there is any left."""
        self.started += 1
        self.starting += 1
        early, self.ready = self.ready > 0, max(0, self.ready - 1)
        if not early:
            yield from self._in_parent(self.costs.spawn_s)
        yield from self._compute(self.costs.ready_s if early else self.costs.start_s)
        self.starting -= 1
        self._offer(0.0)

    def _offer(self, before_mb: float) -> None:
        """Give a free worker to the file that has waited longest."""
        if self.waiting:
            self.waiting.popleft().succeed(before_mb)
        else:
            self.idle.append(before_mb)

    def _tell(self) -> None:
        """Wake what waits for room."""
        waiting, self.room = self.room, self.environment.event()
        waiting.succeed()

    def _watch(self) -> Iterator[Any]:
        assert self.adjust is not None
        while True:
            yield self.environment.timeout(ADJUST_S)
            limit = self.adjust(self._progress())
            if limit is not None and limit != self.limit:
                self.limit = limit
                self._tell()

    def _progress(self) -> Progress:
        done = len(self.finished_s)
        upcoming = self.files[done + len(self.running) :]
        left_mb = sum(file.size_mb for file in (*upcoming, *self.running.values()))
        total_mb = sum(file.size_mb for file in self.files)
        return Progress(
            files_total=len(self.files),
            files_done=done,
            files_failed=0,
            size_total_mb=total_mb,
            size_done_mb=total_mb - left_mb,
            elapsed_s=self.environment.now,
            running=tuple(self.running.values()),
            upcoming=tuple(upcoming),
            workers_limit=self.limit,
            memory_available_mb=self.free_mb - self.taken_mb,
            finished_s=tuple(self.finished_s),
            busy_cores=float(self.cores.count),
        )

    def _in_parent(self, work_s: float) -> Iterator[Any]:
        if work_s:
            with self.parent.request() as turn:
                yield turn
                yield from self._compute(work_s)

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
        longest_s = max(SLICE_S, work_s / self.slices)
        while work_s > 1e-9:
            slice_s = min(longest_s, work_s)
            with self.cores.request() as core:
                yield core
                others = (self.cores.count - 1) / max(1, self.machine.cores - 1)
                yield self.environment.timeout(slice_s * (1.0 + self.costs.contention * others))
            work_s -= slice_s

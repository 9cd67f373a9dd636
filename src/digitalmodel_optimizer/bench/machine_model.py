"""A machine that is only a model: a clock, and cores and a disk that are shared by what uses them.

Time goes on from event to event. Work on cores or on the disk shares them evenly, as a system's
scheduler sees to; cores are slower the more of them are busy. All figures come from
:class:`Costs`, which are measured; nothing here is.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace

# What thread-allocation assumes that a file takes of memory per MB, before it has measured one.
ASSUMED_MEMORY_FACTOR = 2.5

Then = Callable[[], None]


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
    """What the workers share. ``memory_mb`` is what is available to them and their files.

    ``disk_mb_per_s`` infinite: all files are in memory already. ``seek_share``: the share by which
    the disk as a whole is slower for each further file that is read at the same time.
    """

    cores: int
    memory_mb: float
    disk_mb_per_s: float = math.inf
    licences: int | None = None
    seek_share: float = 0.0


class Shared:
    """Something that several share evenly: ``speed(n)`` is how fast each of ``n`` gets on."""

    def __init__(self, speed: Callable[[int], float]) -> None:
        self._speed = speed
        self._number = itertools.count()
        self._each_done = 0.0  # what one that was there from the beginning has got done
        self._using: list[tuple[float, int, Then]] = []
        self._at_s = 0.0

    def __len__(self) -> int:
        return len(self._using)

    def use(self, work: float, then: Then) -> None:
        """Begin ``work``; call ``then`` when it is done."""
        heapq.heappush(self._using, (self._each_done + work, next(self._number), then))

    @property
    def next_s(self) -> float:
        """When the first of those that use it will be done; inf if none does."""
        if not self._using:
            return math.inf
        left = max(0.0, self._using[0][0] - self._each_done)
        return self._at_s + left / self._speed(len(self._using))

    def go_on(self, now_s: float) -> None:
        if self._using:
            self._each_done += (now_s - self._at_s) * self._speed(len(self._using))
        self._at_s = now_s

    def end_first(self) -> Then:
        """Take out the one that is done first; what it wanted to be called."""
        self._each_done, _, then = heapq.heappop(self._using)
        return then


class SimulatedMachine:
    """Cores, a disk and licences under one clock, ``now_s``.

    ``core_s``: the CPU time until now of one that has computed all the while.
    """

    def __init__(self, machine: ModelMachine, contention: float) -> None:
        self.now_s = 0.0
        self.core_s = 0.0
        self._cores = machine.cores
        self._contention = contention
        self._cpus = Shared(self._speed_of_cores)
        self._mb_per_s = machine.disk_mb_per_s
        self._seek_share = machine.seek_share
        self._disk = Shared(self._speed_of_disk)
        self._licences = math.inf if machine.licences is None else machine.licences
        self._waiting: deque[Then] = deque()

    def compute(self, work_s: float, then: Then) -> None:
        """``work_s`` of one core."""
        self._cpus.use(work_s, then)

    def read(self, size_mb: float, then: Then) -> None:
        if math.isinf(self._mb_per_s):
            then()
        else:
            self._disk.use(size_mb, then)

    def get_licence(self, then: Then) -> None:
        """Call ``then`` as soon as a licence is free."""
        if self._licences:
            self._licences -= 1
            then()
        else:
            self._waiting.append(then)

    def return_licence(self) -> None:
        if self._waiting:
            self._waiting.popleft()()
        else:
            self._licences += 1

    def spend(self, work_s: float) -> None:
        """Let time go on until whoever calls this has done ``work_s`` on a core."""
        if work_s <= 0:
            return
        done: list[bool] = []
        self.compute(work_s, lambda: done.append(True))
        self.go_on(lambda: bool(done), math.inf)

    def go_on(self, until: Callable[[], bool], until_s: float) -> None:
        """Let events happen until ``until`` or, at the latest, ``until_s``."""
        while not until():
            used = min((self._cpus, self._disk), key=lambda it: it.next_s)
            next_s = used.next_s
            if next_s > until_s or math.isinf(next_s):
                if math.isinf(until_s):
                    raise RuntimeError("nothing is left that could happen")
                self._pass(until_s)
                return
            self._pass(next_s)
            used.end_first()()

    def _pass(self, now_s: float) -> None:
        now_s = max(now_s, self.now_s)
        self.core_s += (now_s - self.now_s) * min(1.0, self._cores / max(1, len(self._cpus)))
        self._cpus.go_on(now_s)
        self._disk.go_on(now_s)
        self.now_s = now_s

    def _speed_of_disk(self, users: int) -> float:
        return self._mb_per_s / users / (1.0 + self._seek_share * (users - 1))

    def _speed_of_cores(self, users: int) -> float:
        busy = min(users, self._cores)
        slower = 1.0 + self._contention * (busy - 1) / max(1, self._cores - 1)
        return busy / users / slower

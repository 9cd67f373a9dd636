"""A batch on a simulated machine: the core's own loop and scheduler, on an executor of the model.

What starts when is decided by the very code that decides it in a real batch, and by the plugins
that the manager holds. Only what work costs, and whom it keeps waiting, is the model's.
"""

from __future__ import annotations

import math
import os
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from digitalmodel_optimizer.batch.files_run import Caller, FilesRun
from digitalmodel_optimizer.batch.loop import SAMPLE_S, Surroundings
from digitalmodel_optimizer.batch.resources import ProcessUsage
from digitalmodel_optimizer.batch.tracker import Tracker
from digitalmodel_optimizer.bench.machine_model import Costs, ModelMachine, SimulatedMachine
from digitalmodel_optimizer.plugin import (
    BYTES_PER_MB,
    Batch,
    Executor,
    FileResult,
    FileTask,
    Machine,
    Schedule,
    Settings,
    SimulationFile,
    Timings,
    hookimpl,
)
from digitalmodel_optimizer.plugin.manager import Manager

BEGAN_S = 1_700_000_000.0
"""When a simulated batch began, in s since 1970."""


@dataclass(frozen=True)
class Simulated:
    """How a batch went: workers started, the highest limit, seconds in all, memory at the peak.

    ``schedule`` is the last one that was made, ``decisions`` what was decided, in words,
    ``results`` what became of each file.
    """

    workers: int
    limit: int
    elapsed_s: float
    memory_mb: float
    schedule: Schedule
    decisions: tuple[str, ...]
    results: tuple[FileResult, ...] = ()


@dataclass(eq=False)
class _Worker:
    number: int
    largest_mb: float = 0.0
    task: FileTask | None = None
    began_s: float = 0.0
    ended_s: float = 0.0
    cpu_s: float = 0.0
    cpu_before_s: float = 0.0
    computes_since_s: float | None = None

    @property
    def pid(self) -> int:
        return -self.number  # no process has it

    def cpu_until(self, core_s: float) -> float:
        """CPU seconds on files, while one that always computes has had ``core_s``."""
        since_s = self.computes_since_s
        return self.cpu_s + (0.0 if since_s is None else core_s - since_s)


class SimulatedExecutor(Executor):
    """A worker process for each running file, as ``hybrid-executor`` has it.

    The parent, on whose thread the core calls this, starts workers and takes results in; while it
    does, the others go on. A free worker takes the file that waits longest; workers are started for
    files that find none.

    :param ready: workers that were started early.
    """

    name = "simulated"
    isolates = True

    def __init__(self, machine: SimulatedMachine, costs: Costs, ready: int) -> None:
        self.most = 1
        self._machine, self._costs = machine, costs
        self._allowed = 1
        self._workers: list[_Worker] = []
        self._starting = 0
        self._free: list[_Worker] = []
        self._queue: deque[FileTask] = deque()
        self._arrived: deque[_Worker] = deque()
        for _ in range(ready):
            self._begin_start(costs.ready_s)
        if not ready:
            self._start_worker()

    def submit(self, task: FileTask) -> None:
        self._queue.append(task)
        self._dispatch()

    def wait(self, timeout_s: float) -> Sequence[FileResult]:
        machine = self._machine
        if self._start_further():  # after each start it hears those that run
            timeout_s = 0.0
        machine.go_on(lambda: bool(self._arrived), machine.now_s + timeout_s)
        finished = []
        while self._arrived:
            worker = self._arrived.popleft()
            if worker.task is None:
                self._starting -= 1
            else:
                finished.append(self._result(worker, worker.task))
            self._free.append(worker)
        self._dispatch()
        return finished

    def resize(self, workers: int) -> None:
        self._allowed = workers
        self.most = max(self.most, workers)

    @property
    def ready_workers(self) -> int:
        return len(self._workers)

    @property
    def starting_workers(self) -> int:
        return self._starting

    @property
    def files_by_pid(self) -> Mapping[int, int]:
        return {worker.pid: 1 for worker in self._workers if worker.task}

    @property
    def cpu_s(self) -> dict[int, float]:
        """CPU seconds that workers have spent on files, by process id."""
        core_s = self._machine.core_s
        return {worker.pid: worker.cpu_until(core_s) for worker in self._workers}

    @property
    def memory_mb(self) -> float:
        """Of the workers, and of the files that they have."""
        files_mb = sum(worker.task.file.size_mb for worker in self._workers if worker.task)
        return len(self._workers) * self._costs.worker_memory_mb + self._needs_mb(files_mb)

    def _dispatch(self) -> None:
        while self._queue and self._free:
            self._begin_file(self._free.pop(), self._queue.popleft())  # its memory is warm

    def _start_further(self) -> bool:
        """A worker for a file that waits, unless one is coming; whether one was started."""
        if len(self._queue) <= self._starting or len(self._workers) >= self._allowed:
            return False
        self._start_worker()
        return True

    def _start_worker(self) -> None:
        self._machine.spend(self._costs.spawn_s)
        self._begin_start(self._costs.start_s)

    def _begin_start(self, work_s: float) -> None:
        worker = _Worker(len(self._workers) + 1)
        self._workers.append(worker)
        self._starting += 1
        self._machine.compute(work_s, lambda: self._arrived.append(worker))

    def _begin_file(self, worker: _Worker, task: FileTask) -> None:
        machine, size_mb = self._machine, task.file.size_mb
        worker.task = task
        worker.cpu_before_s = worker.cpu_s

        def read() -> None:
            worker.began_s = machine.now_s
            machine.read(size_mb, compute)

        def compute() -> None:
            worker.computes_since_s = machine.core_s
            machine.compute(self._costs.seconds(size_mb, worker.largest_mb), end)

        def end() -> None:
            worker.ended_s = machine.now_s
            worker.cpu_s = worker.cpu_until(machine.core_s)
            worker.computes_since_s = None
            machine.return_licence()
            self._arrived.append(worker)

        machine.get_licence(read)

    def _result(self, worker: _Worker, task: FileTask) -> FileResult:
        """Take a worker's result in, which the parent has to do."""
        size_mb = task.file.size_mb
        total_s = worker.ended_s - worker.began_s
        self._machine.spend(self._costs.turn_s)
        growth_mb = self._needs_mb(max(0.0, size_mb - worker.largest_mb))
        worker.task, worker.largest_mb = None, max(worker.largest_mb, size_mb)
        return FileResult(
            task.file,
            timings=Timings(
                total_s,
                cpu_s=worker.cpu_s - worker.cpu_before_s,
                load_s=max(0.0, total_s - self._costs.file_s),
                began_s=BEGAN_S + worker.began_s,
            ),
            worker=worker.pid,
            memory_growth_mb=growth_mb,
        )

    def _needs_mb(self, size_mb: float) -> float:
        return self._costs.memory_factor * size_mb


class _Supply:
    """The plugin that hands the simulated executor to the core."""

    def __init__(self, machine: SimulatedMachine, costs: Costs, ready: int) -> None:
        self._machine, self._costs, self._ready = machine, costs, ready
        self.executor: SimulatedExecutor | None = None

    @hookimpl(tryfirst=True)
    def optimizer_executor(self, schedule: Schedule) -> Executor:
        ready = min(self._ready, schedule.workers)  # those beyond are ended
        self.executor = SimulatedExecutor(self._machine, self._costs, ready)
        return self.executor


class _NoFile:
    """What processes a file, where none is processed."""

    def __call__(self, task: FileTask) -> FileResult:
        raise NotImplementedError

    def warm_up(self) -> None:
        """Nothing comes before a file that is not processed."""


def simulate(
    sizes_mb: Sequence[float],
    machine: ModelMachine,
    costs: Costs,
    manager: Manager,
    settings: Settings,
    *,
    ready: int = 0,
    memory_total_mb: float | None = None,
    adjusted: bool = True,
) -> Simulated:
    """Run files of ``sizes_mb`` as the plugins of ``manager`` decide.

    :param ready: so many workers were started early.
    :param memory_total_mb: of the machine; None: no more than is available.
    :param adjusted: False where no plugin changes anything while the batch runs, so that nothing
        has to be looked at for them.
    """
    simulated = SimulatedMachine(machine, costs.contention)
    files = make_files(sizes_mb)
    supply = _Supply(simulated, costs, ready)
    results: dict[int, FileResult] = {}
    decisions: list[str] = []

    def keep(result: FileResult) -> FileResult:
        return results.setdefault(result.file.index, result)

    def used_mb() -> float:
        return supply.executor.memory_mb if supply.executor else 0.0

    def usage(_: Sequence[int] | None, **__: bool) -> dict[int, ProcessUsage]:
        cpu_s = supply.executor.cpu_s if supply.executor else {}
        workers = {pid: ProcessUsage(0.0, seconds) for pid, seconds in cpu_s.items()}
        return {os.getpid(): ProcessUsage(used_mb(), 0.0), **workers}

    def measure() -> Machine:
        total_mb = machine.memory_mb if memory_total_mb is None else memory_total_mb
        return Machine(machine.cores, total_mb, max(0.0, machine.memory_mb - used_mb()), "win32")

    def clock() -> float:
        return simulated.now_s

    run = FilesRun(
        manager,
        settings,
        _NoFile(),
        Tracker(files, clock, lambda: measure().memory_available_mb),
        Surroundings(
            clock,
            usage,
            measure,
            sample_s=SAMPLE_S if adjusted else math.inf,
        ),
        Caller(lambda _: None, lambda _: None, keep, decisions.append, results),
    )
    manager.register(supply)
    try:
        batch = Batch("simulated", files, "results")
        manager.tell("optimizer_batch_started", batch=batch, settings=settings)
        run.run(files, ready)
    finally:
        manager.unregister(supply)
    assert run.schedule is not None
    assert supply.executor is not None
    return Simulated(
        workers=supply.executor.ready_workers,
        limit=supply.executor.most,
        elapsed_s=simulated.now_s + costs.batch_s + costs.merge_s * len(files),
        memory_mb=run.resources.peak_mb,
        schedule=run.schedule,
        decisions=tuple(decisions),
        results=tuple(results[file.index] for file in files),
    )


def make_files(sizes_mb: Sequence[float]) -> tuple[SimulationFile, ...]:
    return tuple(
        SimulationFile(index, f"case_{index}.sim", round(size_mb * BYTES_PER_MB))
        for index, size_mb in enumerate(sizes_mb)
    )

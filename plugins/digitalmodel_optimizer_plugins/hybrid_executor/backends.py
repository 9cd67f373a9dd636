"""The backends: how the files of a schedule are driven, and where each of them runs.

Everywhere but in :func:`run_serial` joblib drives ``schedule.most_workers`` threads in the parent,
of which as many are admitted at a time as the present limit allows. Each takes a file, is admitted
by ``control.run``, and does the file itself (threading), waits for a worker process of ours (loky,
hybrid), or for another joblib backend (dask, ray, ...). A file that ended an earlier run is always
given a worker process.
"""

from __future__ import annotations

import queue
import threading
import warnings
import weakref
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from digitalmodel_optimizer.plugin import (
    Control,
    FileResult,
    FileTask,
    ProcessFile,
    Schedule,
    Settings,
    WorkerLostError,
)
from digitalmodel_optimizer_plugins.hybrid_executor.spares import spares
from digitalmodel_optimizer_plugins.hybrid_executor.worker_pool import WorkerPool, stopped
from digitalmodel_optimizer_plugins.hybrid_executor.worker_process import (
    CTRL_C_CHECK_S,
    WorkerLimits,
    WorkerProcess,
)

RunOnce = Callable[[FileTask], FileResult]


@dataclass(frozen=True)
class Execution:
    """What every backend is given: the files, how one is processed, and under which settings."""

    schedule: Schedule
    process_file: ProcessFile
    control: Control
    settings: Settings
    options: Mapping[str, Any]


_open_pools: weakref.WeakSet[WorkerPool] = weakref.WeakSet()


def close_open_pools() -> None:
    """End the workers of executions whose iterator was neither used up nor closed."""
    for pool in list(_open_pools):
        pool.close(kill=True)
        _open_pools.discard(pool)


def run_serial(run: Execution) -> Iterator[FileResult]:
    """On the calling thread, one file after the other."""
    run_once, pools = _here(run)
    completed = False
    try:
        for task in run.schedule.order:
            yield stopped(task) if run.control.stopping else run.control.run(task, run_once)
        completed = True
    finally:
        for pool in pools:
            _end_pool(pool, completed=completed)


def run_threading(run: Execution) -> Iterator[FileResult]:
    """In threads of this process."""
    run_once, pools = _here(run)
    return _drive(run, run_once, pools)


def _here(run: Execution) -> tuple[RunOnce, tuple[WorkerPool, ...]]:
    """Files run in this process, but for those that ended it once, where processes are allowed."""
    if not run.settings.use_processes or not any(task.isolated for task in run.schedule.order):
        return run.process_file, ()
    isolated = _isolated_pool(run)

    def run_once(task: FileTask) -> FileResult:
        return isolated.run_once(task) if task.isolated else run.process_file(task)

    return run_once, (isolated,)


def run_loky(run: Execution) -> Iterator[FileResult]:
    """In worker processes, each with one file at a time."""
    pool = _isolated_pool(run)
    return _drive(run, pool.run_once, (pool,))


def run_hybrid(run: Execution, shape: tuple[int, int]) -> Iterator[FileResult]:
    """In ``shape`` (processes, threads inside each); a file that was lost there runs isolated."""
    from digitalmodel_optimizer_plugins.hybrid_executor.crew_process import CrewProcess

    processes, threads = shape
    limits = worker_limits(run.settings, run.options)
    crews = WorkerPool(
        lambda: CrewProcess(run.process_file, limits, threads),
        processes,
        limits.stop_s,
        run.options["idle_worker_s"],
    )
    isolated = _isolated_pool(run)
    lost: set[int] = set()

    def run_once(task: FileTask) -> FileResult:
        if task.isolated or task.attempt > 1 or task.file.index in lost:
            return isolated.run_once(task)
        try:
            return crews.run_once(task)
        except WorkerLostError:
            lost.add(task.file.index)
            raise

    return _drive(run, run_once, (crews, isolated))


def run_other(run: Execution, name: str) -> Iterator[FileResult]:
    """By any other backend that joblib knows; each file is a call of its own to it."""
    from joblib import Parallel, delayed  # type: ignore[import-untyped, unused-ignore]

    def run_once(task: FileTask) -> FileResult:
        # More than one job, since joblib runs a single one on the calling thread instead.
        there = Parallel(n_jobs=2, backend=name, batch_size=1)
        try:
            result: FileResult = there([delayed(run.process_file)(task)])[0]
        except Exception as error:
            # process_file does not raise for a file's own fault, so its worker has failed.
            text = f"the joblib backend {name} lost {task.file.path}: {error!r}"
            raise WorkerLostError(text) from error
        return result

    return _drive(run, run_once, ())


def _isolated_pool(run: Execution) -> WorkerPool:
    process_file, limits = run.process_file, worker_limits(run.settings, run.options)
    return WorkerPool(
        lambda: spares.take(process_file, limits) or WorkerProcess(process_file, limits),
        run.schedule.most_workers,
        limits.stop_s,
        run.options["idle_worker_s"],
    )


def worker_limits(settings: Settings, options: Mapping[str, Any]) -> WorkerLimits:
    return WorkerLimits(
        settings.timeout_per_file_s, options["start_timeout_s"], options["stop_timeout_s"]
    )


def _end_pool(pool: WorkerPool, *, completed: bool) -> None:
    """Workers of a pool that has done its work wait for more of the batch; others end."""
    for worker in pool.hand_over() if completed else ():
        spares.put(worker)
    pool.close(kill=not completed)


def _drive(
    run: Execution, run_once: RunOnce, pools: tuple[WorkerPool, ...]
) -> Iterator[FileResult]:
    """Results as they are finished; whatever ends the iteration also ends the workers."""
    from joblib import Parallel, delayed  # type: ignore[import-untyped, unused-ignore]

    order = run.schedule.order
    finished: queue.SimpleQueue[FileResult | BaseException] = queue.SimpleQueue()
    tasks, taking = iter(order), threading.Lock()
    ended = False

    def drive() -> None:
        """One file after the other; one joblib task a file would cost four changes of thread."""
        while True:
            with taking:
                task = next(tasks, None)
            if task is None:
                return
            try:
                stopping = ended or run.control.stopping
                finished.put(stopped(task) if stopping else run.control.run(task, run_once))
            except BaseException as error:  # not the file's: it ends the batch
                finished.put(error)
                return

    _open_pools.update(pools)
    count = max(1, min(run.schedule.most_workers, len(order)))
    # joblib runs a single job on the calling thread.
    drivers = Parallel(
        n_jobs=max(2, count), backend="threading", batch_size=1, return_as="generator_unordered"
    )
    started = drivers(delayed(drive)() for _ in range(count))
    completed = False
    try:
        # Not from joblib's generator, which looks for results every hundredth of a second.
        for _ in order:
            yield _next_of(finished)
        completed = True
    finally:
        ended = True
        # Closing us must end the workers first, joblib's threads after them.
        for pool in pools:
            _end_pool(pool, completed=completed)
            _open_pools.discard(pool)
        with warnings.catch_warnings():
            # joblib remarks on results that nobody will read; that is what was asked for.
            warnings.simplefilter("ignore")
            started.close()


def _next_of(finished: queue.SimpleQueue[FileResult | BaseException]) -> FileResult:
    while True:
        try:
            # On Windows a wait on the main thread does not notice Ctrl-C before it is over.
            result = finished.get(timeout=CTRL_C_CHECK_S)
        except queue.Empty:
            continue
        if isinstance(result, BaseException):
            raise result
        return result

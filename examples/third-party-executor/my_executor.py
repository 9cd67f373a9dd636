"""my-executor: files in the processes of a ``concurrent.futures`` pool."""

from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from multiprocessing.context import SpawnContext, SpawnProcess
from typing import Any

import digitalmodel_optimizer.plugin as dmo


class PoolExecutor(dmo.Executor):
    name = "my-executor"

    def __init__(self, process_file: dmo.ProcessFile, workers: int) -> None:
        self._call, self._workers = process_file, workers
        self._files: dict[Future[dmo.FileResult], dmo.FileTask] = {}
        self._begin()

    def _begin(self) -> None:
        self._processes: list[SpawnProcess] = []
        context: Any = SpawnContext()
        context.Process = self._process
        self._pool = ProcessPoolExecutor(self._workers, context, self._call.warm_up)

    def _process(self, **arguments: Any) -> SpawnProcess:
        self._processes.append(SpawnProcess(**arguments))
        return self._processes[-1]

    def submit(self, task: dmo.FileTask) -> None:
        try:
            self._files[self._pool.submit(self._call, task)] = task
        except RuntimeError:  # a process was lost, and the pool with it
            self._begin()
            self._files[self._pool.submit(self._call, task)] = task

    def wait(self, timeout_s: float) -> list[dmo.FileResult]:
        if len(self.pids) < len(self._processes):  # one was lost, and the pool may not know
            self.close(kill=True)
        done, _ = wait(self._files or [Future()], timeout_s, FIRST_COMPLETED)
        return [_result(self._files.pop(future), future) for future in done]

    def close(self, *, kill: bool) -> None:
        self._pool.shutdown(wait=False)
        for process in self._processes if kill else ():
            process.kill()
            process.join()

    @property
    def pids(self) -> list[int]:
        return [process.pid for process in self._processes if process.is_alive()]


def _result(task: dmo.FileTask, future: Future[dmo.FileResult]) -> dmo.FileResult:
    error = future.exception()
    lost = dmo.FileError(dmo.ErrorKind.CRASHED, f"{type(error).__name__}: {error}")
    return dmo.FileResult(task.file, lost, attempt=task.attempt) if error else future.result()


@dmo.hookimpl
def optimizer_executor(schedule: dmo.Schedule, process_file: dmo.ProcessFile) -> dmo.Executor:
    return PoolExecutor(process_file, min(schedule.max_workers, 61))

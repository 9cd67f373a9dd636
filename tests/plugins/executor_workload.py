"""What the executor's tests run in real worker processes: files that work, crash, hang and grow.

Importable by workers (the tests put this folder on their path); standard library and contract only.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from digitalmodel_optimizer.batch.defaults import CoreDefaults
from digitalmodel_optimizer.batch.loop import BatchLoop, Surroundings
from digitalmodel_optimizer.batch.scheduler import Scheduler
from digitalmodel_optimizer.batch.tracker import Tracker
from digitalmodel_optimizer.plugin import (
    Allocation,
    Assignment,
    Executor,
    FileResult,
    FileTask,
    Group,
    Machine,
    Measured,
    Schedule,
    Settings,
    SimulationFile,
)
from digitalmodel_optimizer.plugin.manager import Manager
from digitalmodel_optimizer_plugins import hybrid_executor

_only_one = threading.Lock()
"""What the threads of a process wait for."""


class Poison:
    """A value that can be pickled and not unpickled."""

    def __reduce__(self) -> Any:
        return (_refuse, ())


def _refuse() -> None:
    raise ValueError("poisoned")


@dataclass(frozen=True)
class Workload:
    """A ``process_file``: what each file does, by index; each run leaves a note in ``folder``."""

    folder: str
    behaviours: Mapping[int, str] = field(default_factory=dict)
    start_s: float = 0.0

    def warm_up(self) -> None:
        time.sleep(self.start_s)
        Path(self.folder, f"warm-{os.getpid()}-{time.monotonic_ns()}").touch()

    def __call__(self, task: FileTask) -> FileResult:
        index = task.file.index
        name = f"run-{index}-{task.attempt}-{os.getpid()}"
        Path(self.folder, name).touch()
        behaviour = self.behaviours.get(index, "ok")
        payload: Any = {"thread": threading.get_ident()}
        retire = False
        if behaviour == "abort":
            os.abort()
        elif behaviour == "kill once" and task.attempt == 1:
            os.kill(os.getpid(), signal.SIGTERM if sys.platform == "win32" else signal.SIGKILL)
        elif behaviour == "exit":
            os._exit(3)
        elif behaviour == "exit beside a child":
            if (child := os.fork()) == 0:
                time.sleep(600)
            Path(self.folder, f"child-{child}").touch()
            os._exit(3)
        elif behaviour == "hang":
            child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
            Path(self.folder, f"child-{child.pid}").touch()
            time.sleep(600)
        elif behaviour == "hold up":
            with _only_one:
                time.sleep(600)
        elif behaviour == "wait":
            time.sleep(0.2)  # until the other one has it
            with _only_one:
                pass
        elif behaviour == "half a result":
            _die_half_way_through_sending()
            payload = b"x" * 5_000_000
        elif behaviour == "poison":
            payload = Poison()
        elif behaviour == "raise":
            raise KeyError("raised by process_file")
        elif behaviour == "grow":
            retire = True
        elif behaviour.startswith("sleep "):
            time.sleep(float(behaviour.split()[1]))
        return FileResult(
            task.file,
            payload=payload,
            attempt=task.attempt,
            worker=os.getpid(),
            retire_worker=retire,
        )


def _die_half_way_through_sending() -> None:
    from multiprocessing.connection import Connection

    whole = Connection._send

    def half(self: Any, buffer: Any, *rest: Any) -> None:
        if len(buffer) > 1_000_000:
            whole(self, buffer[:100_000], *rest)
            os.kill(os.getpid(), signal.SIGKILL)
        whole(self, buffer, *rest)

    Connection._send = half


MACHINE = Machine(2, 8_000.0, 8_000.0, sys.platform)


def schedule_of(count: int, workers: int) -> Schedule:
    files = tuple(SimulationFile(n, f"file_{n}.sim", 1_000_000) for n in range(count))
    assignment = Assignment(Group("all", files), Allocation(workers, 1, "asked"))
    return Schedule((assignment,), tuple(FileTask(file, 1) for file in files), Measured())


def settings_of(
    time_limit_s: float | None = None, *, use_processes: bool = True, **options: Any
) -> Settings:
    defaults = {option.name: option.default for option in hybrid_executor.OPTIONS.options}
    return Settings(
        enabled=True,
        timeout_per_file_s=time_limit_s,
        use_processes=use_processes,
        plugin_options={hybrid_executor.NAME: {**defaults, **options}},
    )


class Run:
    """Files through the core's loop, on the executor that hybrid-executor supplies."""

    def __init__(self, workload: Any, count: int, workers: int, settings: Settings) -> None:
        self.manager = Manager()
        self.manager.register(CoreDefaults(), name="core")
        self.manager.register(hybrid_executor, name="hybrid-executor")
        self.manager.hook.optimizer_batch_started(batch=None, settings=settings)
        self.schedule = schedule_of(count, workers)
        self.executor: Executor = self.manager.ask(
            "optimizer_executor",
            schedule=self.schedule,
            process_file=workload,
            machine=MACHINE,
            settings=settings,
        )
        self.results: dict[int, FileResult] = {}
        self.decisions: list[str] = []
        self.scheduler = Scheduler(isolated_alone=not self.executor.isolates)
        start_s = time.perf_counter()

        def clock() -> float:
            return time.perf_counter() - start_s

        self.loop = BatchLoop(
            self.scheduler,
            self.executor,
            self.manager,
            settings,
            Tracker((task.file for task in self.schedule.order), clock, lambda: 1.0),
            Surroundings(clock, lambda _pids, **_: {}, lambda: MACHINE),
            state_for=lambda _file: None,
            processed=lambda _result: None,
            take=self.take,
            decide=self.decisions.append,
        )
        self.scheduler.plan(self.schedule)
        self.scheduler.add(self.schedule.order)
        self.executor.resize(workers)

    def take(self, result: FileResult) -> FileResult:
        assert result.file.index not in self.results, "a file came back twice"
        self.results[result.file.index] = result
        return result

    def run(self) -> dict[int, FileResult]:
        try:
            self.loop.run()
            self.executor.close(kill=False)
            return self.results
        finally:
            self.executor.close(kill=True)


def main(folder: str, backend: str) -> None:
    """A parent process of its own, for tests that interrupt or kill the parent: four long files."""
    settings = settings_of(backend=backend, processes=2, threads_inside=2)
    workload = Workload(folder, dict.fromkeys(range(4), "sleep 600"))
    try:
        Run(workload, 4, 2, settings).run()
    except KeyboardInterrupt:
        print("interrupted", flush=True)
        sys.exit(130)


if __name__ == "__main__":
    import executor_workload  # by its name: workers know no main module

    executor_workload.main(*sys.argv[1:])

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
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from digitalmodel_optimizer.plugin import (
    Allocation,
    Assignment,
    Batch,
    BatchReport,
    Decision,
    ErrorKind,
    FileError,
    FileResult,
    FileTask,
    Group,
    Measured,
    Schedule,
    Settings,
    SimulationFile,
    WorkerLostError,
)
from digitalmodel_optimizer_plugins import hybrid_executor


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
        engine: Any = {"thread": threading.get_ident()}
        notes: dict[str, dict[str, float]] = {}
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
        elif behaviour == "half a result":
            _die_half_way_through_sending()
            engine = b"x" * 5_000_000
        elif behaviour == "poison":
            engine = Poison()
        elif behaviour == "raise":
            raise KeyError("raised by process_file")
        elif behaviour == "grow":
            notes = {"gc": {"replace_worker": 1.0}}
        elif behaviour.startswith("sleep "):
            time.sleep(float(behaviour.split()[1]))
        return FileResult(
            task.file, payload=engine, attempt=task.attempt, worker=os.getpid(), notes=notes
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


class FakeControl:
    """The core's part in its simplest form: no budgets, failures decided by the plugin itself."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.backend = ""
        self.decisions: list[str] = []
        self.stop = False
        self.started: list[int] = []
        self.most_running = 0
        self._running = 0
        self._lock = threading.Lock()

    def run(self, task: FileTask, run_once: Callable[[FileTask], FileResult]) -> FileResult:
        with self._lock:
            self.started.append(task.file.index)
            self._running += 1
            self.most_running = max(self.most_running, self._running)
        try:
            return self._attempts(task, run_once)
        finally:
            with self._lock:
                self._running -= 1

    def _attempts(self, task: FileTask, run_once: Callable[[FileTask], FileResult]) -> FileResult:
        while True:
            try:
                result = run_once(task)
            except WorkerLostError as lost:
                kind = ErrorKind.TIMEOUT if lost.timed_out else ErrorKind.CRASHED
                error = FileError(kind, str(lost))
                result = FileResult(task.file, error=error, attempt=task.attempt)
            if result.error is None:
                return result
            decision: Decision | None = hybrid_executor.optimizer_file_failed(
                task.file, result.error, task.attempt, self.settings
            )
            if decision is None or decision.action == "give_up":
                return result
            task = replace(task, attempt=task.attempt + 1)

    def decide(self, text: str) -> None:
        self.decisions.append(text)

    def chose_backend(self, name: str) -> None:
        self.backend = name

    @property
    def stopping(self) -> bool:
        return self.stop


def schedule_of(count: int, workers: int, measured: Measured | None = None) -> Schedule:
    files = tuple(SimulationFile(n, f"file_{n}.sim", 1_000_000) for n in range(count))
    assignment = Assignment(Group("all", files), Allocation(workers, 1, "asked"))
    return Schedule(
        (assignment,), tuple(FileTask(file, 1) for file in files), measured or Measured()
    )


def settings_of(time_limit_s: float | None = None, **options: Any) -> Settings:
    return Settings(
        enabled=True,
        timeout_per_file_s=time_limit_s,
        plugin_options={hybrid_executor.NAME: options},
    )


def end_batch() -> None:
    """As the core ends a batch, whatever has become of it."""
    batch = Batch("", (), "")
    report = BatchReport(batch, (), None, "", 0.0, (), (), 0.0)
    hybrid_executor.optimizer_batch_finished(batch=batch, report=report, settings=settings_of())


def main(folder: str, backend: str) -> None:
    """A parent process of its own, for tests that interrupt or kill the parent: four long files."""
    settings = settings_of(backend=backend, processes=2, threads_inside=2)
    workload = Workload(folder, dict.fromkeys(range(4), "sleep 600"))
    control = FakeControl(settings)
    results = hybrid_executor.optimizer_execute(schedule_of(4, 2), workload, control, settings)
    try:
        list(results)
    except KeyboardInterrupt:
        print("interrupted", flush=True)
        sys.exit(130)


if __name__ == "__main__":
    main(*sys.argv[1:])

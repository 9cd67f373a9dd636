"""The worker's side of a batch, in the parent itself or in a process of its own.

A :class:`ProcessOneFile` is what executors hand to a worker: it carries what has to be known of the
batch as one piece of bytes. The process that receives it reads that once, imports the host,
rebuilds the plugins from their names, and keeps all of it for the files that follow.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import pickle
import threading
import warnings
from dataclasses import dataclass, field, replace
from typing import Any

from digitalmodel_optimizer.batch.own_loop import run_own_loop
from digitalmodel_optimizer.batch.stage_board import StageBoard
from digitalmodel_optimizer.file.failures import describe
from digitalmodel_optimizer.file.messages import catch_in_this_process, catching, joined
from digitalmodel_optimizer.file.seams import Seams
from digitalmodel_optimizer.file.unit import BatchFiles, Unit
from digitalmodel_optimizer.host.current import current
from digitalmodel_optimizer.host.layouts import Layout
from digitalmodel_optimizer.host.modules import Host, import_host, select_library
from digitalmodel_optimizer.plugin import (
    ErrorKind,
    FileError,
    FileResult,
    FileTask,
    PluginError,
    Settings,
    hookimpl,
)
from digitalmodel_optimizer.plugin.manager import Manager, PluginReference, build_manager
from digitalmodel_optimizer.plugin.timing import StageClock
from digitalmodel_optimizer.tables.payload import EngineOutput


@dataclass(frozen=True)
class BatchFacts:
    """Everything that a worker process needs to know of a batch.

    ``library`` is the path of the OrcaFlex library that the parent uses, where it tells.
    """

    layout: Layout
    references: tuple[PluginReference, ...]
    settings: Settings
    shared: BatchFiles
    logging_level: int
    library: str | None = None


class EngineDefaults:
    """The innermost implementations of the worker's hooks: the engine itself."""

    def __init__(self) -> None:
        self.unit: Unit | None = None

    @hookimpl(trylast=True)
    def optimizer_process_file(self, task: FileTask) -> FileResult:
        assert self.unit is not None
        return self.unit.process(task)

    @hookimpl(trylast=True)
    def optimizer_load_model(self, native_threads: int) -> Any:
        context = current()
        assert context is not None
        return context.load_natively(native_threads)


class Worker:
    """A host with its seams and the plugins around them; works on many threads."""

    def __init__(
        self,
        host: Host,
        manager: Manager,
        defaults: EngineDefaults,
        settings: Settings,
        shared: BatchFiles,
    ) -> None:
        self.host = host
        self.manager = manager
        self.settings = settings
        self.shared = shared
        self.seams = Seams(host)
        self.board = StageBoard(shared.staging)
        self.start_faults: tuple[str, ...] = ()
        self.unit = defaults.unit = Unit(
            host, manager.hook, settings, shared, self.seams.get_objects, manager.blame
        )

    def process(self, task: FileTask) -> FileResult:
        """One file through plugins and host; never raises for the file's own fault."""
        with StageClock(self.board.file(task.file.index)) as clock:
            result = self._process(task)
        self.board.done()
        return replace(result, timings=clock.timings(), notes=clock.with_notes(result.notes))

    def _process(self, task: FileTask) -> FileResult:
        try:
            result = self.manager.hook.optimizer_process_file(task=task, settings=self.settings)
            self._check(result, task)
        except (Exception, SystemExit) as error:  # a plugin's fault costs this file, not the batch
            fault = describe(error, task.file.path, self.shared.results_folder)
            if isinstance(error, PluginError):
                fault = replace(fault, message=str(error))
            blamed = self.manager.blame(error)
            if blamed is not None:
                fault = replace(fault, message=f"{blamed}: {fault.message}")
            return FileResult(file=task.file, error=fault, attempt=task.attempt, worker=os.getpid())
        faults, self.start_faults = self.start_faults, ()
        result = replace(
            _with_sizes(result),
            worker=os.getpid(),
            attempt=task.attempt,
            warnings=(*result.warnings, *faults),
        )
        if result.error is None:
            return result
        return replace(result, error=self.unit.in_users_terms(result.error))

    def _check(self, result: Any, task: FileTask) -> None:
        """A plugin that wraps the hook may return anything."""
        hook = "optimizer_process_file"
        if not isinstance(result, FileResult):
            raise self.manager.invalid_return(hook, result, "a FileResult")
        if result.file != task.file:
            raise self.manager.invalid_return(hook, result.file, f"the result of {task.file.path}")
        if result.error is None and not isinstance(result.payload, EngineOutput):
            expected = "a FileResult with the payload that the core gave it, or with an error"
            raise self.manager.invalid_return(hook, result.payload, expected)


def _with_sizes(result: FileResult) -> FileResult:
    """Every output with its size, now that all plugins are done; one that is missing is an error.

    Whoever answered ``optimizer_write_table`` had until here to put the table on disk.
    """
    try:
        outputs = tuple(
            replace(output, size_bytes=os.stat(output.staged).st_size) for output in result.outputs
        )
    except OSError as error:
        fault = FileError(ErrorKind.OUTPUT, f"a table was not written: {error}")
        return replace(result, error=fault, payload=None, outputs=())
    return replace(result, outputs=outputs)


@dataclass
class _ThisProcess:
    """The worker that this process is, for the batch called ``identifier``; one at a time.

    ``own``: the parent works on its own batch.
    """

    lock: threading.Lock = field(default_factory=threading.Lock)
    identifier: str = ""
    worker: Worker | None = None
    own: bool = False


_this_process = _ThisProcess()


@dataclass(frozen=True)
class ProcessOneFile:
    """Processes a file of the batch called ``identifier``; ``facts`` is a :class:`BatchFacts`,
    pickled, ``staging`` the folder of its unfinished outputs.
    """

    identifier: str
    facts: bytes = field(repr=False)
    staging: str = ""

    def __call__(self, task: FileTask) -> FileResult:
        if task.own_loop:
            return run_own_loop(task, self.facts, self.staging)
        worker = self._worker()
        if _this_process.own:
            worker.seams.put_in_place()
            return worker.process(task)
        with catching() as messages:
            result = worker.process(task)
        return replace(result, messages=joined(messages))

    def warm_up(self) -> None:
        """Do everything that has to be done before the first file."""
        self._worker()

    def _worker(self) -> Worker:
        this = _this_process
        with this.lock:
            if this.worker is None or this.identifier != self.identifier:
                leave_batch()
                facts = pickle.loads(self.facts)  # noqa: S301 - of the parent, by its pipe
                this.worker = _start_worker_process(facts)
                this.identifier = self.identifier
            return this.worker


def work_in_this_process(identifier: str, worker: Worker) -> None:
    """Let this process, the parent, be a worker of its own batch."""
    _this_process.identifier, _this_process.worker, _this_process.own = identifier, worker, True


def leave_batch() -> None:
    """Take this process out of the batch that it has worked on, with the seams of it."""
    this = _this_process
    if this.worker is not None:
        this.worker.board.close()
        if not this.own:
            this.worker.seams.close()
    this.identifier, this.worker, this.own = "", None, False


@dataclass(frozen=True)
class PrepareWorker:
    """Imports, in a worker process, what no batch changes: the host's seams and the plugins."""

    layout: Layout
    references: tuple[PluginReference, ...]

    def __call__(self) -> None:
        _import_lean(self.layout)
        with contextlib.suppress(Exception), warnings.catch_warnings():  # told in the parent
            warnings.simplefilter("ignore")
            build_manager(self.references)
        # Nobody waits yet: look through all imports now, and never again.
        gc.collect()
        gc.freeze()


def _import_lean(layout: Layout) -> Host:
    from digitalmodel_optimizer import watcher
    from digitalmodel_optimizer.host.lean_imports import defer_imports

    watcher.stop_watching()
    defer_imports(layout.packages, layout.loud)
    for name in layout.file_imports:
        importlib.import_module(name)
    return import_host(layout)


def _start_worker_process(facts: BatchFacts) -> Worker:
    select_library(facts.library)
    host = _import_lean(facts.layout)
    defaults = EngineDefaults()
    manager = build_manager(
        facts.references,
        facts.settings.blocked,
        defaults=[("engine", defaults)],
        trace=facts.settings.trace,
    )
    worker = Worker(host, manager, defaults, facts.settings, facts.shared)
    worker.seams.put_in_place()
    catch_in_this_process(facts.logging_level)
    manager.tell("optimizer_worker_started", settings=facts.settings)
    worker.start_faults = tuple(str(fault) for fault in manager.faults)
    return worker

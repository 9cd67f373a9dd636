"""The worker's side of a batch, in the parent itself or in a process of its own.

A :class:`ProcessOneFile` is what executors send: the name of a folder and nothing else. The
process that receives it loads the batch's payload once, imports the host, rebuilds the plugins
from their names, and keeps all of it for the files that follow.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import threading
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from digitalmodel_optimizer.file.attempts import attempt_folder
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

PAYLOAD_NAME = "batch.pickle"


@dataclass(frozen=True)
class Payload:
    """Everything that a worker process needs to know of a batch; sent once per process.

    ``library`` is the path of the OrcaFlex library that the parent uses, where it tells.
    """

    layout: Layout
    references: tuple[PluginReference, ...]
    settings: Settings
    shared: BatchFiles
    parent: int
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
    """A host with its seams in place and the plugins around them; works on many threads."""

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
        defaults.unit = Unit(
            host, manager.hook, settings, shared, self.seams.get_objects, manager.culprit
        )

    def process(self, task: FileTask) -> FileResult:
        """One file through plugins and engine; never raises for the file's own fault."""
        try:
            result = self.manager.hook.optimizer_process_file(task=task, settings=self.settings)
            if not isinstance(result, FileResult):
                hook = "optimizer_process_file"
                raise self.manager.wrong_answer(hook, result, "a FileResult")
        except (Exception, SystemExit) as error:  # a plugin's fault costs this file, not the batch
            fault = describe(error)
            if isinstance(error, PluginError):
                fault = replace(fault, message=str(error))
            culprit = self.manager.culprit(error)
            if culprit is not None:
                fault = replace(fault, message=f"{culprit}: {fault.message}")
            return FileResult(file=task.file, error=fault, attempt=task.attempt, worker=os.getpid())
        return self._in_users_terms(_with_sizes(result), task)

    def _in_users_terms(self, result: FileResult, task: FileTask) -> FileResult:
        """An error names an output where the user will look for it, not where it is staged."""
        error = result.error
        if error is None:
            return result
        staging = attempt_folder(self.shared.staging, task.file.index, task.attempt)
        message, details = (
            text.replace(staging, self.shared.results_folder)
            for text in (error.message, error.details)
        )
        return replace(result, error=FileError(error.kind, message, details))


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


_workers: dict[str, Worker] = {}
_lock = threading.Lock()


@dataclass(frozen=True)
class ProcessOneFile:
    """Processes a file of the batch whose payload stands in ``folder``; small and picklable."""

    folder: str

    def __call__(self, task: FileTask) -> FileResult:
        worker = self._worker()
        if os.getpid() == _parents.get(self.folder):
            return worker.process(task)
        with catching() as messages:
            result = worker.process(task)
        return replace(result, messages=joined(messages))

    def warm_up(self) -> None:
        """Do everything that has to be done before the first file."""
        self._worker()

    def _worker(self) -> Worker:
        with _lock:
            if self.folder not in _workers:
                payload = pickle.loads(Path(self.folder, PAYLOAD_NAME).read_bytes())
                _workers.clear()
                _workers[self.folder] = _start_worker_process(payload)
            return _workers[self.folder]


_parents: dict[str, int] = {}


def adopt(folder: str, worker: Worker) -> None:
    """Let this process, the parent, be a worker of its own batch."""
    with _lock:
        _workers[folder] = worker
        _parents[folder] = os.getpid()


def dismiss(folder: str) -> None:
    with _lock:
        _workers.pop(folder, None)
        _parents.pop(folder, None)


@dataclass(frozen=True)
class PrepareWorker:
    """Imports, in a worker process, what no batch changes: the host's seams and the plugins."""

    layout: Layout
    references: tuple[PluginReference, ...]

    def __call__(self) -> None:
        _import_lean(self.layout)
        with contextlib.suppress(Exception), warnings.catch_warnings():  # told in the parent
            warnings.simplefilter("ignore")
            build_manager(self.references).call_each("optimizer_worker_prepared")


def _import_lean(layout: Layout) -> Host:
    from digitalmodel_optimizer import watcher
    from digitalmodel_optimizer.host.lean_imports import leave_out

    watcher.stop_watching()
    leave_out(layout.unused_imports)
    return import_host(layout)


def _start_worker_process(payload: Payload) -> Worker:
    select_library(payload.library)
    host = _import_lean(payload.layout)
    defaults = EngineDefaults()
    manager = build_manager(
        payload.references,
        payload.settings.blocked,
        defaults=[("engine", defaults)],
        trace=payload.settings.trace,
    )
    manager.hook.optimizer_configure(settings=payload.settings)
    worker = Worker(host, manager, defaults, payload.settings, payload.shared)
    worker.seams.__enter__()
    catch_in_this_process(payload.logging_level)
    manager.hook.optimizer_worker_started(settings=payload.settings)
    return worker

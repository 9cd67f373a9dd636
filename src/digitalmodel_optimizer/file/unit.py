"""One unit of work: the engine's own ``post_process`` on a configuration that holds one file."""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from digitalmodel_optimizer.file.attempts import attempt_folder
from digitalmodel_optimizer.file.context import FileContext
from digitalmodel_optimizer.file.failures import described_by
from digitalmodel_optimizer.file.input_path import MISSING, why_no_file
from digitalmodel_optimizer.file.plan import GetObjects, objects_lacking, plan_requests
from digitalmodel_optimizer.file.proxies import ModelProxy
from digitalmodel_optimizer.file.reader import ResultReader
from digitalmodel_optimizer.host.config import HostConfig
from digitalmodel_optimizer.host.modules import Host
from digitalmodel_optimizer.host.state import FIRST, EngineState, WorkingCfg
from digitalmodel_optimizer.plugin import (
    ErrorKind,
    FileError,
    FileResult,
    FileTask,
    OutputFile,
    Request,
    Settings,
    SimulationFile,
    Stage,
)
from digitalmodel_optimizer.plugin.data import BYTES_PER_MB
from digitalmodel_optimizer.plugin.timing import current_clock, stage
from digitalmodel_optimizer.tables.payload import EngineOutput, FileTables
from digitalmodel_optimizer.tables.staged import StagedTables

_ASSUMED_SAMPLES = 20_000


@dataclass(frozen=True)
class BatchFiles:
    """What a batch's workers share: the engine's file names and where outputs are staged."""

    names: tuple[Any, ...]
    basename: str
    original_cfg: bytes
    staging: str
    results_folder: str

    def cfg_of(self, files: Sequence[SimulationFile], folder: str) -> Any:
        """The host's configuration as it was read, of these files, its results in ``folder``."""
        cfg = WorkingCfg(self.original_cfg, self.basename).with_state(())
        config = HostConfig(cfg)
        config.files = [self.names[file.index] for file in files]
        config.result_folder = folder
        config.records = {}
        return cfg


class Unit:
    """Runs files through the engine, in this process, on any of its threads."""

    def __init__(
        self,
        host: Host,
        hook: Any,
        settings: Settings,
        shared: BatchFiles,
        get_objects: GetObjects,
        culprit: Callable[[BaseException], str | None],
    ) -> None:
        self.host = host
        self.hook = hook
        self.settings = settings
        self.shared = shared
        self._get_objects = get_objects
        self._culprit = culprit
        self._reads = bool(hook.optimizer_read_results.get_hookimpls())
        self._threads = threading.local()

    def process(self, task: FileTask) -> FileResult:
        """Process one file; what goes wrong with it is in the result, never raised."""
        state = task.state if isinstance(task.state, EngineState) else FIRST
        staging = attempt_folder(self.shared.staging, task.file, task.attempt)
        os.makedirs(staging, exist_ok=True)
        working = self._working_cfg()
        stamp = input_stamp(task.file.path)
        memory_start = _resident_mb()
        context = self._context(task, staging)
        engine: EngineOutput | None = None
        memory_mb = memory_start
        with context:
            try:
                engine = self._run(context, working, state)
                error = context.passing_error or context.load_error or context.engine_error
            except (Exception, SystemExit) as raised:  # a library's exit() is no end of the batch
                error = self._explain(context, raised)
                working.discard()
            memory_mb = max(memory_mb, _resident_mb())
        error = _changed(task, stamp, input_stamp(task.file.path)) or error
        if error is not None:
            engine = None
        return FileResult(
            file=task.file,
            error=error,
            payload=engine,
            outputs=() if engine is None else tuple(self._outputs(context)),
            timings=current_clock().timings(),
            attempt=task.attempt,
            worker=os.getpid(),
            memory_mb=memory_mb,
            memory_growth_mb=max(0.0, memory_mb - memory_start),
            input_stamp=stamp,
            warnings=tuple(context.warnings),
        )

    def _working_cfg(self) -> WorkingCfg:
        working = getattr(self._threads, "cfg", None)
        if working is None:
            working = WorkingCfg(self.shared.original_cfg, self.shared.basename)
            self._threads.cfg = working
        return working

    def _context(self, task: FileTask, staging: str) -> FileContext:
        results = self.shared.results_folder
        context = FileContext(task, self.settings, self.hook, staging, None, results)
        self._threads.tables = context.tables
        if self._reads:
            context.make_reader = lambda proxy: self._make_reader(context, proxy)
        return context

    def _run(self, context: FileContext, working: WorkingCfg, state: EngineState) -> EngineOutput:
        cfg = working.with_state(state.changes)
        config = HostConfig(cfg)
        config.files = [self.shared.names[context.task.file.index]]
        config.result_folder = context.tables.folder
        config.records = {key: [] for key in state.records}
        context.cfg = cfg
        engine = self.host.post_process_class()
        if hasattr(engine, self.host.layout.failure_method):
            setattr(engine, self.host.layout.failure_method, _catch_failure(context))
        engine.post_process(cfg)
        if context.model is None and context.load_error is None:
            context.load_error = self._explain(context, None)
        if context.engine_error is None:
            context.engine_error = _set_aside(context)
        stop_time = context.model_dict.get("stop_time") if context.model_dict else None
        return EngineOutput.of(
            FileTables(
                summary=context.summary,
                linked=context.linked,
                records=_relocated(config.records, context.tables),
                attributes={k: v for k, v in vars(engine).items() if isinstance(v, list)},
            ),
            left=working.changes(),
            started_from=state,
            stop_time_s=stop_time,
        )

    def _make_reader(self, context: FileContext, proxy: ModelProxy) -> ResultReader | None:
        if context.model_dict is None:
            return None
        plan = plan_requests(context, context.cfg, self._get_objects)
        if not plan:
            return None
        model = proxy.__wrapped__

        def read_block(requests: Sequence[Request]) -> Sequence[Any] | None:
            try:
                with stage(Stage.READ):
                    answers = self.hook.optimizer_read_results(
                        model=model, requests=requests, settings=self.settings
                    )
                if answers is not None and len(answers) != len(requests):
                    raise ValueError(f"{len(answers)} answers to {len(requests)} requests")
            except Exception as error:  # the engine would take it for its own question's
                context.note(error)
                who = self._culprit(error)
                context.warnings.append(
                    "its results could not be read ahead, so the engine asked for each by itself "
                    f"({who + ': ' if who else ''}{context.describe(error).message})"
                )
                answers = None
            return answers  # type: ignore[no-any-return]

        samples = _sample_count(plan[0][1])
        block_bytes = self.settings.read_block_mb * BYTES_PER_MB
        return ResultReader(plan, read_block, int(block_bytes // (8 * samples)))

    def _explain(self, context: FileContext, raised: Exception | SystemExit | None) -> FileError:
        """The reason why a file failed, where the engine's own error hides it."""
        path = context.task.file.path
        known = context.passing_error or context.load_error
        if known is not None:
            return known
        found = why_no_file(path) if context.model_dict is None else None
        if found is not None:
            code, said = found
            kind = ErrorKind.MISSING if code == MISSING else ErrorKind.UNREADABLE
            return FileError(kind, f"{path} {said}")
        if raised is None:
            return FileError(ErrorKind.ENGINE, "the engine gave no result and no error")
        return _with_lacking_objects(context.describe(raised), context)

    def _outputs(self, context: FileContext) -> Iterator[OutputFile]:
        """What is staged, and what the engine has handed over to be staged; sizes come later."""
        return (OutputFile(staged, final, -1) for staged, final in context.tables.outputs())

    def in_users_terms(self, error: FileError) -> FileError:
        """An error of this thread's last file with each output's final name, not a staged one."""
        tables: StagedTables | None = getattr(self._threads, "tables", None)
        if tables is None:
            return error
        return replace(
            error,
            message=tables.in_users_terms(error.message),
            details=tables.in_users_terms(error.details),
        )


def _with_lacking_objects(error: FileError, context: FileContext) -> FileError:
    """The engine goes on with None for an object that a model lacks, and stumbles over it later."""
    if error.kind is not ErrorKind.ENGINE or "NoneType" not in error.message:
        return error
    names = objects_lacking(context.model, context.cfg)
    if not names:
        return error
    noun = "object" if len(names) == 1 else "objects"
    return replace(error, message=f"{error.message} (the model has no {noun} {', '.join(names)})")


def _catch_failure(context: FileContext) -> Any:
    """For layouts whose loop swallows errors: keep the error instead of writing a log file."""

    def failed(_file_name: Any, error: Exception, *_: Any) -> None:
        known = described_by(context.engine_trace) or context.describe(error)
        context.engine_error = _with_lacking_objects(known, context)

    return failed


def _set_aside(context: FileContext) -> FileError | None:
    """Why the host has gone on without a model that was loaded; None if it has not.

    Later versions leave out what became unstable, and say so in one line of their log only.
    """
    if context.model is None or not context.model_dict or context.model_dict["model"] is not None:
        return None
    state = context.model_dict.get("run_status")
    if "unstable" not in str(state).lower():
        return FileError(ErrorKind.ENGINE, f"the host read no results of it (state: {state})")
    return FileError(
        ErrorKind.UNSTABLE,
        f"the simulation became unstable ({state}), so the host leaves it out of its tables; "
        "correct the model and run the simulation again, or take the file out of the batch",
    )


def input_stamp(path: str) -> tuple[int, int, int] | None:
    """Size in bytes, time of modification in ns and inode of a .sim; None if it is not there."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return (status.st_size, status.st_mtime_ns, status.st_ino)


Stamp = tuple[int, int, int] | None


def _changed(task: FileTask, before: Stamp, after: Stamp) -> FileError | None:
    """An error if the .sim is not what it was before it was opened: results may be of both."""
    if before == after:
        return None
    what = "removed" if after is None else "replaced or written to"
    return FileError(
        ErrorKind.CHANGED,
        f"{task.file.path} was {what} while it was read; run the batch again once it is complete",
    )


def _relocated(value: Any, tables: StagedTables) -> Any:
    """``value`` with paths into the attempt's folder turned into paths of the results folder."""
    if isinstance(value, dict):
        return {key: _relocated(item, tables) for key, item in value.items()}
    if isinstance(value, list):
        return [_relocated(item, tables) for item in value]
    return tables.final(value) if isinstance(value, str) and tables.holds(value) else value


def _sample_count(request: Request) -> int:
    try:
        return max(1, int(request.model_object.SampleCount(request.period)))
    except Exception:
        return _ASSUMED_SAMPLES


def _resident_mb() -> float:
    return float(_process(os.getpid()).memory_info().rss) / 1e6


@functools.cache
def _process(pid: int) -> Any:
    import psutil

    return psutil.Process(pid)

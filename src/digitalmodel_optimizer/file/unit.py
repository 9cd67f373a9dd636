"""One unit of work: the engine's own ``post_process`` on a configuration that holds one file."""

from __future__ import annotations

import functools
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from digitalmodel_optimizer.file.attempts import attempt_folder
from digitalmodel_optimizer.file.context import FileContext
from digitalmodel_optimizer.file.failures import describe, described_by
from digitalmodel_optimizer.file.plan import GetObjects, objects_lacking, plan_requests
from digitalmodel_optimizer.file.proxies import ModelProxy
from digitalmodel_optimizer.file.reader import ResultReader
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
    Timings,
)
from digitalmodel_optimizer.tables.payload import EngineOutput, FileTables

_DEFAULT_BLOCK_MB = 64
_ASSUMED_SAMPLES = 20_000


@dataclass(frozen=True)
class BatchFiles:
    """What a batch's workers share: the engine's file names and where outputs are staged."""

    names: tuple[Any, ...]
    basename: str
    original_cfg: bytes
    staging: str
    results_folder: str


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
        staging = attempt_folder(self.shared.staging, task.file.index, task.attempt)
        os.makedirs(staging, exist_ok=True)
        working = self._working_cfg()
        start, cpu_start = time.perf_counter(), time.thread_time()
        memory_start = _resident_mb()
        context = self._context(task, staging)
        engine: EngineOutput | None = None
        memory_mb = memory_start
        with context:
            try:
                engine = self._run(context, working, state)
                error = context.load_error or context.engine_error
            except (Exception, SystemExit) as raised:  # a library's exit() is no end of the batch
                error = self._explain(context, raised)
                working.discard()
            memory_mb = max(memory_mb, _resident_mb())
        if error is not None:
            engine = None
        return FileResult(
            file=task.file,
            error=error,
            payload=engine,
            outputs=() if engine is None else tuple(self._outputs(context)),
            timings=Timings(
                total_s=time.perf_counter() - start,
                load_s=context.load_s,
                read_s=context.read_s,
                cpu_s=time.thread_time() - cpu_start,
            ),
            attempt=task.attempt,
            worker=os.getpid(),
            memory_mb=memory_mb,
            memory_growth_mb=max(0.0, memory_mb - memory_start),
            warnings=tuple(context.warnings),
        )

    def _working_cfg(self) -> WorkingCfg:
        working = getattr(self._threads, "cfg", None)
        if working is None:
            working = WorkingCfg(self.shared.original_cfg, self.shared.basename)
            self._threads.cfg = working
        return working

    def _context(self, task: FileTask, staging: str) -> FileContext:
        context = FileContext(task, self.settings, self.hook, staging, None)
        if self._reads:
            context.make_reader = lambda proxy: self._make_reader(context, proxy)
        return context

    def _run(self, context: FileContext, working: WorkingCfg, state: EngineState) -> EngineOutput:
        cfg = working.with_state(state.changes)
        name = self.shared.names[context.task.file.index]
        basename = self.shared.basename
        cfg["file_management"]["input_files"]["sim"] = [name]
        cfg["Analysis"]["result_folder"] = context.staging
        cfg[basename] = {key: [] for key in state.records}
        context.cfg = cfg
        engine = self.host.post_process_class()
        if hasattr(engine, self.host.layout.failure_method):
            setattr(engine, self.host.layout.failure_method, _catch_failure(context))
        engine.post_process(cfg)
        if context.model is None and context.load_error is None:
            context.load_error = self._explain(context, None)
        stop_time = context.model_dict.get("stop_time") if context.model_dict else None
        return EngineOutput.of(
            FileTables(
                summary=context.summary,
                linked=context.linked,
                records=_relocated(cfg[basename], context.staging, self.shared.results_folder),
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
            start = time.perf_counter()
            try:
                answers = self.hook.optimizer_read_results(
                    model=model, requests=requests, settings=self.settings
                )
                if answers is not None and len(answers) != len(requests):
                    raise ValueError(f"{len(answers)} answers to {len(requests)} requests")
            except Exception as error:  # the engine would take it for its own question's
                who = self._culprit(error)
                context.warnings.append(
                    "its results could not be read ahead, so the engine asked for each by itself "
                    f"({who + ': ' if who else ''}{describe(error).message})"
                )
                answers = None
            finally:
                context.read_s += time.perf_counter() - start
            return answers  # type: ignore[no-any-return]

        block_mb = self.settings.plugin("result-extraction").get("block_mb", _DEFAULT_BLOCK_MB)
        samples = _sample_count(plan[0][1])
        return ResultReader(plan, read_block, int(block_mb * 1e6 // (8 * samples)))

    def _explain(self, context: FileContext, raised: Exception | SystemExit | None) -> FileError:
        """The reason why a file failed, where the engine's own error hides it."""
        path = context.task.file.path
        if context.load_error is not None:
            return context.load_error
        if context.model_dict is None and not os.path.isfile(path):
            return FileError(ErrorKind.MISSING, f"there is no file {path}")
        if raised is None:
            return FileError(ErrorKind.ENGINE, "the engine gave no result and no error")
        return _with_lacking_objects(describe(raised), context)

    def _outputs(self, context: FileContext) -> Iterator[OutputFile]:
        """What is staged, and what the engine has handed over to be staged; sizes come later."""
        staged = {entry.path for entry in os.scandir(context.staging) if entry.is_file()}
        for path in sorted(staged.union(context.tables)):
            name = os.path.relpath(path, context.staging)
            yield OutputFile(path, os.path.join(self.shared.results_folder, name), -1)


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
        known = described_by(context.engine_trace) or describe(error)
        context.engine_error = _with_lacking_objects(known, context)

    return failed


def _relocated(value: Any, staging: str, folder: str) -> Any:
    """``value`` with paths into the staging folder turned into paths of the results folder."""
    if isinstance(value, dict):
        return {key: _relocated(item, staging, folder) for key, item in value.items()}
    if isinstance(value, list):
        return [_relocated(item, staging, folder) for item in value]
    if isinstance(value, str) and value.startswith(staging):
        return folder + value[len(staging) :]
    return value


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

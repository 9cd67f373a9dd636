"""The hooks, by phase. A plugin implements those that it needs, with the arguments that it needs.

Hooks are called with keyword arguments, per batch, per file or per block of results: never per
column or sample. "firstresult" means that the first answer other than None ends the call; plugins
registered later are asked first, the core's own defaults last.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from digitalmodel_optimizer.plugin.data import (
        Adjustment,
        Allocation,
        Batch,
        BatchReport,
        Control,
        Decision,
        FileError,
        FileResult,
        FileTask,
        Group,
        Machine,
        Measured,
        ProcessFile,
        Progress,
        Request,
        Schedule,
        SimulationFile,
    )
    from digitalmodel_optimizer.plugin.options import PluginOptions, Settings

PROJECT_NAME = "digitalmodel_optimizer"

hookspec = pluggy.HookspecMarker(PROJECT_NAME)
hookimpl = pluggy.HookimplMarker(PROJECT_NAME)

# ---------------------------------------------------------------------------------------------
# Starting up
# ---------------------------------------------------------------------------------------------


@hookspec
def optimizer_options() -> PluginOptions:  # type: ignore[empty-body]
    """Say what the plugin does and which options it takes.

    Called: once when plugins are loaded, in every process that runs plugins.
    Returns: a :class:`PluginOptions`; each plugin for itself (not firstresult, no wrappers).
    Example: ``return PluginOptions("Writes a log.", (Option("level", int, 1, "How much."),))``
    Added in 0.1.
    """


@hookspec
def optimizer_configure(settings: Settings) -> None:
    """Take the run's settings; the last chance to refuse them, before any file is opened.

    Called: once per batch in the parent, and once in every worker process.
    ``settings``: validated against every plugin's options; own ones by ``settings.plugin(name)``.
    Errors: raise :class:`SettingsError` for options that do not go together.
    Returns: nothing; every plugin is called. Wrappers make no sense here.
    Example: ``if settings.plugin("my-log")["level"] > 3: ...``
    Added in 0.1.
    """


@hookspec
def optimizer_get_ready(
    files: Sequence[SimulationFile],
    prepare: Callable[[], None],
    machine: Machine,
    settings: Settings,
) -> int | None:
    """The host is about to be imported, and is likely to run a batch: get ready beside it.

    Called: in the parent, at most once, under ``python -m digitalmodel`` and ``run`` only; every
    plugin. The host's own start takes seconds in which the other cores have nothing to do.
    ``files``: what the batch will probably consist of. ``settings``: what the user's file says, not
    yet merged with the base configuration; all of it may turn out otherwise.
    ``prepare``: picklable; run in a worker process it imports there what no batch changes.
    Returns: how many worker processes are being started, or None.
    Example: ``pool.submit(prepare); return 1``
    Added in 0.1.
    """


@hookspec
def optimizer_worker_prepared() -> None:
    """A worker process has imported what no batch changes, and will wait for one.

    Called: once in a worker process that was started by way of ``optimizer_get_ready``; every
    plugin. No settings yet, and the batch's may switch a plugin off that was called here: do only
    what does no harm then.
    Example: ``gc.collect()``
    Added in 0.2.
    """


@hookspec
def optimizer_worker_started(settings: Settings) -> None:
    """A worker process has imported the engine and is about to take its first file.

    Called: once in every worker process, never in the parent; every plugin.
    Example: ``gc.freeze()``
    Added in 0.1.
    """


# ---------------------------------------------------------------------------------------------
# A batch, in the parent
# ---------------------------------------------------------------------------------------------


@hookspec
def optimizer_batch_started(batch: Batch, settings: Settings) -> None:
    """A batch is about to run; nothing has been opened yet.

    Called: in the parent, once per batch; every plugin.
    ``batch``: files in the engine's order with their sizes in bytes.
    Example: ``print(f"{len(batch.files)} files, {batch.size_mb:.0f} MB")``
    Added in 0.1.
    """


@hookspec(firstresult=True)
def optimizer_try_first(files: Sequence[SimulationFile], settings: Settings) -> bool | None:
    """Decide whether the first file is processed in the parent before the others are planned.

    It tells what a file costs and leaves behind; in return nothing runs beside it, and a crash in
    native code ends the run.
    Called: in the parent, once per batch, when at least two files are to be processed. firstresult.
    ``files``: those still to be processed, in the engine's order.
    Returns: True or False, or None to leave it to the next plugin.
    Example: ``return False if settings.plugin("my-executor")["backend"] == "dask" else None``
    Added in 0.1.
    """


@hookspec(firstresult=True)
def optimizer_group_files(
    files: Sequence[SimulationFile], settings: Settings
) -> Sequence[Group] | None:
    """Decide which files go together and in which order files start.

    Called: in the parent, once per batch. firstresult; wrappers may reorder the answer.
    ``files``: those still to be processed, in the engine's order.
    Returns: groups in start order, every file in exactly one of them; None to leave it to the
    next plugin. The order of the results does not depend on it. The batch's very first file
    starts before all others, since they build on what it leaves; one that was being processed
    when an earlier run broke off starts last.
    Example: ``return [Group("all", tuple(sorted(files, key=lambda f: -f.size_bytes)))]``
    Added in 0.1.
    """


@hookspec(firstresult=True)
def optimizer_allocate(
    group: Group,
    files: Sequence[SimulationFile],
    machine: Machine,
    measured: Measured,
    settings: Settings,
) -> Allocation | None:
    """Decide how many workers a group gets and how many native threads each model.

    Called: in the parent, once per group, after the first file has been measured (where one
    could be). firstresult; wrappers may lower the answer.
    ``files``: all files still to be processed, those of other groups too.
    ``measured``: seconds and MB of the files done so far, ``measured.files == 0`` if none.
    Returns: an :class:`Allocation` with its reason in words, or None.
    Example: ``return Allocation(workers=1, native_threads=1, reason="asked to be gentle")``
    Added in 0.1.
    """


@hookspec(firstresult=True)
def optimizer_execute(
    schedule: Schedule, process_file: ProcessFile, control: Control, settings: Settings
) -> Iterator[FileResult] | None:
    """Run the files of a schedule and hand over each result as it is finished.

    Called: in the parent, once per batch. firstresult; a wrapper may wrap the iterator.
    ``schedule.order``: the tasks in start order.
    ``process_file``: picklable; processes one file on the calling thread. Where ``task.isolated``
    is set, a process of the file's own is the place for it.
    ``control.run(task, run_once)``: must stand around every file; it admits the file under the
    budgets and retries it as the plugins decide.
    Returns: an iterator that yields one :class:`FileResult` per task, in any order; or None.
    Example: ``return (control.run(task, process_file) for task in schedule.order)``
    Added in 0.1.
    """


@hookspec
def optimizer_progress(progress: Progress, settings: Settings) -> None:
    """Files were started or finished.

    Called: in the parent, one call at a time, on whichever thread noticed; every plugin. Of events
    within a hundredth of a second the first is told at once, what came after it at the next look
    at the machine (four times a second, less often where many processes run), and the end of the
    batch always. Must be quick.
    Example: ``print(progress.files_done, "of", progress.files_total)``
    Added in 0.1.
    """


@hookspec(firstresult=True)
def optimizer_adjust(progress: Progress, machine: Machine, settings: Settings) -> Adjustment | None:
    """Change the number of workers while a batch runs.

    Called: in the parent, on a monitoring thread, about twice a second. firstresult.
    ``machine``: measured anew at each call. ``progress.workers_limit``: the limit in force; what
    goes beyond the schedule's ``most_workers`` has no effect. ``progress.busy_cores``: the CPU
    seconds a second of the batch's processes since the last call.
    Returns: an :class:`Adjustment`, or None to leave the limit. Running files are never
    interrupted.
    Example: ``return Adjustment(1, "memory is short") if short(machine) else None``
    Added in 0.1.
    """


@hookspec(firstresult=True)
def optimizer_file_failed(
    file: SimulationFile, error: FileError, attempt: int, settings: Settings
) -> Decision | None:
    """A file has failed: decide whether to try it again, and how.

    Called: in the parent, on the thread that drives the file. firstresult.
    ``attempt``: 1 for the first try.
    Returns: a :class:`Decision`, or None; without any answer the file is given up.
    Example: ``return Decision("retry") if attempt == 1 else None``
    Added in 0.1.
    """


@hookspec
def optimizer_files_finished(batch: Batch, settings: Settings) -> None:
    """No file of this batch will be run any more: what only files need can go.

    Called: in the parent, once per batch, before the files' results are put together and the
    summaries written; every plugin. Not called where a fault broke the batch off.
    Example: ``pool.shutdown(wait=False)``
    Added in 0.2.
    """


@hookspec
def optimizer_batch_finished(batch: Batch, report: BatchReport, settings: Settings) -> None:
    """A batch has ended, outputs are in place (or the batch was interrupted).

    Called: in the parent, once per batch; every plugin.
    Example: ``print(f"{report.elapsed_s:.1f} s, {len(report.failed)} failed")``
    Added in 0.1.
    """


# ---------------------------------------------------------------------------------------------
# One file, in the worker (the parent itself, where the backend is serial or threading)
# ---------------------------------------------------------------------------------------------


@hookspec(firstresult=True)
def optimizer_process_file(task: FileTask, settings: Settings) -> FileResult | None:
    """Stand around the engine's own loop on one file.

    Called: in the worker, once per attempt, on the thread on which the model lives. The core's
    own implementation runs the engine; implement this as a wrapper, ``@hookimpl(wrapper=True)``.
    By the time a wrapper goes on after its ``yield`` the model has been released.
    Returns: the :class:`FileResult`; a wrapper returns it, changed or not (``replace``).
    Example: ``result = yield; return replace(result, notes={**result.notes, "me": {"x_s": 1.0}})``
    Added in 0.1.
    """


@hookspec(firstresult=True)
def optimizer_load_model(file: SimulationFile, native_threads: int, settings: Settings) -> Any:
    """Stand around the loading of a model.

    Called: in the worker, on the thread that owns the model. The core's own implementation calls
    the engine's loader and sets the model's native thread count; implement this as a wrapper.
    Returns: the genuine ``OrcFxAPI.Model``. Do not keep a reference to it.
    Example: ``start = perf_counter(); model = yield; ...; return model``
    Added in 0.1.
    """


@hookspec(firstresult=True)
def optimizer_read_results(
    model: Any, requests: Sequence[Request], settings: Settings
) -> Sequence[Any] | None:
    """Read many results of a model at once, before the engine asks for them one by one.

    Called: in the worker, on the thread that owns the model, once per block of requests.
    firstresult.
    ``model``: the genuine ``OrcFxAPI.Model``; do not keep it.
    Returns: one answer per request, in order: what the engine's own call would have returned (a
    float64 array of samples, or a range graph object), or None where it could not be had; the
    engine then asks itself, so that every error is the engine's own. None: nothing was read.
    Example: ``return [r.model_object.TimeHistory(r.variable, r.period) for r in requests]``
    Added in 0.1.
    """


@hookspec(firstresult=True)
def optimizer_write_table(
    table: Any, path: Path, options: Mapping[str, Any], settings: Settings
) -> bool | None:
    """Write a table that the engine has ready.

    Called: in the worker, once per time-series table of a file. firstresult.
    ``table``: the pandas DataFrame; do not change it. ``path``: where it is staged. ``options``:
    the keyword arguments that the engine gave to ``to_csv``.
    Returns: True when the bytes of ``table.to_csv(path, **options)`` are at ``path`` by the time
    that ``optimizer_process_file`` ends; None to leave it to pandas.
    Example: ``path.write_bytes(table.to_csv(None, **options).encode()); return True``
    Added in 0.1.
    """

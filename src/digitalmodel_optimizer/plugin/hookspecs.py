"""The hooks, by phase. A plugin implements those that it needs, with the arguments that it needs.

Hooks are called with keyword arguments, per batch, per file or per block of results: never per
column or sample. "firstresult" means that the first answer other than None ends the call; plugins
registered later are asked first, the core's own defaults last. In the parent, all hooks are called
on one thread, one after the other.

A plugin that raises is named. Where its answer was needed (``group_files``, ``allocate``,
``executor``, ``file_failed``) the batch ends, with what is finished kept; where it was only told
something, the batch goes on, this call is not made to the plugin again in this batch, and the
command ends with status 2 once everything is saved. In a worker it costs the file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from digitalmodel_optimizer.plugin.data import (
        Adjustment,
        Allocation,
        Batch,
        ExecutorChoice,
        FileTask,
        Group,
        Machine,
        Measured,
        Progress,
        RetryAction,
        Schedule,
        SimulationFile,
    )
    from digitalmodel_optimizer.plugin.executor import Executor, ProcessFile
    from digitalmodel_optimizer.plugin.options import PluginOptions, Settings
    from digitalmodel_optimizer.plugin.results import (
        BatchReport,
        BatchVerdict,
        FileError,
        FileResult,
        KeptResults,
        Request,
        Store,
        StoreAction,
        TuningAction,
    )

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
    """Take the run's settings: the one place where they can be refused, before any file is opened.

    Called: once per batch, in the parent only; every plugin. Also before a plan, which runs no
    batch.
    ``settings``: validated against every plugin's options; own ones by ``settings.plugin(name)``.
    Errors: raise :class:`SettingsError` for options that do not go together.
    Returns: nothing. Wrappers make no sense here.
    Example: ``if settings.plugin("my-log")["level"] > 3: ...``
    Added in 0.1.
    """


@hookspec(firstresult=True)
def optimizer_expect_files(
    files: Sequence[SimulationFile], results_folder: str, settings: Settings
) -> Sequence[SimulationFile] | None:
    """The host is about to be imported: guess which files will have to be processed.

    Called: in the parent, before ``optimizer_prewarm``, which gets the answer and is left out if
    that is empty; only where results are kept (``settings.cache``). firstresult. Must be quick.
    ``files``, ``results_folder``: what the batch will probably consist of and write to.
    Returns: those of ``files`` that are probably to be processed, or None. A wrong guess costs
    time, never a result.
    Example: ``return [file for file in files if file.path not in known]``
    Added in 0.2.
    """


@hookspec
def optimizer_prewarm(
    files: Sequence[SimulationFile],
    prepare: Callable[[], None],
    machine: Machine,
    settings: Settings,
) -> int | None:
    """The host is about to be imported, and is likely to run a batch: start workers beside it.

    Called: in the parent, at most once, under ``python -m digitalmodel`` and ``run`` only; every
    plugin. The host's own start takes seconds in which the other cores have nothing to do.
    ``files``: what the batch will probably consist of. ``settings``: what the user's files say; the
    batch's own may turn out otherwise.
    ``prepare``: picklable; run in a worker process it imports there what no batch changes.
    Returns: how many worker processes are being started, or None.
    Example: ``pool.submit(prepare); return 1``
    Added in 0.1 as ``optimizer_get_ready``, renamed in 0.2.
    """


@hookspec
def optimizer_worker_started(settings: Settings) -> None:
    """A worker process has imported the host and is about to take a batch's first file.

    Called: once per batch in every worker process, never in the parent; every plugin.
    Example: ``gc.freeze()``
    Added in 0.1.
    """


# ---------------------------------------------------------------------------------------------
# A batch, in the parent
# ---------------------------------------------------------------------------------------------


@hookspec(firstresult=True)
def optimizer_reuse_results(
    batch: Batch, files: Sequence[SimulationFile], settings: Settings
) -> KeptResults | None:
    """Supply results that were kept, of files that need not be processed again.

    Called: in the parent, once per batch, before ``optimizer_batch_started``; only where results
    are kept (``settings.cache``). firstresult. Also for a plan, which runs no batch: write nothing.
    ``files``: those still to be processed, in the host's order. ``batch.conditions``: what their
    results depend on besides the files.
    Returns: a :class:`KeptResults`, or None. Whoever supplies a record answers for it that the
    file is the one that was read and that the conditions are the same. The core looks at the rest:
    that the record is whole, that every output is there as it was written, and that the file
    started from what the files before it leave. Where that is not so the file is processed.
    Example: ``return KeptResults({f.index: db[key(f)] for f in files if key(f) in db})``
    Added in 0.2.
    """


@hookspec
def optimizer_keep_results(
    batch: Batch,
    results: Sequence[FileResult],
    record: Callable[[FileResult], bytes | None],
    settings: Settings,
) -> None:
    """Keep results for batches to come.

    Called: in the parent, when the files have been processed and before
    ``optimizer_batch_finished``, of an interrupted batch too; only where results are kept
    (``settings.cache``); every plugin.
    ``results``: those of files that succeeded and were not supplied by
    ``optimizer_reuse_results``. ``record(result)``: its plain form, which is data and never runs
    anything when it is read, with the stamps of its outputs; None where it has none. Its format
    belongs to the version of this project, which is one of ``batch.conditions``.
    Example: ``db.update({key(r.file): record(r) for r in results})``
    Added in 0.2.
    """


@hookspec
def optimizer_batch_started(batch: Batch, settings: Settings) -> None:
    """A batch is about to run; no model has been opened yet.

    Called: in the parent, once per batch; every plugin.
    ``batch``: files in the host's order with their sizes in bytes.
    Example: ``print(f"{len(batch.files)} files, {batch.size_mb:.0f} MB")``
    Added in 0.1.
    """


@hookspec(firstresult=True)
def optimizer_group_files(
    files: Sequence[SimulationFile], settings: Settings
) -> Sequence[Group] | None:
    """Decide which files go together and in which order files start.

    Called: in the parent, as often as ``optimizer_allocate``, before it. firstresult; wrappers may
    reorder the answer.
    ``files``: those still to be processed, in the host's order.
    Returns: groups in start order, every file in exactly one of them; None to leave it to the
    next plugin. The order of the results does not depend on it. The batch's very first file
    starts before all others, since they build on what it leaves; one that was being processed
    when an earlier run was interrupted starts last.
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

    Called: in the parent, once per group before the first file, and where that is worth it once
    more when the first file has been measured. firstresult; wrappers may lower the answer.
    ``files``: all files still to be processed, those of other groups too.
    ``measured``: seconds and MB of the files done so far, ``measured.files == 0`` if none.
    Returns: an :class:`Allocation` with its reason in words, or None.
    Example: ``return Allocation(workers=1, native_threads=1, reason="asked to be gentle")``
    Added in 0.1.
    """


@hookspec(firstresult=True)
def optimizer_executor(
    schedule: Schedule, process_file: ProcessFile, machine: Machine, settings: Settings
) -> Executor | None:
    """Supply what runs the files.

    Called: in the parent, once per batch. firstresult; a wrapper may wrap the answer.
    ``schedule``: the tasks in start order, for what has to be known of them; which starts when is
    the core's to decide. ``process_file``: picklable; processes one file on the calling thread.
    Returns: an :class:`Executor`, or None.
    Example: ``return MyExecutor(process_file, schedule.max_workers)``
    Added in 0.2, in place of ``optimizer_execute``.
    """


@hookspec(firstresult=True)
def optimizer_choose_executor(
    files: Sequence[SimulationFile], machine: Machine, settings: Settings
) -> ExecutorChoice | None:
    """Say which executor ``optimizer_executor`` would supply, and start nothing.

    Called: in the parent, by ``digitalmodel-optimizer plan``, which runs no batch. firstresult.
    ``files``: those still to be processed, in the host's order.
    Returns: an :class:`ExecutorChoice`, or None to leave it to the next plugin. Where a plugin
    implements ``optimizer_executor`` and not this, the plan says that it cannot know.
    Example: ``return ExecutorChoice("cluster", "16 nodes are free", keeps_time_limit=True)``
    Added in 0.2.
    """


@hookspec
def optimizer_progress(progress: Progress, settings: Settings) -> None:
    """Files were started or finished.

    Called: in the parent; every plugin. Of events within a hundredth of a second the first is told
    at once, what came after it soon after, and the end of the batch always. Must be quick.
    Example: ``print(progress.files_done, "of", progress.files_total)``
    Added in 0.1.
    """


@hookspec
def optimizer_file_finished(result: FileResult, settings: Settings) -> None:
    """A file is done for good: its outputs are in place, or it has failed and is not tried again.

    Called: in the parent, once per file that was run, in the order in which they finish; every
    plugin. A file that has to be processed again, since it did not start from what the files before
    it left, is told again.
    Example: ``log.append((result.file.path, result.timings.total_s))``
    Added in 0.2.
    """


@hookspec(firstresult=True)
def optimizer_adjust(progress: Progress, machine: Machine, settings: Settings) -> Adjustment | None:
    """Change the number of workers while a batch runs.

    Called: in the parent, about twice a second, and up to four times in a batch's first two
    seconds. firstresult.
    ``machine``: measured anew at each call. ``progress.workers_limit``: the limit in force; what
    goes beyond the schedule's ``max_workers`` has no effect.
    Returns: an :class:`Adjustment`, or None to leave the limit. Running files are never
    interrupted.
    Example: ``return Adjustment(1, "memory is short") if short(machine) else None``
    Added in 0.1.
    """


@hookspec(firstresult=True)
def optimizer_file_failed(
    file: SimulationFile, error: FileError, attempt: int, settings: Settings
) -> RetryAction | None:
    """A file has failed: decide whether to try it again, and how.

    Called: in the parent. firstresult.
    ``attempt``: 1 for the first try. After a few tries that were not waits, the core gives up.
    Returns: a :class:`RetryAction`, or None; without any answer the file is given up.
    Example: ``return RetryAction("retry") if attempt == 1 else None``
    Added in 0.1.
    """


@hookspec
def optimizer_batch_finished(
    batch: Batch, report: BatchReport, settings: Settings
) -> BatchVerdict | None:
    """A batch has ended, outputs are in place (or the batch was interrupted).

    Called: in the parent, once per batch; every plugin.
    Returns: nothing, or a :class:`BatchVerdict`: sentences for the report, and whether the command
    fails.
    Example: ``print(f"{report.elapsed_s:.1f} s, {len(report.failed)} failed")``
    Added in 0.1.
    """


@hookspec
def optimizer_report_ready(facts: Mapping[str, Any], settings: Settings) -> BatchVerdict | None:
    """The report of a batch is about to be printed: all that is known of it, as plain data.

    Called: in the parent, once per batch, after ``optimizer_batch_finished``, of a batch that was
    interrupted or has failed too; every plugin.
    ``facts``: numbers, texts, lists and dicts, as ``DIGITALMODEL_OPTIMIZER_REPORT`` has them; do
    not change them. ``facts["schema"]`` names their form.
    Returns: nothing, or a :class:`BatchVerdict`, whose sentences go into the printed report.
    Example: ``post(json.dumps(facts)); return None``
    Added in 0.2.
    """


@hookspec
def optimizer_manage_store(
    action: StoreAction, results_folder: str, settings: Settings
) -> Store | None:
    """Look at what the plugin keeps from run to run, or remove some or all of it.

    Called: by ``digitalmodel-optimizer cache``, outside of a batch; every plugin.
    ``results_folder``: that of the batch, or the folder that the user has named.
    Returns: a :class:`Store` as it is after the action, or None if the plugin keeps nothing there.
    Example: ``return Store(url, results=len(db), size_mb=db.size_mb)``
    Added in 0.2.
    """


@hookspec
def optimizer_manage_tuning(
    action: TuningAction, path: str, settings: Settings
) -> Sequence[str] | None:
    """Say, keep as it is, move or forget what the plugin has learned from earlier runs.

    Called: by ``digitalmodel-optimizer tuning``, outside of a batch; every plugin.
    ``path``: the file to export to or to import from, else empty. ``settings``: of the user's
    batch where one was named; ``settings.source`` is its file.
    Returns: lines to print, or None if the plugin learns nothing. Raise :class:`OptimizerError` for
    what cannot be done.
    Example: ``return [f"{len(db)} runs are known"] if action is TuningAction.EXPLAIN else None``
    Added in 0.2.
    """


# ---------------------------------------------------------------------------------------------
# One file, in the worker (the parent itself, where the backend is serial or threading)
# ---------------------------------------------------------------------------------------------


@hookspec(firstresult=True)
def optimizer_process_file(task: FileTask, settings: Settings) -> FileResult | None:
    """Wrap the host's loop for one file.

    Called: in the worker, once per attempt, on the thread on which the model lives. The core's
    own implementation runs the host's loop; implement this as a wrapper,
    ``@hookimpl(wrapper=True)``. When a wrapper resumes after its ``yield`` the model has been
    released.
    Returns: the :class:`FileResult`; a wrapper returns it, changed or not (``replace``).
    Example: ``result = yield; return replace(result, notes={**result.notes, "me": {"x_s": 1.0}})``
    Added in 0.1.
    """


@hookspec(firstresult=True)
def optimizer_load_model(file: SimulationFile, native_threads: int, settings: Settings) -> Any:
    """Wrap the loading of a model.

    Called: in the worker, on the thread that owns the model. The core's own implementation calls
    the host's loader and sets the model's native thread count; implement this as a wrapper.
    Returns: the genuine ``OrcFxAPI.Model``. Do not keep a reference to it.
    Example: ``start = perf_counter(); model = yield; ...; return model``
    Added in 0.1.
    """


@hookspec(firstresult=True)
def optimizer_read_results(
    model: Any, requests: Sequence[Request], settings: Settings
) -> Sequence[Any] | None:
    """Read many results of a model at once, before the host asks for them one by one.

    Called: in the worker, on the thread that owns the model, once per block of requests
    (``settings.read_block_mb``). firstresult.
    ``model``: the genuine ``OrcFxAPI.Model``; do not keep it.
    Returns: one answer per request, in order: what the host's own call would have returned (a
    float64 array of samples, or a range graph object), or None where it could not be had; the
    host then asks itself, so that every error is the host's own. None: nothing was read.
    Example: ``return [r.model_object.TimeHistory(r.variable, r.period) for r in requests]``
    Added in 0.1.
    """


@hookspec(firstresult=True)
def optimizer_write_table(
    table: Any, path: Path, final: Path, options: Mapping[str, Any], settings: Settings
) -> bool | None:
    """Write a table that the host has ready.

    Called: in the worker, once per time-series table of a file. firstresult.
    ``table``: the pandas DataFrame; do not change it. ``path``: where it is staged, under a short
    name; ``final``: where it will stand. ``options``: the keyword arguments that the host gave to
    ``to_csv``.
    Returns: True when the bytes of ``table.to_csv(path, **options)`` are at ``path`` by the time
    that ``optimizer_process_file`` ends; None to leave it to pandas.
    Example: ``path.write_bytes(table.to_csv(None, **options).encode()); return True``
    Added in 0.1.
    """

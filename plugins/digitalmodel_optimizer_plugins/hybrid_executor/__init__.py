"""hybrid-executor: runs a batch on the joblib backend that suits it, and survives its workers.

``serial`` and ``threading`` stay in this process. ``loky`` gives each running file a worker process
of its own, so that a crash, a kill or a time limit costs that file and nothing else. ``hybrid`` has
few processes with threads inside. Any other name is passed on to joblib (dask, ray). ``auto``
chooses by what the batch is.
"""

from __future__ import annotations

import importlib
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from digitalmodel_optimizer.plugin import (
    Batch,
    BatchReport,
    Control,
    Decision,
    FileError,
    FileResult,
    Machine,
    Option,
    PluginOptions,
    ProcessFile,
    Schedule,
    Settings,
    SettingsError,
    SimulationFile,
    hookimpl,
)
from digitalmodel_optimizer_plugins.hybrid_executor.backends import (
    Execution,
    close_open_pools,
    run_hybrid,
    run_loky,
    run_other,
    run_serial,
    run_threading,
    worker_limits,
)
from digitalmodel_optimizer_plugins.hybrid_executor.choice import (
    BatchFacts,
    choose_backend,
    threads_inside,
)
from digitalmodel_optimizer_plugins.hybrid_executor.recovery import decide_after_failure
from digitalmodel_optimizer_plugins.hybrid_executor.spares import early_workers, spares
from digitalmodel_optimizer_plugins.worker_start import worker_start_s

NAME = "hybrid-executor"
OWN_BACKENDS = ("auto", "serial", "threading", "loky", "hybrid")

OPTIONS = PluginOptions(
    "Runs the files serially, in threads, in processes, or in processes with threads inside.",
    (
        Option(
            "backend",
            str,
            "auto",
            "auto, serial, threading, loky, hybrid, or a backend registered with joblib.",
        ),
        Option("processes", int, "auto", "Processes of the hybrid backend.", minimum=1, auto=True),
        Option(
            "threads_inside",
            int,
            "auto",
            "Threads inside each process of the hybrid backend.",
            minimum=2,
            maximum=64,
            auto=True,
        ),
        Option(
            "early_workers",
            int,
            "auto",
            "Worker processes that are started while the host itself is being imported.",
            minimum=0,
            auto=True,
        ),
        Option(
            "start_timeout_s",
            float,
            300.0,
            "The longest that a worker process may take to start, imports included.",
            unit="seconds",
            minimum=1,
        ),
        Option(
            "stop_timeout_s",
            float,
            5.0,
            "How long a worker process may take to end before it is killed.",
            unit="seconds",
            minimum=0,
        ),
        Option(
            "idle_worker_s",
            float,
            30.0,
            "A worker process that has had nothing to do for so long is ended.",
            unit="seconds",
            minimum=0,
        ),
        Option(
            "licence_wait_first_s",
            float,
            2.0,
            "The first pause after a refused licence; each next one is twice as long.",
            unit="seconds",
            minimum=0.01,
        ),
        Option(
            "licence_wait_longest_s",
            float,
            60.0,
            "The longest single pause for a licence.",
            unit="seconds",
            minimum=0.01,
        ),
        Option(
            "licence_wait_total_s",
            float,
            600.0,
            "All pauses for a licence of one file together.",
            unit="seconds",
            minimum=0,
        ),
    ),
)


@hookimpl
def optimizer_options() -> PluginOptions:
    return OPTIONS


@hookimpl
def optimizer_batch_started(batch: Batch, settings: Settings) -> None:
    """Refuse a backend that joblib does not know before any file is opened."""
    name = _options(settings)["backend"]
    if name in OWN_BACKENDS:
        return
    from joblib import Parallel  # type: ignore[import-untyped, unused-ignore]

    try:
        Parallel(n_jobs=2, backend=name)
    except (ValueError, ImportError) as error:
        key = f"orcaflex.parallel.plugins.{NAME}.backend"
        own = ", ".join(OWN_BACKENDS)
        fault = f"{key} is {name!r}, which is none of {own}, and joblib says: {error}"
        raise SettingsError([fault], settings.source) from error


@hookimpl
def optimizer_get_ready(
    files: Sequence[SimulationFile],
    prepare: Callable[[], None],
    machine: Machine,
    settings: Settings,
) -> int | None:
    options = _options(settings)
    if not settings.use_processes or options["backend"] not in ("auto", "loky"):
        return None
    count = early_workers(files, machine, settings.ceiling, options["early_workers"])
    spares.start(prepare, worker_limits(settings, options), count)
    if count:  # then the batch will be driven by joblib, too
        importlib.import_module("joblib")
    return count


@hookimpl
def optimizer_try_first(settings: Settings) -> bool | None:
    """Not where files are isolated anyway, or held to a time limit that needs a process."""
    here = _options(settings)["backend"] in ("auto", "serial", "threading")
    return None if here and settings.timeout_per_file_s is None and not spares else False


@hookimpl
def optimizer_execute(
    schedule: Schedule, process_file: ProcessFile, control: Control, settings: Settings
) -> Iterator[FileResult]:
    options = _options(settings)
    name, reason = _chosen(schedule, settings, options)
    workers = min(schedule.workers, max(1, len(schedule.order)))
    most = min(schedule.most_workers, max(1, len(schedule.order)))
    shape = _hybrid_shape(most, schedule.measured.native_share, options)
    control.chose_backend(name)
    control.decide(f"{_described(name, workers, shape)}, since {reason}")
    spares.keep(workers if name == "loky" else 0)
    if early := len(spares):
        was = "was" if early == 1 else "were"
        control.decide(f"{early} of them {was} started while the host was being imported")
    run = Execution(schedule, process_file, control, settings, options)
    if name == "hybrid":
        return run_hybrid(run, shape)
    backend = {"serial": run_serial, "threading": run_threading, "loky": run_loky}.get(name)
    return backend(run) if backend else run_other(run, name)


@hookimpl
def optimizer_file_failed(
    file: SimulationFile, error: FileError, attempt: int, settings: Settings
) -> Decision | None:
    return decide_after_failure(error, attempt, _options(settings))


@hookimpl
def optimizer_files_finished() -> None:
    """Processes take a while to end: they do while the summaries are written."""
    spares.begin_end()


@hookimpl
def optimizer_batch_finished(batch: Batch, report: BatchReport, settings: Settings) -> None:
    close_open_pools()
    spares.keep(0)


def _options(settings: Settings) -> Mapping[str, Any]:
    defaults = {option.name: option.default for option in OPTIONS.options}
    return {**defaults, **settings.plugin(NAME)}


def _chosen(schedule: Schedule, settings: Settings, options: Mapping[str, Any]) -> tuple[str, str]:
    """The backend and why: what the settings ask for, or what the batch suggests."""
    asked: str = options["backend"]
    if asked == "auto":
        measured = schedule.measured
        files = [task.file for task in schedule.order]
        return choose_backend(
            BatchFacts(
                files=len(files),
                workers=schedule.workers,
                expected_s=measured.predict_s(files) if measured.files else None,
                native_share=measured.native_share,
                worker_start_s=worker_start_s(settings),
                cpus=os.cpu_count() or 1,
                use_processes=settings.use_processes,
                time_limit=settings.timeout_per_file_s is not None,
                ready_workers=measured.ready_workers,
            )
        )
    if not settings.use_processes and asked in ("loky", "hybrid"):
        return "threading", f"processes are switched off and {asked} needs them"
    return asked, "the settings ask for it"


def _hybrid_shape(workers: int, native_share: float, options: Mapping[str, Any]) -> tuple[int, int]:
    """Processes, and threads inside each; together no fewer than ``workers`` where left to us."""
    threads, processes = options["threads_inside"], options["processes"]
    if threads == "auto":
        known = processes != "auto"
        threads = max(2, math.ceil(workers / processes)) if known else threads_inside(native_share)
    if processes == "auto":
        processes = math.ceil(workers / threads)
    return processes, threads


def _described(name: str, workers: int, shape: tuple[int, int]) -> str:
    if name == "serial":
        return "serial: one file after the other in this process"
    if name == "threading":
        return f"threading: {workers} {_plural('thread', workers)} in this process"
    if name == "loky":
        return f"loky: {workers} worker {_plural('process', workers)}"
    if name == "hybrid":
        processes, threads = shape
        return f"hybrid: {processes} {_plural('process', processes)} with {threads} threads inside"
    return (
        f"{name}: {workers} {_plural('file', workers)} at a time, on joblib's backend of that name"
    )


def _plural(noun: str, count: int) -> str:
    return noun if count == 1 else noun + ("es" if noun.endswith("s") else "s")

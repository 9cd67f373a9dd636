"""hybrid-executor: runs the files where it suits them, and survives what they do.

``loky``, which ``auto`` chooses, gives each running file a worker process of its own, so that a
crash, a kill or a time limit costs that file and nothing else. ``hybrid`` has few processes with
threads inside. ``serial`` and ``threading`` stay in this process. Any other name is a backend that
joblib knows (dask and the like).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any

from digitalmodel_optimizer.plugin import (
    ErrorKind,
    Executor,
    ExecutorChoice,
    FileError,
    FileResult,
    Machine,
    OptimizerError,
    Option,
    PluginOptions,
    ProcessFile,
    RetryAction,
    Schedule,
    Settings,
    SettingsError,
    SimulationFile,
    hookimpl,
)
from digitalmodel_optimizer.plugin.executor import SerialExecutor
from digitalmodel_optimizer_plugins.hybrid_executor.early import early_processes, how_many
from digitalmodel_optimizer_plugins.hybrid_executor.isolation import WithIsolation
from digitalmodel_optimizer_plugins.hybrid_executor.processes import Limits, ProcessExecutor
from digitalmodel_optimizer_plugins.hybrid_executor.recovery import (
    LicenceWait,
    advise_after_failure,
)
from digitalmodel_optimizer_plugins.hybrid_executor.support import why_no_processes

NAME = "hybrid-executor"
OWN_BACKENDS = ("auto", "serial", "threading", "loky", "hybrid")
_THREADS_INSIDE = 2

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
            "How long to wait for a licence. If no file has had one in all that time, the batch "
            "stops and can be resumed.",
            unit="seconds",
            minimum=0,
        ),
    ),
)


_licences = LicenceWait()


@hookimpl
def optimizer_options() -> PluginOptions:
    return OPTIONS


@hookimpl
def optimizer_configure(settings: Settings) -> None:
    """Refuse a backend that joblib does not know."""
    name = settings.plugin(NAME)["backend"]
    if name in OWN_BACKENDS:
        return
    from joblib import Parallel  # type: ignore[import-untyped, unused-ignore]

    try:
        Parallel(n_jobs=2, backend=name)
    except (ValueError, ImportError) as error:
        raise SettingsError([_fault(f"is {name!r}: {_unknown(error)}")], settings.source) from error


@hookimpl
def optimizer_prewarm(
    files: Sequence[SimulationFile],
    prepare: Callable[[], None],
    machine: Machine,
    settings: Settings,
) -> int | None:
    count = _early_workers(files, machine, settings)
    return early_processes.start(prepare, count) if count else None


def _early_workers(files: Sequence[SimulationFile], machine: Machine, settings: Settings) -> int:
    """How many processes to start while the host is being imported."""
    options = settings.plugin(NAME)
    if not settings.use_processes or options["backend"] not in ("auto", "loky"):
        return 0
    if why_no_processes() is not None:
        return 0
    return how_many(files, machine, settings.ceiling, options["early_workers"])


@hookimpl
def optimizer_choose_executor(
    files: Sequence[SimulationFile], machine: Machine, settings: Settings
) -> ExecutorChoice:
    name, reason = _chosen(settings, settings.plugin(NAME))
    return ExecutorChoice(
        name,
        reason,
        keeps_time_limit=name in ("loky", "hybrid") and ProcessExecutor.keeps_time_limit,
        ready_workers=_early_workers(files, machine, settings),
    )


@hookimpl
def optimizer_batch_started() -> None:
    _licences.begin()


@hookimpl
def optimizer_executor(
    schedule: Schedule, process_file: ProcessFile, settings: Settings
) -> Executor:
    options = settings.plugin(NAME)
    name, reason = _chosen(settings, options)
    early = early_processes.take(schedule.workers if name == "loky" else 0)
    if name == "loky" and early:
        reason += f"; {len(early)} started while the host was being imported"
    if name not in ("loky", "hybrid"):
        return _elsewhere(name, reason, schedule, process_file, settings)
    threads, processes = 1, None
    if name == "hybrid":
        threads, processes = _shape(schedule.max_workers, options)
        reason += f"; {threads} threads in each process"
    executor = ProcessExecutor(
        process_file,
        _limits(settings),
        name=name,
        reason=reason,
        threads=threads,
        processes=processes,
        workers=early,
    )
    try:
        if not early:
            executor.start_worker()
    except (OSError, ImportError) as error:
        return _without_processes(
            f"they cannot be started: {error}", schedule, process_file, settings
        )
    return executor


@hookimpl(specname="optimizer_executor", wrapper=True)
def end_unused_workers() -> Generator[None, Executor | None, Executor | None]:
    """Where another plugin supplies the executor, nobody takes the workers that started early."""
    executor = yield
    early_processes.end()
    return executor


@hookimpl
def optimizer_file_finished(result: FileResult) -> None:
    if result.error is None:
        _licences.succeeded()


@hookimpl
def optimizer_file_failed(
    file: SimulationFile, error: FileError, attempt: int, settings: Settings
) -> RetryAction | None:
    if error.kind is ErrorKind.LICENCE:
        return _licences.advise(file.index, error, attempt, settings.plugin(NAME))
    return advise_after_failure(error, attempt)


@hookimpl
def optimizer_batch_finished() -> None:
    early_processes.end()


def _chosen(settings: Settings, options: Mapping[str, Any]) -> tuple[str, str]:
    """The backend, and why."""
    asked: str = options["backend"]
    if asked in ("auto", "loky", "hybrid"):
        if not settings.use_processes:
            return "threading", "worker processes are switched off (use_processes: False)"
        obstacle = why_no_processes()
        if obstacle is not None:
            if asked != "auto":
                raise SettingsError([_fault(f"is {asked}: {obstacle}")], settings.source)
            return "threading", f"no worker processes: {obstacle}"
    if asked == "auto":
        return "loky", "a worker process for each running file, so that a crash costs one file"
    return asked, "the settings ask for it"


def _elsewhere(
    name: str, reason: str, schedule: Schedule, process_file: ProcessFile, settings: Settings
) -> Executor:
    """In this process, or on a backend of joblib's; files that end processes get one."""
    if name == "serial":
        inner: Executor = SerialExecutor(process_file, reason)
    else:
        from digitalmodel_optimizer_plugins.hybrid_executor.joblib_backend import JoblibExecutor

        try:
            inner = JoblibExecutor(name, process_file, schedule.max_workers, reason)
        except OptimizerError as error:
            if settings.plugin(NAME)["backend"] != name:  # nobody has asked for it
                return SerialExecutor(process_file, f"{reason}; {error}")
            raise SettingsError([_fault(f"is {name}: {error}")], settings.source) from error
    if not settings.use_processes or why_no_processes() is not None:
        return inner
    return WithIsolation(inner, lambda: ProcessExecutor(process_file, _limits(settings)))


def _without_processes(
    obstacle: str, schedule: Schedule, process_file: ProcessFile, settings: Settings
) -> Executor:
    if settings.plugin(NAME)["backend"] != "auto":
        raise OptimizerError(f"worker processes: {obstacle}")
    return _elsewhere(
        "threading", f"no worker processes: {obstacle}", schedule, process_file, settings
    )


def _shape(workers: int, options: Mapping[str, Any]) -> tuple[int, int | None]:
    """Threads inside each process, and how many processes; None: as many as are needed."""
    threads, processes = options["threads_inside"], options["processes"]
    if threads == "auto":
        threads = _THREADS_INSIDE
        if processes != "auto":
            threads = max(_THREADS_INSIDE, math.ceil(workers / processes))
    return threads, None if processes == "auto" else processes


def _limits(settings: Settings) -> Limits:
    options = settings.plugin(NAME)
    return Limits(
        file_s=settings.timeout_per_file_s,
        start_s=options["start_timeout_s"],
        stop_s=options["stop_timeout_s"],
        idle_s=options["idle_worker_s"],
    )


def _fault(said: str) -> str:
    return f"orcaflex.parallel.plugins.{NAME}.backend {said}"


def _unknown(error: Exception) -> str:
    return f"choose from {', '.join(OWN_BACKENDS)}, or a backend that joblib knows ({error})"

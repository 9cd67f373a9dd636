"""The engine's ``post_process``, run through the plugins: what the seam on it calls."""

from __future__ import annotations

import contextlib
import logging
import os
import pickle
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from digitalmodel_optimizer import __version__
from digitalmodel_optimizer.batch.carried import CarriedState
from digitalmodel_optimizer.batch.loading import load_plugins
from digitalmodel_optimizer.batch.machine import process_age_s
from digitalmodel_optimizer.batch.no_input import refuse_no_files
from digitalmodel_optimizer.batch.prewarmed import prewarmed
from digitalmodel_optimizer.batch.reuse import conditions_of
from digitalmodel_optimizer.batch.run import BatchRun
from digitalmodel_optimizer.batch.sample_check import SampleCheck
from digitalmodel_optimizer.batch.staging import Staging, batch_identifier
from digitalmodel_optimizer.batch.worker import (
    BatchFacts,
    ProcessOneFile,
    Worker,
    leave_batch,
    work_in_this_process,
)
from digitalmodel_optimizer.config.places import with_lines
from digitalmodel_optimizer.file.unit import BatchFiles
from digitalmodel_optimizer.history.keeping import keep, look_back
from digitalmodel_optimizer.host.config import HostConfig
from digitalmodel_optimizer.host.files import simulation_files
from digitalmodel_optimizer.host.layouts import host_version
from digitalmodel_optimizer.host.modules import Host, selected_library
from digitalmodel_optimizer.host.own_pool import would_use_pool
from digitalmodel_optimizer.plugin import (
    Batch,
    BatchReport,
    BatchVerdict,
    OutputError,
    Settings,
    SettingsError,
    SimulationFile,
    VerificationError,
)
from digitalmodel_optimizer.plugin.manager import Manager
from digitalmodel_optimizer.report.error_logs import write_error_logs
from digitalmodel_optimizer.report.facts import report_as_dict, verdicts_as_dict
from digitalmodel_optimizer.report.progress import ProgressDisplay
from digitalmodel_optimizer.report.report import print_report
from digitalmodel_optimizer.tables.rehearsal import refuse_unusable_settings
from digitalmodel_optimizer.tables.save import save_merged, save_partial

# The seams are the process's, not a thread's: the batch that ends first would take them away from
# the other one.
_one_at_a_time = threading.RLock()


def run_post_process(
    host: Host, engine: Any, cfg: Any, began_s: float, *, is_command: bool = False
) -> BatchReport:
    """Do what ``engine.post_process(cfg)`` does, through the plugins.

    Batches that are started on several threads of one process take turns.

    :param began_s: when the host called, by :func:`time.perf_counter`.
    :param is_command: this process is the host's command and does nothing else.

    :raises SettingsError, PluginError, OutputError: before any file is opened.
    :raises PluginError: a plugin of somebody else failed; it is named.
    :raises OutputError: outputs can no longer be written.
    """
    manager, engine_defaults, settings = load_plugins(cfg, prewarmed.take_plugins())
    display = ProgressDisplay()
    if settings.progress:
        manager.register(display, name="progress")
    with _one_at_a_time, contextlib.closing(display):
        try:
            manager.ask("optimizer_configure", settings=settings)
            prepared = _prepare(host, engine, cfg, manager, settings)
            worker = Worker(host, manager, engine_defaults, settings, prepared.shared)
            command_s = process_age_s() - (time.perf_counter() - began_s) if is_command else None
            return _run(prepared, worker, engine, cfg, _Clock(began_s, command_s))
        except SettingsError as error:
            raise with_lines(error, cfg) from None


@dataclass(frozen=True)
class _Clock:
    """``began_s``: when the host called; ``start_s``: how long its command had run by then."""

    began_s: float
    start_s: float | None

    def stop(self, report: BatchReport) -> BatchReport:
        elapsed_s = time.perf_counter() - self.began_s
        command_s = None if self.start_s is None else self.start_s + elapsed_s
        return replace(report, elapsed_s=elapsed_s, command_s=command_s)


@dataclass(frozen=True)
class _Prepared:
    """A batch that may begin.

    ``apart``: the host would have used its own pool (:mod:`~..host.own_pool`).
    """

    batch: Batch
    staging: Staging
    shared: BatchFiles
    apart: bool


def _prepare(host: Host, engine: Any, cfg: Any, manager: Manager, settings: Settings) -> _Prepared:
    batch, names, apart = describe_batch(host, engine, cfg, manager, settings)
    staging = Staging(batch.results_folder, batch.identifier, settings.source)
    shared = BatchFiles(
        names, HostConfig(cfg).basename, _original(cfg), staging.folder, batch.results_folder
    )
    return _Prepared(batch, staging, shared, apart)


def describe_batch(
    host: Host, engine: Any, cfg: Any, manager: Manager, settings: Settings
) -> tuple[Batch, tuple[Any, ...], bool]:
    """The batch, the engine's own file names, and whether the engine would use its own pool.

    :raises SettingsError: there are no files, or a table's settings cannot be used.
    :raises OutputError: an output would overwrite an input.
    """
    refuse_no_files(cfg)
    refuse_unusable_settings(cfg)
    names, files = simulation_files(cfg)
    config = HostConfig(cfg)
    folder = str(config.result_folder)
    _refuse_overwriting_inputs(cfg, folder, files)
    apart = would_use_pool(host, engine, cfg)
    parts = [*config.for_results(), apart, _spelling(names)]
    conditions = conditions_of(manager, settings, folder, parts) if settings.cache else {}
    identifier = batch_identifier([*parts, folder, __version__, host_version()])
    return Batch(identifier, files, folder, conditions=conditions), names, apart


def _run(prepared: _Prepared, worker: Worker, engine: Any, cfg: Any, clock: _Clock) -> BatchReport:
    """Process, merge, save, report; what an interrupted batch can go on from stays."""
    batch, staging, settings = prepared.batch, prepared.staging, worker.settings
    manager = worker.manager
    keep_staging = False
    try:
        facts = _facts(worker, prepared.shared)
        process_file = ProcessOneFile(batch.identifier, facts, prepared.shared.staging)
        work_in_this_process(batch.identifier, worker)
        carried = CarriedState(cfg, batch.files, apart=prepared.apart)
        with (
            contextlib.closing(worker.seams) as seams,
            BatchRun(
                batch,
                manager,
                settings,
                staging,
                process_file,
                carried,
                seams.put_in_place,
                _check(prepared, worker),
            ) as run,
        ):
            report = run.run()
            fault: Exception | None = run.outcome.fault
            keep_staging = report.interrupted or fault is not None
            end = os.path.join(staging.folder, "end")
            if isinstance(fault, VerificationError):
                keep_staging = False  # what it has is not to be trusted
            elif fault is not None and not report.interrupted:
                staging.discard_unfinished()  # which makes room
                report = _with_partial_tables(report, worker, cfg, end)
            elif not keep_staging:
                try:
                    seams.put_in_place()
                    save_merged(worker.host, engine, cfg, report.results, end, apart=prepared.apart)
                except Exception as error:  # what became of the files is worth telling first
                    fault = error
        report = clock.stop(report)
        if settings.save_error_reports:
            report = write_error_logs(report)
        if settings.cache and not isinstance(fault, VerificationError):
            manager.tell(
                "optimizer_keep_results",
                batch=batch,
                results=run.computed(report),
                record=staging.record,
                settings=settings,
            )
        verdicts = manager.tell(
            "optimizer_batch_finished", batch=batch, report=report, settings=settings
        )
        report = _with_faults(_with_verdicts(report, verdicts), manager)
        report = _told(report, manager, settings)
        if fault is not None:
            raise fault
        if report.interrupted:
            raise KeyboardInterrupt
        staging.remove_outdated()
    except VerificationError:
        raise
    except BaseException:
        keep_staging = keep_staging or bool(staging.noted(batch.files))
        raise
    finally:
        leave_batch()
        if keep_staging:
            staging.close()
        else:
            staging.remove()
    if manager.faults and not report.failed:  # everything is saved, and nothing is left to resume
        raise manager.faults[0]
    return report


def _check(prepared: _Prepared, worker: Worker) -> SampleCheck | None:
    settings = worker.settings
    if settings.verify != "sample" or not prepared.batch.files:
        return None
    number, apart = settings.verify_files, prepared.apart
    return SampleCheck(prepared.batch, worker, prepared.shared, number, apart=apart)


def _with_verdicts(report: BatchReport, answers: Sequence[tuple[str, Any]]) -> BatchReport:
    """What plugins say of the whole batch; any other answer means nothing, as it always has."""
    found = [(name, item) for name, item in answers if isinstance(item, BatchVerdict)]
    remarks = tuple((name, text) for name, item in found for text in item.sentences)
    refused = tuple(f"{name}: {item.failure}" for name, item in found if item.failure)
    return replace(report, remarks=(*report.remarks, *remarks), refused=(*report.refused, *refused))


def _told(report: BatchReport, manager: Manager, settings: Settings) -> BatchReport:
    """Give the facts of the batch to the plugins; keep and print them with what they answer."""
    facts = report_as_dict(report, settings)
    if settings.history:
        facts["earlier"] = look_back(facts)
    verdicts = manager.tell("optimizer_report_ready", facts=facts, settings=settings)
    report = _with_verdicts(report, verdicts)
    facts.update(verdicts_as_dict(report))
    if settings.history:
        keep(facts)
    print_report(facts)
    return report


def _with_partial_tables(report: BatchReport, worker: Worker, cfg: Any, end: str) -> BatchReport:
    """``report`` of a batch that a fault has ended, with tables of what has succeeded."""
    try:
        worker.seams.put_in_place()
        saved, faults = save_partial(worker.host, cfg, report.results, end)
        warnings = (*report.warnings, *faults)
        return replace(report, partial_tables=tuple(saved), warnings=warnings)
    except Exception as error:
        said = f"no tables of what has succeeded could be saved: {error}"
        return replace(report, warnings=(*report.warnings, said))


def _with_faults(report: BatchReport, manager: Manager) -> BatchReport:
    faults = tuple(str(fault) for fault in manager.faults)
    return replace(report, warnings=(*report.warnings, *faults)) if faults else report


def _facts(worker: Worker, shared: BatchFiles) -> bytes:
    """What a worker process has to know of the batch."""
    facts = BatchFacts(
        layout=worker.host.layout,
        references=tuple(worker.manager.references),
        settings=worker.settings,
        shared=shared,
        logging_level=logging.getLogger().level,
        library=selected_library(),
    )
    return pickle.dumps(facts, protocol=pickle.HIGHEST_PROTOCOL)


def _original(cfg: Any) -> bytes:
    """``cfg`` as workers get it: everything but the list of files, which may be long."""
    with HostConfig(cfg).without_files():
        return pickle.dumps(cfg, protocol=pickle.HIGHEST_PROTOCOL)


def _spelling(names: tuple[Any, ...]) -> list[tuple[str, str]]:
    """How the engine names files, which it writes into tables: not which files there are."""
    return sorted({(type(name).__name__, os.path.splitext(name)[1]) for name in names})


def _refuse_overwriting_inputs(cfg: Any, folder: str, files: tuple[SimulationFile, ...]) -> None:
    inputs = {os.path.realpath(file.path) for file in files}
    for output in HostConfig(cfg).expected_outputs(folder, [file.stem for file in files]):
        if os.path.realpath(output) in inputs:
            raise OutputError(f"the output {output} would overwrite an input; rename the group")

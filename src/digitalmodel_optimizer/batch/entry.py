"""The engine's ``post_process``, run through the plugins: what the seam on it calls."""

from __future__ import annotations

import contextlib
import logging
import os
import pickle
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from digitalmodel_optimizer import __version__
from digitalmodel_optimizer.batch.carried import CarriedState
from digitalmodel_optimizer.batch.loading import load_plugins
from digitalmodel_optimizer.batch.prewarmed import prewarmed
from digitalmodel_optimizer.batch.run import BatchRun
from digitalmodel_optimizer.batch.staging import Staging, batch_identifier
from digitalmodel_optimizer.batch.worker import (
    PAYLOAD_NAME,
    Payload,
    ProcessOneFile,
    Worker,
    adopt,
    dismiss,
)
from digitalmodel_optimizer.file.unit import BatchFiles
from digitalmodel_optimizer.host.layouts import host_version
from digitalmodel_optimizer.host.modules import Host, selected_library
from digitalmodel_optimizer.host.own_pool import would_use_pool
from digitalmodel_optimizer.host.state import IGNORED
from digitalmodel_optimizer.plugin import (
    Batch,
    BatchReport,
    OptimizerError,
    OutputError,
    PluginError,
    Settings,
    SimulationFile,
)
from digitalmodel_optimizer.plugin.manager import Manager
from digitalmodel_optimizer.report.error_logs import write_error_logs
from digitalmodel_optimizer.report.progress import ProgressDisplay
from digitalmodel_optimizer.report.report import print_report
from digitalmodel_optimizer.tables.save import expected_outputs, save_merged

# The seams are the process's, not a thread's: the batch that ends first would take them away from
# the other one.
_one_at_a_time = threading.RLock()


def simulation_files(cfg: Any) -> tuple[tuple[Any, ...], tuple[SimulationFile, ...]]:
    """The engine's own file names, and the same as plain data with sizes; 0 where missing."""
    names = tuple(cfg["file_management"]["input_files"]["sim"])
    files = []
    for index, name in enumerate(names):
        path = os.path.splitext(os.fspath(name))[0] + ".sim"  # as the engine reads it
        try:
            size = os.stat(path).st_size
        except OSError:
            size = 0
        files.append(SimulationFile(index, path, size))
    return names, tuple(files)


def run_post_process(host: Host, engine: Any, cfg: Any) -> BatchReport:
    """Do what ``engine.post_process(cfg)`` does, through the plugins.

    Batches that are started on several threads of one process take turns.

    :raises SettingsError, PluginError, OutputError: before any file is opened.
    :raises PluginError: a plugin of somebody else failed; it is named.
    :raises OutputError: outputs can no longer be written.
    """
    manager, engine_defaults, settings = load_plugins(cfg, prewarmed.take_plugins())
    display = ProgressDisplay()
    if settings.progress:
        manager.register(display, name="progress")
    try:
        with _one_at_a_time, contextlib.closing(display):
            manager.hook.optimizer_configure(settings=settings)
            prepared = _prepare(host, engine, cfg, manager, settings)
            worker = Worker(host, manager, engine_defaults, settings, prepared.shared)
            return _run(prepared, worker, engine, cfg)
    except OptimizerError:
        raise
    except Exception as error:
        culprit = manager.culprit(error)
        if culprit is None:
            raise
        raise PluginError(f"{culprit}: {type(error).__name__}: {error}") from error


@dataclass(frozen=True)
class _Prepared:
    """A batch that may begin: its staging folder holds what workers need to know of it.

    ``apart``: the engine would have used its own pool (:mod:`~..engine.own_pool`).
    """

    batch: Batch
    staging: Staging
    shared: BatchFiles
    apart: bool


def _prepare(host: Host, engine: Any, cfg: Any, manager: Manager, settings: Settings) -> _Prepared:
    names, files = simulation_files(cfg)
    folder = str(cfg["Analysis"]["result_folder"])
    _refuse_overwriting_inputs(cfg, folder, files)
    apart = would_use_pool(host, engine, cfg)
    identifier = batch_identifier(
        [*_fingerprint(cfg), apart, names, folder, __version__, host_version()]
    )
    staging = Staging(folder, identifier)
    shared = BatchFiles(names, cfg["meta"]["basename"], _original(cfg), staging.folder, folder)
    _write_payload(staging, host, manager, settings, shared)
    return _Prepared(Batch(identifier, files, folder), staging, shared, apart)


def _run(prepared: _Prepared, worker: Worker, engine: Any, cfg: Any) -> BatchReport:
    """Process, merge, save, report; what an interrupted batch can go on from stays."""
    batch, staging, settings = prepared.batch, prepared.staging, worker.settings
    adopt(staging.folder, worker)
    keep_staging = False
    try:
        with worker.seams:
            carried = CarriedState(cfg, batch.files, apart=prepared.apart)
            process_file = ProcessOneFile(staging.folder)
            run = BatchRun(batch, worker.manager, settings, staging, process_file, carried)
            report = run.run()
            fault: Exception | None = run.outcome.output_error
            keep_staging = report.interrupted or fault is not None
            try:
                worker.manager.call_each("optimizer_files_finished", batch=batch, settings=settings)
            except Exception as error:  # no reason to lose what the files gave
                fault = fault or error
            if not keep_staging:
                end = os.path.join(staging.folder, "end")
                try:
                    save_merged(worker.host, engine, cfg, report.results, end, apart=prepared.apart)
                except Exception as error:  # what became of the files is worth telling first
                    fault = error
        if settings.save_error_reports:
            report = write_error_logs(report)
        try:
            worker.manager.call_each(
                "optimizer_batch_finished", batch=batch, report=report, settings=settings
            )
        except Exception as error:  # whatever a plugin does at the end: the report comes out
            fault = fault or error
        print_report(report)
        if fault is not None:
            raise fault
        if report.interrupted:
            raise KeyboardInterrupt
    except BaseException:
        keep_staging = keep_staging or bool(staging.noted(batch.files))
        raise
    finally:
        dismiss(staging.folder)
        staging.close()
        if not keep_staging:
            staging.remove()
    return report


def _original(cfg: Any) -> bytes:
    """``cfg`` as workers get it: everything but the list of files, which may be long."""
    listed = cfg["file_management"]["input_files"]["sim"]
    cfg["file_management"]["input_files"]["sim"] = []
    try:
        return pickle.dumps(cfg, protocol=pickle.HIGHEST_PROTOCOL)
    finally:
        cfg["file_management"]["input_files"]["sim"] = listed


def _fingerprint(cfg: Any) -> list[Any]:
    """What decides a file's results: the configuration but for times, folders and tuning."""
    left_out = (*IGNORED, "orcaflex", "parallel_processing")
    parts = {key: value for key, value in cfg.items() if key not in left_out}
    orcaflex = {key: value for key, value in cfg["orcaflex"].items() if key != "parallel"}
    return [parts, orcaflex]


def _refuse_overwriting_inputs(cfg: Any, folder: str, files: tuple[SimulationFile, ...]) -> None:
    inputs = {os.path.realpath(file.path) for file in files}
    for output in expected_outputs(cfg, folder, [file.stem for file in files]):
        if os.path.realpath(output) in inputs:
            raise OutputError(f"the output {output} would overwrite an input; rename the group")


def _write_payload(
    staging: Staging, host: Host, manager: Manager, settings: Settings, shared: BatchFiles
) -> None:
    payload = Payload(
        layout=host.layout,
        references=tuple(manager.references),
        settings=settings,
        shared=shared,
        parent=os.getpid(),
        logging_level=logging.getLogger().level,
        library=selected_library(),
    )
    Path(staging.folder, PAYLOAD_NAME).write_bytes(
        pickle.dumps(payload, protocol=pickle.HIGHEST_PROTOCOL)
    )

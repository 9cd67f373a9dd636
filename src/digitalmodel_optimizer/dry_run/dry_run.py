"""A run of the host's command, looked at before it begins: nothing is written, no model loaded."""

from __future__ import annotations

import importlib
import importlib.util
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from digitalmodel_optimizer import watcher
from digitalmodel_optimizer.batch.entry import describe_batch
from digitalmodel_optimizer.batch.left_over import LeftOver, look_for_left_over
from digitalmodel_optimizer.batch.loading import load_plugins
from digitalmodel_optimizer.config.configuration import (
    Configuration,
    base_places,
    read_configuration,
)
from digitalmodel_optimizer.config.places import with_lines
from digitalmodel_optimizer.config.settings import is_enabled
from digitalmodel_optimizer.dry_run.decisions import decide
from digitalmodel_optimizer.dry_run.inputs import problems_of_files
from digitalmodel_optimizer.dry_run.outputs import (
    outputs_of,
    problems_of_disk,
    problems_of_folder,
    problems_of_outputs,
    room_for,
)
from digitalmodel_optimizer.dry_run.plan import FAILS, REFUSED, WARNING, Decisions, Plan, Problem
from digitalmodel_optimizer.host.config import HostConfig
from digitalmodel_optimizer.host.files import simulation_files
from digitalmodel_optimizer.host.layouts import LAYOUTS, find_layout, host_version
from digitalmodel_optimizer.host.lean_imports import leave_out
from digitalmodel_optimizer.host.modules import Host, import_host
from digitalmodel_optimizer.host.preview import input_folder, lay_under_master_data, preview
from digitalmodel_optimizer.plugin import (
    OptimizerError,
    OptimizerWarning,
    Settings,
    SettingsError,
    SimulationFile,
)
from digitalmodel_optimizer.plugin.manager import Manager
from digitalmodel_optimizer.startup.command_line import BASENAMES
from digitalmodel_optimizer.startup.typos import find_typo
from digitalmodel_optimizer.tables.publish import unwritable_name


@dataclass
class _Findings:
    """What has been found so far."""

    problems: list[Problem] = field(default_factory=list)
    left_over: LeftOver = field(default_factory=LeftOver)
    decisions: Decisions | None = None

    def refuse(self, code: str, message: str, path: str | None = None) -> None:
        self.problems.append(Problem(REFUSED, code, message, path))


def plan_run(config: str, arguments: Sequence[str] = ()) -> Plan:
    """What ``python -m digitalmodel config *arguments`` would do from this working folder."""
    watcher.stop_watching()  # looking at the host is no reason to wrap it
    findings = _Findings()
    host = _import(findings)
    plan = Plan(config, tuple(arguments), host_version() or "of unknown version")
    try:
        configuration = read_configuration(config, arguments)
        cfg = _preview(configuration)
    except OptimizerError as error:
        findings.refuse("configuration", str(error), config)
        return _with(plan, problems=tuple(findings.problems))
    off = _why_off(configuration)
    _, files = simulation_files(cfg)
    if host is not None:
        _look_at_batch(findings, host, cfg, resumes=off is None)
    if off is None:
        _ask_plugins(findings, cfg, files)
    findings.problems += problems_of_files(files)
    return _with(plan, **_outputs(findings, cfg, files), plugins_off=off, files=files)


def _with(plan: Plan, **changes: Any) -> Plan:
    from dataclasses import replace

    return replace(plan, **changes)


def _import(findings: _Findings) -> Host | None:
    """The host's post-process module, without what it never uses; None where it is not to be had.

    OrcFxAPI is imported first, since the host's own complaint about it is a traceback.
    """
    if importlib.util.find_spec("digitalmodel") is None:
        findings.refuse("host", "digitalmodel is not installed in this Python")
        return None
    layout = find_layout()
    try:
        importlib.import_module("OrcFxAPI")
        leave_out(layout.unused_imports if layout else ())
        return import_host(layout) if layout else None
    except Exception as error:  # whatever it is, it is what the host would meet
        findings.refuse(
            "orcfxapi" if isinstance(error, ImportError | OSError) else "host",
            f"the host cannot be imported: {type(error).__name__}: {error}; "
            "digitalmodel-optimizer doctor says more",
        )
        return None


def _preview(configuration: Configuration) -> Any:
    """``cfg`` as the loop gets it.

    :raises OptimizerError: the host would not come to its loop.
    """
    own, basename = configuration.own, configuration.basename
    if basename not in BASENAMES:
        said = f"basename is {basename}" if basename else "neither basename nor meta.basename"
        raise OptimizerError(f"{own} is not for post-processing: {said}")
    if configuration.base is None:
        raise OptimizerError(
            f"from this folder the host finds no base configuration for {basename}; "
            f"put it at {next(base_places(basename)).absolute()}"
        )
    return preview(configuration)


def _why_off(configuration: Configuration) -> str | None:
    """Why the host's own loop would run without plugins; None if they would take part."""
    if watcher.switched_off():
        return f"switched off by {watcher.ENVIRONMENT_VARIABLE}"
    if not is_enabled(configuration.merged):
        return (
            find_typo(configuration.own)
            or f"{configuration.own} does not enable them (orcaflex.parallel.enabled)"
        )
    if find_layout() is None:
        known = ", ".join(layout.versions for layout in LAYOUTS)
        return f"digitalmodel {host_version()} has an unknown layout; known are {known}"
    return None


def _look_at_batch(findings: _Findings, host: Host, cfg: Any, *, resumes: bool) -> None:
    """What the batch would find of earlier runs; completes ``cfg``."""
    try:
        engine = host.post_process_class()
        lay_under_master_data(host, engine, cfg)
        batch, _, _ = describe_batch(host, engine, cfg)
    except OptimizerError as error:
        findings.refuse("output", str(error))
        return
    except Exception as error:  # as the host's own loop would end
        findings.refuse("configuration", f"the host fails on it: {type(error).__name__}: {error}")
        return
    if resumes:
        findings.left_over = look_for_left_over(batch)
    if findings.left_over.obstacle:
        findings.refuse("locked", findings.left_over.obstacle, batch.results_folder)


def _ask_plugins(findings: _Findings, cfg: Any, files: Sequence[SimulationFile]) -> None:
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", OptimizerWarning)
        try:
            manager, settings = _configured(cfg)
            usable = [file for file in files if unwritable_name(file) is None]
            findings.decisions = decide(
                manager,
                settings,
                usable,
                findings.left_over.finished,
                findings.left_over.broken_off,
            )
        except SettingsError as error:
            source = with_lines(error, cfg).source
            for fault in with_lines(error, cfg).faults:
                findings.refuse("setting", fault, source)
        except OptimizerError as error:
            findings.refuse("plugin", str(error))
    for item in said:
        if issubclass(item.category, OptimizerWarning):
            findings.problems.append(Problem(WARNING, "warning", str(item.message)))


def _configured(cfg: Any) -> tuple[Manager, Settings]:
    manager, _, settings = load_plugins(cfg)
    manager.ask("optimizer_configure", settings=settings)
    return manager, settings


def _outputs(findings: _Findings, cfg: Any, files: Sequence[SimulationFile]) -> dict[str, Any]:
    """What the plan says of outputs, of the folders and of what fails there."""
    config = HostConfig(cfg)
    folder = str(config.result_folder)
    broken = {item.path for item in findings.problems}
    finished = findings.left_over.finished
    to_write = [file for file in files if file.path not in broken]
    outputs = tuple(outputs_of(cfg, folder, to_write))
    workers = findings.decisions.schedule.workers if findings.decisions else 1
    disk = room_for(outputs, folder, [*finished.values()], workers)
    findings.problems += _problems_of_inputs(config, files)
    findings.problems += problems_of_folder(folder)
    findings.problems += problems_of_outputs(outputs, folder)
    findings.problems += problems_of_disk(disk)
    return {
        "input_folder": str(input_folder(config)) if config.lists_files else None,
        "results_folder": folder,
        "finished": finished,
        "decisions": findings.decisions,
        "outputs": outputs,
        "disk": disk,
        "problems": tuple(findings.problems),
    }


def _problems_of_inputs(config: HostConfig, files: Sequence[SimulationFile]) -> Iterator[Problem]:
    if not files:
        where = f"in {input_folder(config)}" if config.lists_files else "in the configuration"
        yield Problem(FAILS, "no_files", f"there are no simulation files {where}")

"""A run of the host's command, looked at before it begins: nothing is written, no model loaded."""

from __future__ import annotations

import importlib
import importlib.util
import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from digitalmodel_optimizer import watcher
from digitalmodel_optimizer.batch.adoption import Adoption
from digitalmodel_optimizer.batch.carried import CarriedState
from digitalmodel_optimizer.batch.entry import describe_batch
from digitalmodel_optimizer.batch.left_over import look_for_left_over
from digitalmodel_optimizer.batch.loading import load_plugins
from digitalmodel_optimizer.batch.no_input import NoFilesError
from digitalmodel_optimizer.batch.reuse import Earlier, Reuse, take_up
from digitalmodel_optimizer.config.configuration import (
    Configuration,
    base_places,
    read_configuration,
)
from digitalmodel_optimizer.config.enabling import is_enabled
from digitalmodel_optimizer.config.places import with_lines
from digitalmodel_optimizer.dry_run.decisions import decide
from digitalmodel_optimizer.dry_run.inputs import problems_of_files
from digitalmodel_optimizer.dry_run.outputs import (
    outputs_of,
    problems_of_disk,
    problems_of_folder,
    problems_of_outputs,
    room_for,
)
from digitalmodel_optimizer.dry_run.plan import FAILS, REFUSED, WARNING, Plan, Problem
from digitalmodel_optimizer.host.config import HostConfig
from digitalmodel_optimizer.host.files import simulation_files
from digitalmodel_optimizer.host.layouts import LAYOUTS, find_layout, host_version
from digitalmodel_optimizer.host.lean_imports import defer_imports
from digitalmodel_optimizer.host.modules import Host, import_host
from digitalmodel_optimizer.host.preview import input_folder, lay_under_master_data, preview
from digitalmodel_optimizer.plugin import (
    OptimizerError,
    OptimizerWarning,
    OutputError,
    Settings,
    SettingsError,
)
from digitalmodel_optimizer.plugin.manager import Manager
from digitalmodel_optimizer.startup.command_line import BASENAMES
from digitalmodel_optimizer.startup.typos import find_rivals, find_typo
from digitalmodel_optimizer.tables.publish import unwritable_name


class _Findings(list[Problem]):
    """What has been found so far."""

    def refuse(self, code: str, message: str, path: str | None = None) -> None:
        self.append(Problem(REFUSED, code, message, path))


def plan_run(config: str, arguments: Sequence[str] = ()) -> Plan:
    """What ``python -m digitalmodel config *arguments`` would do from this working folder."""
    watcher.stop_watching()  # looking at the host is no reason to wrap it
    findings = _Findings()
    plan = Plan(config, tuple(arguments), host_version() or "of unknown version")
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", OptimizerWarning)
        host = _import(findings)
        try:
            configuration = read_configuration(config, arguments)
            cfg = _preview(configuration)
            plan = replace(plan, plugins_off=_why_off(findings, configuration))
            plan = _plan(plan, findings, host, cfg)
        except OptimizerError as error:
            findings.refuse("configuration", str(error), config)
    remarks = [str(item.message) for item in said if issubclass(item.category, OptimizerWarning)]
    findings += [Problem(WARNING, "warning", remark) for remark in remarks]
    return replace(plan, problems=tuple(findings))


def _plan(plan: Plan, findings: _Findings, host: Host | None, cfg: Any) -> Plan:
    """``plan`` with everything that ``cfg`` makes of it."""
    if host is not None:
        _complete(findings, host, cfg)
    config = HostConfig(cfg)
    _, files = simulation_files(cfg)
    findings += problems_of_files(files)
    folder = str(config.result_folder)
    plan = replace(
        plan,
        files=files,
        input_folder=str(input_folder(config)) if config.lists_files else None,
        results_folder=folder,
    )
    if plan.plugins_off is None:
        plan = _ask_plugins(plan, findings, host, cfg)
    if not files and plan.plugins_off is not None:  # with plugins it is refused
        where = f"in {plan.input_folder}" if plan.input_folder else "in the configuration"
        findings.append(Problem(FAILS, "no_files", f"there are no simulation files {where}"))
    broken = {item.path for item in findings}
    outputs = tuple(outputs_of(cfg, folder, [file for file in files if file.path not in broken]))
    workers = plan.decisions.schedule.workers if plan.decisions else 1
    disk = room_for(outputs, folder, [*plan.resumed.values(), *plan.kept.values()], workers)
    findings += problems_of_folder(folder)
    findings += problems_of_outputs(outputs, folder)
    findings += problems_of_disk(disk)
    return replace(plan, outputs=outputs, disk=disk)


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
        if layout is None:
            return None
        defer_imports(layout.packages, layout.loud)
        return import_host(layout)
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


def _why_off(findings: _Findings, configuration: Configuration) -> str | None:
    """Why the host's own loop would run without plugins; None if they would take part."""
    if watcher.switched_off():
        return f"switched off by {watcher.ENVIRONMENT_VARIABLE}"
    rivals = find_rivals(configuration)
    if rivals is not None and rivals.fatal:
        findings.refuse("setting", rivals.said, str(configuration.own))
    if not is_enabled(configuration.merged):
        typo = find_typo(configuration)
        if typo is None:
            return f"{configuration.own} does not enable them (orcaflex.parallel.enabled)"
        if typo.fatal:
            findings.refuse("setting", typo.said, str(configuration.own))
        return typo.said
    if find_layout() is None:
        known = ", ".join(layout.versions for layout in LAYOUTS)
        return f"digitalmodel {host_version()} has an unknown layout; known are {known}"
    return None


def _complete(findings: _Findings, host: Host, cfg: Any) -> None:
    """Do to ``cfg`` what the host's post-process does before its loop."""
    try:
        lay_under_master_data(host, host.post_process_class(), cfg)
    except Exception as error:  # as the host's command would end
        findings.refuse("configuration", f"the host fails on it: {type(error).__name__}: {error}")


def _ask_plugins(plan: Plan, findings: _Findings, host: Host | None, cfg: Any) -> Plan:
    """``plan`` with what the batch would find of earlier runs, and with what is decided."""
    try:
        manager, settings = _configured(cfg)
        earlier, broken_off = Earlier({}, Reuse(), ()), frozenset[int]()
        if host is not None:
            earlier, broken_off = _look_back(findings, host, cfg, manager, settings)
        usable = [file for file in plan.files if unwritable_name(file) is None]
        kept = earlier.reuse.results
        return replace(
            plan,
            resumed={index: r for index, r in earlier.results.items() if index not in kept},
            kept=kept,
            read_because=earlier.reuse.counted(),
            decisions=decide(manager, settings, usable, earlier.results, broken_off),
        )
    except SettingsError as error:
        located = with_lines(error, cfg)
        for fault in located.faults:
            code = "no_files" if isinstance(error, NoFilesError) else "setting"
            findings.refuse(code, fault, located.source)
    except OutputError as error:
        findings.refuse("output", str(error))
    except OptimizerError as error:
        findings.refuse("plugin", str(error))
    return plan


def _look_back(
    findings: _Findings, host: Host, cfg: Any, manager: Manager, settings: Settings
) -> tuple[Earlier, frozenset[int]]:
    """What earlier runs have left, and which files were being processed when one ended."""
    batch, _, apart = describe_batch(host, host.post_process_class(), cfg, manager, settings)
    adoption = Adoption(batch.results_folder)
    left_over = look_for_left_over(batch, adoption)
    if left_over.obstacle is not None:
        findings.refuse("locked", left_over.obstacle, batch.results_folder)
    carried = CarriedState(cfg, batch.files, apart=apart)
    earlier = take_up(manager, settings, batch, left_over.resumed, adoption, carried)
    return earlier, left_over.broken_off


def _configured(cfg: Any) -> tuple[Manager, Settings]:
    manager, _, settings = load_plugins(cfg)
    manager.ask("optimizer_configure", settings=settings)
    return manager, settings

"""The checks of ``doctor``, one after the other."""

from __future__ import annotations

import importlib.util
import os
import platform
import struct
import sys
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from digitalmodel_optimizer.commands.findings import FAIL, OK, WARN, Check
from digitalmodel_optimizer.commands.installed import ON, InstalledPlugin, look_at_plugins
from digitalmodel_optimizer.commands.machine_checks import check_backends, check_budgets
from digitalmodel_optimizer.config.configuration import (
    Configuration,
    base_places,
    find_base,
    read_configuration,
)
from digitalmodel_optimizer.config.settings import switched_off, switched_on
from digitalmodel_optimizer.plugin import OptimizerError, Settings, SettingsError
from digitalmodel_optimizer.startup.command_line import BASENAMES
from digitalmodel_optimizer.startup.typos import find_typo

__all__ = ["FAIL", "OK", "WARN", "Check", "all_checks"]


def all_checks(config: Path | None) -> Iterator[Check]:
    """Every check, in the order in which a run would meet what it looks at."""
    yield _check_python()
    yield _check_activation()
    yield from _check_host()
    yield _check_wrapper()
    read: Configuration | None = None
    if config is not None:
        try:
            read = read_configuration(config)
        except OptimizerError as error:
            yield Check("configuration", FAIL, str(error))
    yield from _check_base(read)
    plugins: list[InstalledPlugin] = []
    try:
        plugins = look_at_plugins()
        yield from _check_plugins(plugins, _off(plugins, read.merged if read else {}))
    except OptimizerError as error:
        yield Check("plugins", FAIL, str(error))
    settings: Settings | None = None
    if read is not None:
        settings, checks = _check_settings(read, plugins)
        yield from checks
    yield from check_budgets(settings, plugins)
    yield check_backends()


def _check_python() -> Check:
    bits = 8 * struct.calcsize("P")
    found = f"{platform.python_implementation()} {platform.python_version()}, {bits} bit"
    return Check("Python", OK, f"{found}, {sys.executable}")


def _check_activation() -> Check:
    from digitalmodel_optimizer import watcher

    name, active = "activation", watcher.watching()
    watcher.stop_watching()  # looking at the host is no reason to wrap it
    if watcher.switched_off():
        value = os.environ.get(watcher.ENVIRONMENT_VARIABLE)
        return Check(
            name,
            WARN,
            f"switched off by {watcher.ENVIRONMENT_VARIABLE}={value}",
            "unset it to let the plugins take part",
        )
    if active:
        return Check(name, OK, "this Python waits for the host: python -m digitalmodel is enough")
    return Check(
        name,
        WARN,
        "this Python did not process digitalmodel_optimizer.pth",
        "python -m digitalmodel runs without plugins; use digitalmodel-optimizer run CONFIG",
    )


def _check_host() -> Iterator[Check]:
    from digitalmodel_optimizer.host.layouts import LAYOUTS, find_layout, host_version

    if importlib.util.find_spec("digitalmodel") is None:
        yield Check("digitalmodel", FAIL, "not installed", "pip install digitalmodel")
        return
    layout, version = find_layout(), host_version() or "of unknown version"
    if layout is None:
        known = ", ".join(f"{item.name} ({item.versions})" for item in LAYOUTS)
        yield Check(
            "digitalmodel",
            WARN,
            f"{version}, an unknown layout: plugins would be off",
            f"known layouts: {known}",
        )
        return
    yield Check("digitalmodel", OK, f"{version}, layout {layout.name!r} ({layout.opp})")


def _check_wrapper() -> Check:
    from digitalmodel_optimizer.commands.orcaflex_installed import advice

    if importlib.util.find_spec("OrcFxAPI") is None:
        return Check("OrcFxAPI", FAIL, "not installed", "pip install OrcFxAPI")
    try:
        import OrcFxAPI
        import OrcFxAPIConfig

        stand_in = bool(getattr(OrcFxAPIConfig, "simulated", False))
        version = OrcFxAPI.DLLVersion()
    except Exception as error:  # whatever it is, it is what the host would meet
        return Check(
            "OrcFxAPI",
            FAIL,
            f"installed, cannot be imported: {type(error).__name__}: {error}",
            advice(),
        )
    if stand_in:
        return Check(
            "OrcFxAPI",
            WARN,
            f"imported, on the stand-in for OrcaFlex (says {version})",
            "unset SIMULATED_ORCAFLEX for real results",
        )
    return Check("OrcFxAPI", OK, f"imported, OrcaFlex {version}; a licence was not asked for")


def _check_base(read: Configuration | None) -> Iterator[Check]:
    name = "base configuration"
    if read is None:
        found = [base for basename in BASENAMES if (base := find_base(basename))]
        if found:
            yield Check(name, OK, f"from this folder the host finds {_listed(found)}")
        else:
            yield Check(
                name,
                WARN,
                "from this folder the host finds none",
                f"it looks at {_listed([place.absolute() for place in base_places('<basename>')])}",
            )
    elif read.basename is None:
        yield Check(name, FAIL, "the configuration has neither basename nor meta.basename")
    elif read.base is None:
        yield Check(
            name,
            FAIL,
            f"from this folder the host finds none for {read.basename}",
            f"put it at {next(base_places(read.basename)).absolute()}",
        )
    else:
        yield Check(name, OK, str(read.base))


def _off(plugins: list[InstalledPlugin], cfg: Mapping[Any, Any]) -> frozenset[str]:
    by_default = {item.name for item in plugins if not item.on_by_default}
    return switched_off(cfg) | (by_default - switched_on(cfg))


def _check_plugins(plugins: list[InstalledPlugin], off: frozenset[str]) -> Iterator[Check]:
    good = [item.name for item in plugins if item.state == ON and item.name not in off]
    yield Check("plugins", OK if good else WARN, f"{len(good)} on: {', '.join(good)}")
    for item in plugins:
        if item.state != ON and item.name not in off:  # what is off by name is not even imported
            stops = item.state.startswith("breaks the contract")
            yield Check(
                f"plugin {item.name}",
                FAIL if stops else WARN,
                item.state,
                f"update or uninstall {item.distribution}" if "blocked" not in item.state else "",
            )


def _check_settings(
    read: Configuration, plugins: list[InstalledPlugin]
) -> tuple[Settings | None, list[Check]]:
    from digitalmodel_optimizer.config.settings import read_settings

    declared = {item.name: item.known for item in plugins}
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            settings = read_settings(read.merged, declared)
        except SettingsError as error:
            return None, [Check("settings", FAIL, "\n".join(error.faults))]
    checks = [Check("settings", WARN, str(item.message)) for item in said]
    return settings, [_check_enabled(read, settings), *checks]


def _check_enabled(read: Configuration, settings: Settings) -> Check:
    from digitalmodel_optimizer.config.enabling import BLOCK

    path = (*BLOCK, "enabled")
    key, source = ".".join(path), read.origin(path)
    if source is None:
        return Check(
            "enabled",
            WARN,
            f"no: no file says {key}; plugins would be off",
            _typo(read) or "add to the configuration  orcaflex: {parallel: {enabled: True}}",
        )
    where = f"{key} in {source.file}, line {source.line}"
    over = [file.name for text in read.texts for file, _ in text.files]
    merged = f" (merged: {' <- '.join(over)})" if len(over) > 1 else ""
    if not settings.enabled:
        advice = _typo(read) or "set it to True to use the plugins"
        return Check("enabled", WARN, f"no: {where}{merged}", advice)
    off = f"; off by name: {', '.join(sorted(settings.blocked))}" if settings.blocked else ""
    return Check("enabled", OK, f"yes: {where}{merged}{off}")


def _typo(read: Configuration) -> str | None:
    typo = find_typo(read)
    return None if typo is None else typo.said


def _listed(paths: list[Path]) -> str:
    return ", ".join(str(path) for path in paths)

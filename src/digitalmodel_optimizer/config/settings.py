"""Reading the run's settings from the keys that users already have in their ``dm_fsts.yml``.

The first of these that is there counts, and an integer is a ceiling, never an order:
``orcaflex.parallel.threads``, ``parallel_processing.max_workers`` (or ``workers``), the top-level
``workers`` that the command line ``--workers 15`` leaves behind. Only
``orcaflex.parallel.enabled`` switches anything on.
"""

from __future__ import annotations

import difflib
import os
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

from digitalmodel_optimizer.config.yaml_files import find_base
from digitalmodel_optimizer.plugin import (
    OptimizerWarning,
    Option,
    PluginOptions,
    Settings,
    SettingsError,
)
from digitalmodel_optimizer.plugin.manager import TRACE_VARIABLE, blocked_by_environment
from digitalmodel_optimizer.plugin.options import AUTO

BLOCK = ("orcaflex", "parallel")
CEILING_KEYS = (
    (*BLOCK, "threads"),
    ("parallel_processing", "max_workers"),
    ("parallel_processing", "workers"),
    ("workers",),
)
# parallel_processing.timeout_per_file stands in many base configurations and was never read by
# anyone; taking it up would force worker processes on every small batch.
TIMEOUT_KEYS = ((*BLOCK, "timeout_per_file"),)
BLOCK_OPTIONS = (
    Option("enabled", bool, False, "Run the batch through the plugins."),
    Option("threads", int, AUTO, "The most workers at a time.", minimum=1, auto=True),
    Option("use_processes", bool, True, "False keeps all work in one process."),
    Option(
        "timeout_per_file",
        float,
        None,
        "A file that takes longer is given up; needs worker processes.",
        unit="seconds",
        minimum=1,
        optional=True,
    ),
    Option("progress", bool, True, "Show what runs and how long it will take."),
)
ENABLED = Option("enabled", bool, True, "False switches the plugin off.")
_TRUE_WORDS = ("true", "yes", "on")
ENABLED_WORDS = (*_TRUE_WORDS, "false", "no", "off", "")
"""Texts that say whether a batch is enabled; any other means no, and is a slip."""
_MISSING = object()


def look_up(cfg: Any, path: tuple[str, ...]) -> Any:
    """The value at ``path`` in nested mappings, or a marker that is not None."""
    for key in path:
        if not isinstance(cfg, Mapping) or key not in cfg:
            return _MISSING
        cfg = cfg[key]
    return cfg


def is_enabled(cfg: Any) -> bool:
    """Whether this configuration asks for the plugins at all; never raises."""
    value = look_up(cfg, (*BLOCK, "enabled"))
    if isinstance(value, str):
        return value.strip().lower() in _TRUE_WORDS
    return value is not _MISSING and bool(value)


def switched_off(cfg: Any) -> frozenset[str]:
    """Plugins that ``cfg`` switches off by name; never raises."""
    block = look_up(cfg, (*BLOCK, "plugins"))
    if not isinstance(block, Mapping):
        return frozenset()
    return frozenset(
        name
        for name, given in block.items()
        if given is False or look_up(given, (ENABLED.name,)) is False
    )


def read_settings(cfg: Any, plugins: Mapping[str, PluginOptions | None]) -> Settings:
    """Validate everything that ``cfg`` says of this run.

    :param plugins: what each installed plugin declares, by name; None where nobody knows, since
        the plugin is switched off or cannot be imported: its options are then taken as they are.
    :raises SettingsError: lists every fault, each with its key path and line.
    """
    reader = _Reader(cfg, plugins)
    settings = reader.settings()
    source = source_file(cfg)
    if reader.faults:
        sentences = (
            f"{'.'.join(path)}{_place(cfg, path)} {fault}" for path, fault in reader.faults
        )
        raise SettingsError([*sentences], source)
    if source is not None and settings.enabled:
        _warn_of_repeated_keys(source)
    return settings


def _place(cfg: Any, path: tuple[str, ...]) -> str:
    """Where the value at ``path`` comes from: the user's file, one below it, or an argument."""
    from digitalmodel_optimizer.config.yaml_lines import holds, line_of, readable

    source, value = source_file(cfg), look_up(cfg, path)
    if source is None or not readable(source):
        return ""
    for file in (source, *_files_below(cfg)):
        if holds(file, path, value):
            return f" (line {line_of(file, path)}{'' if file == source else f' of {file}'})"
    return " (given by an argument)"


def _files_below(cfg: Any) -> Iterator[str]:
    """The base configuration that the host merged under the user's file; the one named in it."""
    named = look_up(cfg, ("default_yaml",))
    if isinstance(named, str):
        yield named
    basename = look_up(cfg, ("basename",))
    basename = look_up(cfg, ("meta", "basename")) if basename is _MISSING else basename
    base = find_base(basename) if isinstance(basename, str) else None
    if base is not None:
        yield os.fspath(base)


def _warn_of_repeated_keys(source: str) -> None:
    from digitalmodel_optimizer.config.yaml_lines import repeated

    for path, lines in repeated(source, BLOCK):
        listed = f"{', '.join(map(str, lines[:-1]))} and {lines[-1]}"
        warnings.warn(
            f"{source}: {'.'.join(path)} stands on lines {listed}; the engine takes the last",
            OptimizerWarning,
            stacklevel=3,
        )


def source_file(cfg: Any) -> str | None:
    """The user's YAML file, as the engine noted it."""
    name = look_up(cfg, ("Analysis", "CustomInputFile"))
    return os.fspath(name) if isinstance(name, (str, os.PathLike)) else None


class _Reader:
    def __init__(self, cfg: Any, plugins: Mapping[str, PluginOptions | None]) -> None:
        self.cfg = cfg
        self.plugins = plugins
        self.faults: list[tuple[tuple[str, ...], str]] = []

    def settings(self) -> Settings:
        block = look_up(self.cfg, BLOCK)
        block = block if isinstance(block, Mapping) else {}
        self._refuse_near_misses(block)
        for option in BLOCK_OPTIONS:
            if option.name in ("use_processes", "progress") and option.name in block:
                self._check((*BLOCK, option.name), option, block[option.name])
        options, blocked = self._plugin_options(block.get("plugins"))
        reports = look_up(self.cfg, ("parallel_processing", "save_error_reports"))
        return Settings(
            enabled=is_enabled(self.cfg),
            ceiling=self._ceiling(),
            use_processes=block.get("use_processes", True) is not False,
            timeout_per_file_s=self._timeout(),
            save_error_reports=reports is not False,
            progress=block.get("progress", True) is not False,
            blocked=blocked | blocked_by_environment(),
            trace=bool(os.environ.get(TRACE_VARIABLE)),
            source=source_file(self.cfg),
            plugin_options=options,
        )

    def _check(self, path: tuple[str, ...], option: Option, value: Any) -> bool:
        fault = option.fault(value)
        if fault is not None:
            self.faults.append((path, fault))
        return fault is None

    def _first(self, keys: tuple[tuple[str, ...], ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
        for path in keys:
            value = look_up(self.cfg, path)
            if value is not _MISSING and value is not None:
                yield path, value

    def _ceiling(self) -> int | None:
        option = next(item for item in BLOCK_OPTIONS if item.name == "threads")
        for path, given in self._first(CEILING_KEYS):
            value = given
            if path == ("workers",) and isinstance(value, str) and value.strip().isdigit():
                value = int(value)  # the host's command line leaves a text behind
            if not self._check(path, option, value) or value == AUTO:
                return None
            return int(value)
        return None

    def _timeout(self) -> float | None:
        option = next(item for item in BLOCK_OPTIONS if item.name == "timeout_per_file")
        for path, value in self._first(TIMEOUT_KEYS):
            return float(value) if self._check(path, option, value) else None
        return None

    def _refuse_near_misses(self, block: Mapping[Any, Any]) -> None:
        """A slip here would cost a night: no time limit, or more workers than there are licences.

        Other keys of this block may be somebody else's and are left alone.
        """
        known = [option.name for option in BLOCK_OPTIONS] + ["plugins"]
        for key in block:
            near = difflib.get_close_matches(str(key), known, n=1, cutoff=0.8)
            if key not in known and near:
                fault = f"is not read by anyone; did you mean {near[0]}?"
                self.faults.append(((*BLOCK, str(key)), fault))

    def _plugin_options(self, block: Any) -> tuple[dict[str, Mapping[str, Any]], frozenset[str]]:
        path = (*BLOCK, "plugins")
        if block is not None and not isinstance(block, Mapping):
            self.faults.append((path, f"takes a block of plugin names, not {block!r}"))
            block = None
        block = block or {}
        for name in block:
            if name not in self.plugins:
                self.faults.append(((*path, str(name)), _unknown(name, self.plugins, "plugin")))
        values: dict[str, Mapping[str, Any]] = {}
        blocked = set()
        for name, declared in self.plugins.items():
            given = block.get(name)
            if isinstance(given, bool):
                given = {"enabled": given}
            values[name] = self._options_of((*path, name), declared, given)
            if values[name]["enabled"] is False:
                blocked.add(name)
        return values, frozenset(blocked)

    def _options_of(
        self, path: tuple[str, ...], declared: PluginOptions | None, given: Any
    ) -> dict[str, Any]:
        options = {ENABLED.name: ENABLED}
        if declared is not None:
            options |= {option.name: option for option in declared.options}
        values = {name: option.default for name, option in options.items()}
        if given is None:
            return values
        if not isinstance(given, Mapping):
            self.faults.append((path, f"takes a block of options, not {given!r}"))
            return values
        for key, value in given.items():
            if key not in options:
                if declared is not None:
                    self.faults.append(((*path, str(key)), _unknown(key, options, "option")))
            elif self._check((*path, key), options[key], value):
                values[key] = value
        return values


def _unknown(name: Any, known: Mapping[str, Any], noun: str) -> str:
    near = difflib.get_close_matches(str(name), list(known), n=1)
    if near:
        return f"is no {noun}; did you mean {near[0]}?"
    return f"is no {noun}; there are {', '.join(known)}"

"""Reading the run's settings from the keys that users already have in their ``dm_fsts.yml``.

The first of these that is there counts, and an integer is a ceiling, never an order:
``orcaflex.parallel.threads``, ``parallel_processing.max_workers`` (or ``workers``), the top-level
``workers`` and ``max_workers`` that ``--workers 15`` or ``--max_workers 15`` on the command line
leave behind. Only ``orcaflex.parallel.enabled`` switches anything on
(:mod:`~digitalmodel_optimizer.config.enabling`).
"""

from __future__ import annotations

import difflib
import os
import warnings
from collections.abc import Mapping
from typing import Any

from digitalmodel_optimizer.config.configuration import MISSING, look_up
from digitalmodel_optimizer.config.enabling import BLOCK, is_enabled
from digitalmodel_optimizer.config.misplaced import PLUGINS, RightPlaces
from digitalmodel_optimizer.config.places import Places, source_file
from digitalmodel_optimizer.config.user_yaml import Key
from digitalmodel_optimizer.plugin import (
    OptimizerWarning,
    Option,
    PluginOptions,
    Settings,
    SettingsError,
)
from digitalmodel_optimizer.plugin.manager import TRACE_VARIABLE, blocked_by_environment
from digitalmodel_optimizer.plugin.options import AUTO

CEILING_KEYS = (
    (*BLOCK, "threads"),
    ("parallel_processing", "max_workers"),
    ("parallel_processing", "workers"),
    ("workers",),
    ("max_workers",),
)
BLOCK_OPTIONS = (
    Option("enabled", bool, False, "Run the batch through the plugins."),
    Option("threads", int, AUTO, "The most workers at a time.", minimum=1, auto=True),
    Option("use_processes", bool, True, "False keeps all work in one process."),
    # parallel_processing.timeout_per_file stands in many base configurations and was never read by
    # anyone; taking it up would force worker processes on every small batch.
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
    Option(
        "read_block_mb",
        float,
        64.0,
        "The most memory that results read ahead may take, per model.",
        unit="MB",
        minimum=1,
    ),
    Option("history", bool, True, "Keep what each run took, to compare later runs with."),
    Option("cache", bool, False, "Keep results, and read only files whose results may differ."),
    Option(
        "verify_inputs",
        bool,
        False,
        "Compare the whole content of files whose results are kept, not size, time and parts.",
    ),
    Option(
        "verify",
        str,
        "column",
        "What is compared with the host's own way of reading: nothing, one column of each batched "
        "read, all columns of it, or a few files of the batch with the host's own loop.",
        choices=("off", "column", "all", "sample"),
    ),
    Option("verify_files", int, 3, "How many files `verify: sample` compares.", minimum=1),
)
HOSTS_WORKERS = ("parallel_processing",)
"""Where the host itself reads a number of workers."""
_NAMED = {option.name: option for option in BLOCK_OPTIONS}
ENABLED = Option("enabled", bool, True, "False switches the plugin off.")
VERIFY_VARIABLE = "DIGITALMODEL_OPTIMIZER_VERIFY_INPUTS"
MOVED = {
    ("result-extraction", "block_mb"): (*BLOCK, "read_block_mb"),
    ("result-extraction", "verify"): (*BLOCK, "verify"),
}
"""Options of plugins that have become options of the core."""


def switched_off(cfg: Any) -> frozenset[str]:
    """Plugins that ``cfg`` switches off by name; never raises."""
    return _switched(cfg, False)


def switched_on(cfg: Any) -> frozenset[str]:
    """Plugins that ``cfg`` switches on by name; never raises."""
    return _switched(cfg, True)


def _switched(cfg: Any, to: bool) -> frozenset[str]:
    block = look_up(cfg, PLUGINS)
    if not isinstance(block, Mapping):
        return frozenset()
    return frozenset(
        name
        for name, given in block.items()
        if given is to or look_up(given, (ENABLED.name,)) is to
    )


def read_settings(cfg: Any, plugins: Mapping[str, PluginOptions | None]) -> Settings:
    """Validate everything that ``cfg`` says of this run.

    :param plugins: what each installed plugin declares, by name; None where nobody knows, since
        the plugin is switched off or cannot be imported: its options are then taken as they are.
    :raises SettingsError: lists every fault, each with its key path and line.
    """
    reader = _Reader(cfg, plugins)
    settings = reader.settings()
    if not (reader.faults or settings.enabled):
        return settings
    places = Places(cfg)
    repeated, rivals = places.repeated_keys(BLOCK)
    faults = [*rivals, *(places.sentence(key, said) for key, said in reader.faults)]
    if faults:
        raise SettingsError(faults, places.source)
    doubts = [*repeated, *(places.sentence(key, said) for key, said in reader.doubts)]
    for doubt in doubts:
        where = f"{places.source}: " if places.source else ""
        warnings.warn(f"{where}{doubt}", OptimizerWarning, stacklevel=2)
    return settings


class _Reader:
    def __init__(self, cfg: Any, plugins: Mapping[str, PluginOptions | None]) -> None:
        self.cfg = cfg
        self.plugins = plugins
        options = {name: declared.options for name, declared in plugins.items() if declared}
        self.right = RightPlaces(
            _NAMED,
            {name: [option.name for option in options.get(name, ())] for name in plugins},
        )
        self.faults: list[tuple[Key, str]] = []
        self.doubts: list[tuple[Key, str]] = []

    def settings(self) -> Settings:
        block = look_up(self.cfg, BLOCK)
        block = block if isinstance(block, Mapping) else {}
        self._look_for_mistakes(block)
        timeout_s = self._option(block, "timeout_per_file")
        options, blocked = self._plugin_options(block.get("plugins"))
        reports = look_up(self.cfg, ("parallel_processing", "save_error_reports"))
        return Settings(
            enabled=is_enabled(self.cfg),
            ceiling=self._ceiling(),
            use_processes=self._option(block, "use_processes"),
            timeout_per_file_s=None if timeout_s is None else float(timeout_s),
            save_error_reports=reports is not False,
            progress=self._option(block, "progress"),
            read_block_mb=float(self._option(block, "read_block_mb")),
            history=self._option(block, "history"),
            cache=self._option(block, "cache"),
            verify_inputs=self._option(block, "verify_inputs")
            or bool(os.environ.get(VERIFY_VARIABLE)),
            verify=self._option(block, "verify"),
            verify_files=self._option(block, "verify_files"),
            blocked=blocked | blocked_by_environment(),
            trace=bool(os.environ.get(TRACE_VARIABLE)),
            source=source_file(self.cfg),
            plugin_options=options,
        )

    def _check(self, path: Key, option: Option, value: Any) -> bool:
        fault = option.fault(value)
        if fault is not None:
            self.faults.append((path, fault))
        return fault is None

    def _option(self, block: Mapping[Any, Any], name: str) -> Any:
        option = _NAMED[name]
        value = option.as_meant(block.get(name, option.default))
        return value if self._check((*BLOCK, name), option, value) else option.default

    def _ceiling(self) -> int | None:
        for key in CEILING_KEYS:
            value = look_up(self.cfg, key)
            if value is MISSING or value is None:
                continue
            if key[:-1] == HOSTS_WORKERS:
                return self._as_the_host_takes_it(key, value)
            if len(key) == 1 and isinstance(value, str) and value.strip().isdigit():
                value = int(value)  # the host's command line leaves a text behind
            usable = self._check(key, _NAMED["threads"], value) and value != AUTO
            return int(value) if usable else None
        return None

    def _as_the_host_takes_it(self, key: Key, value: Any) -> int | None:
        """Numbers of the host's own, which stand in many files: none of them is refused."""
        text = str(value).strip().lower()
        if text == AUTO:
            return None
        if text.isdigit() and isinstance(value, str):
            self.doubts.append((key, f"is a text; taken as a limit of {text}, write it unquoted"))
            value = int(text)
        if not isinstance(value, int):
            said = f"is {value!r}, for which the host takes the number of cores: no limit; write"
            self.doubts.append((key, f"{said} auto or a whole number"))
            return None
        if value < 1 or value is True:
            self.doubts.append((key, f"is {value}, which the host takes as 1 worker; write 1"))
        return max(1, int(value))

    def _look_for_mistakes(self, block: Mapping[Any, Any]) -> None:
        """A typo here would cost a night: no time limit, or more workers than there are licences.

        Other keys of this block may be somebody else's and are left alone.
        """
        misplaced = list(self.right.misplaced(self.cfg))
        for mistake in misplaced:
            (self.faults if mistake.fatal else self.doubts).append((mistake.key, mistake.said))
        known = {*_NAMED, PLUGINS[-1], *(mistake.key[-1] for mistake in misplaced)}
        for name, value in block.items():
            exact = name in known or self.right.of(name)[1]
            near = None if exact else self.right.near(name)
            if near is not None:
                said = f"is an unknown key; did you mean {near}?"
                advice = "" if near in _NAMED else f" Then {self.right.advice(near, value)}"
                self.faults.append(((*BLOCK, name), f"{said}{advice}"))

    def _plugin_options(self, block: Any) -> tuple[dict[str, Mapping[str, Any]], frozenset[str]]:
        path = PLUGINS
        if block is not None and not isinstance(block, Mapping):
            self.faults.append((path, f"must hold names of plugins (got {block!r})"))
            block = None
        block = block or {}
        for name in block:
            if name not in self.plugins:
                said = self._unknown(name, block[name], self.plugins, "plugin")
                self.faults.append(((*path, name), said))
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

    def _options_of(self, path: Key, declared: PluginOptions | None, given: Any) -> dict[str, Any]:
        options = {ENABLED.name: ENABLED}
        if declared is not None:
            options |= {option.name: option for option in declared.options}
        values = {name: option.default for name, option in options.items()}
        if given is None:
            return values
        if not isinstance(given, Mapping):
            self.faults.append((path, f"must hold options (got {given!r})"))
            return values
        for key, written in given.items():
            value = options[key].as_meant(written) if key in options else written
            moved = MOVED.get((path[-1], key))
            if moved is not None:
                self.faults.append(((*path, key), f"has moved to {'.'.join(moved)}"))
            elif key not in options:
                if declared is not None:
                    said = self._unknown(key, value, options, "option")
                    self.faults.append(((*path, key), said))
            elif self._check((*path, key), options[key], value):
                values[key] = value
        return values

    def _unknown(self, name: Any, value: Any, known: Mapping[str, Any], noun: str) -> str:
        advice = self.right.advice(name, value)
        if advice:
            return f"is an unknown {noun}; {advice}"
        near = difflib.get_close_matches(str(name), list(known), n=1)
        if near:
            return f"is an unknown {noun}; did you mean {near[0]}?"
        return f"is an unknown {noun}; choose from {', '.join(known)}"

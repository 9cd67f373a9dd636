"""Settings that a plugin declares as data, and the settings of a run.

An :class:`Option` says all that is known of a setting: name with unit, type, default, range and a
sentence. Validation, the ``plugins`` command and the reference page all read the same table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

AUTO = "auto"


@dataclass(frozen=True)
class Option:
    """One setting under ``orcaflex.parallel.plugins.<plugin>``.

    ``kind`` is ``bool``, ``int``, ``float``, ``str``, ``list`` (of ``choices``) or ``dict`` (whose
    entries the plugin checks in ``optimizer_configure``). With ``auto=True`` the word ``auto`` is
    allowed as well, with ``optional=True`` an empty value (None).
    """

    name: str
    kind: type
    default: Any
    help: str
    unit: str = ""
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    auto: bool = False
    optional: bool = False

    def as_meant(self, value: Any) -> Any:
        """``value``; the words on and off, which YAML reads as booleans, where they are choices."""
        word = {True: "on", False: "off"}[value] if isinstance(value, bool) else None
        return word if word in self.choices else value

    def fault(self, value: Any) -> str | None:
        """Why ``value`` cannot be used, as the end of a sentence; None if it can."""
        if (value is None and self.optional) or (value == AUTO and self.auto):
            return None
        if self.kind is bool:
            return None if isinstance(value, bool) else f"takes True or False, not {value!r}"
        if self.kind in (int, float):
            return self._number_fault(value)
        if self.kind is list:
            return self._list_fault(value)
        if self.kind is dict:
            return None if isinstance(value, Mapping) else f"takes a mapping, not {value!r}"
        if self.choices and value not in self.choices:
            return f"takes one of {', '.join(self.choices)}, not {value!r}"
        return None if isinstance(value, str) else f"takes a text, not {value!r}"

    def _list_fault(self, value: Any) -> str | None:
        items = value if isinstance(value, (list, tuple)) else [value]
        wrong = [item for item in items if item not in self.choices]
        if items is value and not wrong:
            return None
        return f"takes a list of {', '.join(self.choices)}, not {value!r}"

    def _number_fault(self, value: Any) -> str | None:
        noun = "a whole number" if self.kind is int else "a number"
        noun = f"{noun} of {self.unit}" if self.unit else noun
        allowed = (int,) if self.kind is int else (int, float)
        endless = isinstance(value, float) and not isfinite(value)
        if isinstance(value, bool) or not isinstance(value, allowed) or endless:
            extra = " or auto" if self.auto else ""
            return f"takes {noun}{extra}, not {value!r}"
        if self.minimum is not None and value < self.minimum:
            return f"is {value}, below the least of {self.minimum:g}"
        if self.maximum is not None and value > self.maximum:
            return f"is {value}, above the most of {self.maximum:g}"
        return None


@dataclass(frozen=True)
class PluginOptions:
    """What a plugin says of itself: one sentence, and its options (``enabled`` is added).

    ``own_outputs``: patterns of the names of files that it writes beside the host's (``*.log``),
    which a comparison with the host's own loop does not miss there.
    """

    summary: str
    options: tuple[Option, ...] = ()
    own_outputs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Settings:
    """The settings of one run, validated, with every default filled in.

    ``ceiling`` is the most workers the user allows (None: left to the plugins).
    ``read_block_mb`` is the most memory that results read ahead may take, per model.
    ``use_processes`` False keeps everything in one process. ``timeout_per_file_s`` None: no limit.
    ``history``: what the run took is kept, and compared with earlier runs.
    ``cache``: results may be kept by plugins, and taken from them. ``verify_inputs``: of a file
    whose result is kept the whole content has to be the same.
    ``verify`` is how much is compared with the host's own way of reading (``off``, ``column``,
    ``all``, ``sample``), ``verify_files`` how many files a sample has.
    ``plugin_options`` maps a plugin's name to its options with their values.
    """

    enabled: bool = False
    ceiling: int | None = None
    use_processes: bool = True
    timeout_per_file_s: float | None = None
    save_error_reports: bool = True
    progress: bool = True
    read_block_mb: float = 64.0
    history: bool = True
    cache: bool = False
    verify_inputs: bool = False
    verify: str = "column"
    verify_files: int = 3
    blocked: frozenset[str] = frozenset()
    trace: bool = False
    source: str | None = None
    plugin_options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def plugin(self, name: str) -> Mapping[str, Any]:
        """The options of the plugin ``name``; empty if it declares none."""
        return self.plugin_options.get(name, {})

"""Where the values of a run's configuration come from, for what is said of them."""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path
from typing import Any

from digitalmodel_optimizer.config.configuration import (
    MISSING,
    Configuration,
    look_up,
    read_configuration,
)
from digitalmodel_optimizer.config.user_yaml import Key, Place
from digitalmodel_optimizer.plugin import OptimizerError, SettingsError

# At the start of a fault, unless its place follows already.
_FAULTY_KEY = re.compile(r"(?:orcaflex|\w+_settings|file_management)(?:\.[\w-]+)+(?= (?!\())")
_MOST_REPEATED = 3


def with_lines(error: SettingsError, cfg: Any) -> SettingsError:
    """``error`` as :func:`~.settings.read_settings` would tell it: each fault with its key's place.

    For faults that a plugin finds, which begin with the key's path and know no lines.
    """
    places = Places(cfg)

    def placed(fault: str) -> str:
        path = _FAULTY_KEY.match(fault)
        if path is None:
            return fault
        key = tuple(path[0].split("."))
        return f"{path[0]}{places.of(key)}{fault[path.end() :]}"

    return SettingsError([placed(fault) for fault in error.faults], error.source or places.source)


class Places:
    """Where the values of ``cfg`` come from, as far as its files can be read."""

    def __init__(self, cfg: Any) -> None:
        self.cfg = cfg
        self.source = source_file(cfg)
        self.configuration: Configuration | None = None
        if self.source is not None:
            with contextlib.suppress(OptimizerError):  # it has gone: the message must come out
                self.configuration = read_configuration(Path(self.source))

    def of(self, key: Key) -> str:
        """The line in the user's file or another one, or that an argument gives the value."""
        value = look_up(self.cfg, key)
        if self.configuration is None or value is MISSING:
            return ""
        place = self.configuration.origin_of(key, value)
        return " (given by an argument)" if place is None else f" ({self._line(place)})"

    def sentence(self, key: Key, said: str) -> str:
        """What is said of ``key``, with where it stands."""
        return f"{_dotted(key)}{self.of(key)} {said}"

    def repeated_keys(self, block: Key) -> tuple[list[str], list[str]]:
        """Sentences on keys that stand more than once: what is only told, and what is a fault.

        A fault is a key on the way to ``block``, or inside it, with several values in one file. A
        text that the host reads below the user's (``default_yaml``) overrules it by design.
        """
        told: list[str] = []
        faults: list[str] = []
        found = self.configuration.texts[-1].repeated(()) if self.configuration else ()
        for key, places, differs in found:
            *lines, last = map(self._line, places)
            said = f"{_dotted(key)} is repeated ({', '.join(lines)} and {last})"
            common = min(len(key), len(block))
            if differs and key[:common] == block[:common] and len({p.file for p in places}) == 1:
                faults.append(f"{said}, and the last one counts alone; join them into one")
            else:
                told.append(f"{said}; the host takes the last")
        if len(told) > _MOST_REPEATED:
            told[_MOST_REPEATED:] = [f"{len(told) - _MOST_REPEATED} more keys are repeated"]
        return told, faults

    def _line(self, place: Place) -> str:
        own = self.source is not None and place.file == Path(self.source)
        return f"line {place.line}" if own else f"line {place.line} of {place.file}"


def _dotted(key: Key) -> str:
    return ".".join(map(str, key))


def source_file(cfg: Any) -> str | None:
    """The user's YAML file, as the engine noted it."""
    name = look_up(cfg, ("Analysis", "CustomInputFile"))
    return os.fspath(name) if isinstance(name, (str, os.PathLike)) else None

"""Where the values of a run's configuration come from, for what is said of them."""

from __future__ import annotations

import contextlib
import os
import re
import warnings
from pathlib import Path
from typing import Any

from digitalmodel_optimizer.config.configuration import (
    MISSING,
    Configuration,
    look_up,
    read_configuration,
)
from digitalmodel_optimizer.config.user_yaml import Key, Place
from digitalmodel_optimizer.plugin import OptimizerError, OptimizerWarning, SettingsError

# At the start of a fault, unless its place follows already.
_FAULTY_KEY = re.compile(r"orcaflex\.parallel(?:\.[\w-]+)*(?= (?!\())")


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

    def warn_of_repeated_keys(self, key: Key) -> None:
        """One warning for each key on the way to ``key``, and below it."""
        if self.configuration is None:
            return
        for repeated, places in self.configuration.texts[-1].repeated(key):
            *lines, last = map(self._line, places)
            warnings.warn(
                f"{self.source}: {'.'.join(map(str, repeated))} is repeated "
                f"({', '.join(lines)} and {last}); the host takes the last",
                OptimizerWarning,
                stacklevel=3,
            )

    def _line(self, place: Place) -> str:
        own = self.source is not None and place.file == Path(self.source)
        return f"line {place.line}" if own else f"line {place.line} of {place.file}"


def source_file(cfg: Any) -> str | None:
    """The user's YAML file, as the engine noted it."""
    name = look_up(cfg, ("Analysis", "CustomInputFile"))
    return os.fspath(name) if isinstance(name, (str, os.PathLike)) else None

"""Leaving out, in worker processes, what the post-process path imports and never uses.

Half of a worker's start and of its memory is one chain of imports (web scraping, plotting, FFT)
that the host's modules name at their top and the post-process path never calls. A layout lists
such modules; in a worker each is a placeholder whose names import the real module when they are
used for the first time.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterable, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any


class Later:
    """A name of a module that has not been imported; using it imports the module."""

    def __init__(self, finder: PlaceholderFinder, module: str, name: str) -> None:
        self.__dict__["_later"] = (finder, module, name)

    def _real(self) -> Any:
        finder, module, name = self.__dict__["_later"]
        return getattr(finder.import_really(module), name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._real()(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real(), name)


class PlaceholderFinder:
    """A meta-path finder that serves placeholders for the modules it was given."""

    def __init__(self, names: Iterable[str]) -> None:
        self.names = set(names)

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return ModuleSpec(name, self) if name in self.names else None  # type: ignore[arg-type]

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        def attribute(name: str) -> Any:
            if name.startswith("__"):
                raise AttributeError(name)
            return Later(self, module.__name__, name)

        module.__getattr__ = attribute  # type: ignore[method-assign]

    def import_really(self, name: str) -> ModuleType:
        if name in self.names:
            self.names.discard(name)
            sys.modules.pop(name, None)
        return importlib.import_module(name)


def leave_out(names: Iterable[str]) -> None:
    """Serve placeholders for ``names`` from now on; modules already imported stay."""
    wanted = [name for name in names if name not in sys.modules]
    if wanted:
        sys.meta_path.insert(0, PlaceholderFinder(wanted))

"""The native library as the wrapper sees it: an object whose attributes are the functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import native_library as library_functions
from . import native_lines, native_models, native_objects, native_results
from .runtime import FUNCTIONS

MODULES = (library_functions, native_models, native_objects, native_results, native_lines)
"""Importing them registers their functions."""


class NativeLibrary:
    """Holds the functions that are implemented; others are no attributes of it.

    The wrapper sets `restype` and `argtypes` on what it gets, which does nothing here.
    """

    _handle = 0

    def __init__(self, functions: dict[str, Callable[..., Any]]) -> None:
        self.__dict__.update(functions)


_library: NativeLibrary | None = None


def native_library() -> NativeLibrary:
    """The one library of this process."""
    global _library
    if _library is None:
        _library = NativeLibrary(FUNCTIONS)
    return _library

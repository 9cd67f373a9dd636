"""Faults while a table is written, by an audit hook: no native function takes part in that."""

from __future__ import annotations

import fnmatch
import os
import re
import sys
import threading
from typing import Any

from .faults import faults_from_environment
from .striking import strike

_WRITING = os.O_WRONLY | os.O_RDWR
# A table that is not in its place yet: under a number, in a folder of one attempt at a file.
_STAGED = re.compile(r"\d+-\d+-\w+[\\/]\d+\.csv$")
_loaded: dict[int, str] = {}
_released: set[int] = set()


def loaded(path: str) -> None:
    """The calling thread works on this file from now on."""
    this = threading.get_ident()
    for thread in list(_released):
        _loaded.pop(thread, None)
        _released.discard(thread)
    _loaded[this] = os.path.basename(path)


def released() -> None:
    """The calling thread's model is gone; its last table may still be written, until the next."""
    _released.add(threading.get_ident())


def watch() -> None:
    """Strike whenever this process opens a file's table for writing; there is no way back."""
    sys.addaudithook(_hook)


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "open" and isinstance(arguments[0], str) and arguments[2] & _WRITING:
        path = arguments[0]
        strike((f for f in faults_from_environment() if _is_table(path, f.files)), "write")


def _is_table(path: str, files: str) -> bool:
    """Whether `path`, final or staged, is a table of the simulation files that `files` means.

    A staged one has no name: it is of a file that this process works on.
    """
    if _STAGED.search(path):
        return any(fnmatch.fnmatch(name, files) for name in list(_loaded.values()))
    return fnmatch.fnmatch(os.path.basename(path), f"{os.path.splitext(files)[0]}_*.csv*")

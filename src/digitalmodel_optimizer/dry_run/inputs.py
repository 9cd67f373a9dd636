"""Input files that would fail, told without a model; each is opened for a moment, none is read."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from digitalmodel_optimizer.dry_run.plan import FAILS, Problem
from digitalmodel_optimizer.file.input_path import why_no_file
from digitalmodel_optimizer.plugin import SimulationFile
from digitalmodel_optimizer.tables.publish import unwritable_name

# On a network share a look takes milliseconds, in which others can go on.
_AT_A_TIME = 16


def problems_of_files(files: Sequence[SimulationFile]) -> Iterator[Problem]:
    with ThreadPoolExecutor(_AT_A_TIME) as pool:
        for file, found in zip(files, pool.map(why_unusable, files), strict=True):
            if found is not None:
                code, said = found
                yield Problem(FAILS, code, f"{file.path} {said}", file.path)


def why_unusable(file: SimulationFile) -> tuple[str, str] | None:
    """A code and the end of a sentence; None for a file that can be opened and holds something."""
    error = unwritable_name(file)
    if error is not None:
        return "file_not_utf8", f"cannot be named in a table: {error.message}"
    found = why_no_file(file.path)
    if found is not None:
        return found
    if not file.size_bytes:
        return "file_empty", "is empty"
    return why_unopenable(file.path)


def why_unopenable(path: str) -> tuple[str, str] | None:
    """As :func:`why_unusable`; a program that is writing a file may keep others out."""
    try:
        os.close(os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0)))
    except OSError as fault:
        return "file_unreadable", f"cannot be opened: {fault.strerror}"
    return None

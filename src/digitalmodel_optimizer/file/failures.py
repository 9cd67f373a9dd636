"""Turning an exception into plain text, so that nothing keeps a model alive through a traceback."""

from __future__ import annotations

import errno
import os
import re
import traceback
from collections.abc import Iterator

from digitalmodel_optimizer.plugin import ErrorKind, FileError
from digitalmodel_optimizer.plugin.errors import ends_batch

# OrcFxAPI's StatusCode values, as its documentation lists them.
_KIND_OF_STATUS = {
    6: ErrorKind.MISSING,
    7: ErrorKind.UNREADABLE,
    25: ErrorKind.LICENCE,
    67: ErrorKind.NOT_A_SIMULATION,
}
# OrcFxAPI has no status for it: OrcaFlex's own text comes with an "unexpected error".
_OUT_OF_MEMORY = re.compile(r"out of memory|not enough memory", re.IGNORECASE)
_MEMORY_ERROR_AS_TEXT = re.compile(r"[\w.]*MemoryError\b")
_ERROR_NUMBER_AS_TEXT = re.compile(r"OSError: \[Errno (\d+)\]")
# Windows: not enough memory, out of memory, the paging file is too small.
_MEMORY_WINERRORS = (8, 14, 1455)

PASSING_KINDS = (ErrorKind.LICENCE, ErrorKind.MEMORY)
"""What says nothing about a file: with another attempt there may be a result."""


def kind_of(error: BaseException, sim: str = "", results: str = "") -> ErrorKind:
    """What kind of failure ``error`` is; OrcFxAPI's errors carry a ``status``.

    A passing kind counts where the error only follows from one, too.

    :param sim: the simulation file; an OSError counts as its fault only if it names it.
    :param results: the folder below which outputs are written.
    """
    for link in _chain(error):
        if _is_memory(link):
            return ErrorKind.MEMORY
        if _status(link) == 25:
            return ErrorKind.LICENCE
    status = _status(error)
    if status in _KIND_OF_STATUS:
        return _KIND_OF_STATUS[status]
    if ends_batch(error):
        return ErrorKind.DISK_FULL
    if isinstance(error, OSError) and isinstance(error.filename, (str, os.PathLike)):
        path = os.path.realpath(error.filename)
        if sim and _same(path, os.path.realpath(sim)):
            missing = isinstance(error, FileNotFoundError)
            return ErrorKind.MISSING if missing else ErrorKind.UNREADABLE
        if results and _same(path, os.path.realpath(results), below=True):
            return ErrorKind.OUTPUT
    return ErrorKind.ENGINE


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """``error``, what it was raised from, and so on."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _status(error: BaseException) -> int | None:
    status = getattr(error, "status", None)
    return int(status) if isinstance(status, int) else None


def _is_memory(error: BaseException) -> bool:
    if isinstance(error, OSError):
        winerror = getattr(error, "winerror", None)
        return error.errno == errno.ENOMEM or winerror in _MEMORY_WINERRORS
    native = _status(error) is not None and _OUT_OF_MEMORY.search(str(error)) is not None
    return native or isinstance(error, MemoryError)


def _same(path: str, other: str, *, below: bool = False) -> bool:
    path, other = os.path.normcase(path), os.path.normcase(other)
    return path == other or (below and path.startswith(other + os.sep))


def describe(error: BaseException, sim: str = "", results: str = "") -> FileError:
    """``error`` as text; its last line first, the traceback as details. See :func:`kind_of`."""
    text = " ".join(str(error).split()) or type(error).__name__
    return FileError(
        kind_of(error, sim, results),
        f"{type(error).__name__}: {text}",
        "".join(traceback.format_exception(type(error), error, error.__traceback__)),
    )


def described_by(trace: str) -> FileError | None:
    """The error whose traceback the engine has kept as text; None without one."""
    lines = trace.strip().splitlines()
    if not lines:
        return None
    kind = ErrorKind.ENGINE
    number = _ERROR_NUMBER_AS_TEXT.match(lines[-1])
    if _MEMORY_ERROR_AS_TEXT.match(lines[-1]):
        kind = ErrorKind.MEMORY
    elif number is not None and ends_batch(OSError(int(number.group(1)), "")):
        kind = ErrorKind.DISK_FULL
    return FileError(kind, lines[-1], trace)

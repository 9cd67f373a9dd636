"""Turning an exception into plain text, so that nothing keeps a model alive through a traceback."""

from __future__ import annotations

import traceback

from digitalmodel_optimizer.plugin import ErrorKind, FileError

# OrcFxAPI's StatusCode values, as its documentation lists them.
_KIND_OF_STATUS = {
    6: ErrorKind.MISSING,
    7: ErrorKind.UNREADABLE,
    25: ErrorKind.LICENCE,
    67: ErrorKind.NOT_A_SIMULATION,
}
_KIND_OF_TYPE = (
    (FileNotFoundError, ErrorKind.MISSING),
    (PermissionError, ErrorKind.UNREADABLE),
)


def kind_of(error: BaseException, default: ErrorKind = ErrorKind.ENGINE) -> ErrorKind:
    """What kind of failure ``error`` is; OrcFxAPI's errors carry a ``status``."""
    status = getattr(error, "status", None)
    if isinstance(status, int) and int(status) in _KIND_OF_STATUS:
        return _KIND_OF_STATUS[int(status)]
    for kind_type, kind in _KIND_OF_TYPE:
        if isinstance(error, kind_type):
            return kind
    return default


def describe(error: BaseException, default: ErrorKind = ErrorKind.ENGINE) -> FileError:
    """``error`` as text; its last line first, the traceback as details."""
    text = " ".join(str(error).split()) or type(error).__name__
    return FileError(
        kind_of(error, default),
        f"{type(error).__name__}: {text}",
        "".join(traceback.format_exception(type(error), error, error.__traceback__)),
    )


def described_by(trace: str) -> FileError | None:
    """The error whose traceback the engine has kept as text; None without one."""
    lines = trace.strip().splitlines()
    return FileError(ErrorKind.ENGINE, lines[-1], trace) if lines else None

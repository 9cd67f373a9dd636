"""Which names may be a final one at all, and what is said of one that could not be given."""

from __future__ import annotations

import os

from digitalmodel_optimizer.plugin import ErrorKind, FileError, SimulationFile


def not_replaced(final: str, error: OSError) -> str:
    """The sentence for a final name that :func:`~..plugin.atomic.publish` could not give."""
    return f"{final} cannot be replaced ({error.strerror}); is it open elsewhere?"


def leaves(folder: str, path: str) -> bool:
    """Whether ``path`` is not below ``folder``, taken as text: links are not looked at.

    By way of a name that is no folder, ``..`` leads nowhere on POSIX; Windows takes it as written.
    """
    inside = os.path.join(_plain(folder), "")
    return not os.path.normcase(_plain(path)).startswith(os.path.normcase(inside))


def _plain(path: str) -> str:
    r"""Without what stands before a long path on Windows (``\\?\``)."""
    return os.path.normpath(path.removeprefix("\\\\?\\"))


def unwritable_name(file: SimulationFile) -> FileError | None:
    """Why no table can hold a row of ``file``, to be asked before it is opened.

    The host writes the whole path into every table, as UTF-8.
    """
    path = os.path.abspath(file.path)
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        shown = path.encode("utf-8", "backslashreplace").decode()
        return FileError(
            ErrorKind.OUTPUT,
            f"the name {shown} is not valid UTF-8, so no table can name the file; rename it",
        )
    return None

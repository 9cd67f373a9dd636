"""Tables that are not in their place yet, under short names.

Windows opens no path of 260 characters, and one in a staging folder is some 40 characters longer
than the final one. So a table that the host would write there stands under a short name until it
is moved.
"""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterator

from digitalmodel_optimizer.tables.publish import leaves

_TABLE_SUFFIX = ".csv"
PARTIAL = ".partial"
"""The mark of a table that lacks files which the batch had no time for."""
_active = threading.local()


def marked(path: str, mark: str) -> str:
    """``path`` with ``mark`` before its suffix."""
    stem, suffix = os.path.splitext(path)
    return f"{stem}{mark}{suffix}"


def staged_tables() -> StagedTables | None:
    """The tables that the calling thread writes; None outside of a batch."""
    return getattr(_active, "tables", None)


class StagedTables:
    """What the host calls some tables, where they stand, and where they go.

    The host composes names in ``folder``; they are final ones in ``results``, each with ``mark``
    before its suffix. A context manager: inside, these are the tables that the calling thread
    writes.
    """

    def __init__(self, folder: str, results: str | os.PathLike[str], mark: str = "") -> None:
        self.folder = folder
        self.results = os.fspath(results)
        self._mark = mark
        self._staged: dict[str, str] = {}

    def __enter__(self) -> StagedTables:
        _active.tables = self
        return self

    def __exit__(self, *_: object) -> None:
        _active.tables = None

    def holds(self, path: object) -> bool:
        """Whether ``path`` is one of these tables' names, as the host composes them.

        :raises OSError: it begins in the folder and leads elsewhere, by a label with ``..`` in it.
        """
        if not isinstance(path, (str, os.PathLike)):
            return False
        name = str(os.fspath(path))
        if not name.startswith(os.path.join(self.folder, "")):
            return False
        if leaves(self.folder, name):
            raise OSError(errno.EINVAL, "not in the results folder; rename the group", name)
        return True

    def final(self, path: str) -> str:
        """The name in the results folder for one that the host has composed."""
        name = path[len(os.path.join(self.folder, "")) :]
        return marked(os.path.join(self.results, name), self._mark)

    def staged(self, path: str) -> str:
        """Where the table stands that the host calls ``path``; the same at every asking."""
        if path not in self._staged:
            # The end of a name tells pandas how to compress, and what to call what is inside.
            short = os.path.join(self.folder, f"{len(self._staged)}{_TABLE_SUFFIX}")
            self._staged[path] = short if path.endswith(_TABLE_SUFFIX) else path
        return self._staged[path]

    def outputs(self) -> Iterator[tuple[str, str]]:
        """(staged, final) of the tables, and of whatever else stands in the folder."""
        tables = {staged: self.final(path) for path, staged in self._staged.items()}
        there = {entry.path for entry in os.scandir(self.folder) if entry.is_file()}
        for path in sorted(there - tables.keys()):
            tables[path] = self.final(path)
        yield from tables.items()

    def in_users_terms(self, text: str) -> str:
        """``text`` with the final name of each output, where the user will look for it."""
        for path, staged in self._staged.items():
            text = text.replace(staged, self.final(path))
        return text.replace(self.folder, self.results)

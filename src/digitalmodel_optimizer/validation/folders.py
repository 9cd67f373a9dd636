"""Comparing two result folders: which files, which bytes, and where tables part."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path, PurePosixPath

from digitalmodel_optimizer.batch.staging import FOLDER_PREFIX
from digitalmodel_optimizer.measuring.compare import (
    Comparison,
    compare_outputs,
    without_run_details,
)
from digitalmodel_optimizer.tables.csv_file import NotATableError
from digitalmodel_optimizer.tables.differences import (
    TableDifference,
    compare_tables,
)

_LONGEST_LINE = 200


class State(enum.Enum):
    """What became of a file; the values are those of the JSON form."""

    EQUAL = "equal"
    MISSING = "missing"
    EXTRA = "extra"
    DIFFERENT = "different"
    PLUGINS_OWN = "plugins' own"


@dataclass(frozen=True)
class Lines:
    """The first line in which two texts differ; empty on the side that has none any more."""

    left: str
    right: str


@dataclass(frozen=True)
class FileComparison:
    """One file by its name in both folders.

    ``note``: how bytes differ, or what was left out of the comparison. ``table`` is there for
    tables that differ, ``lines`` for other texts.
    """

    name: str
    state: State
    note: str = ""
    table: TableDifference | None = None
    lines: Lines | None = None

    @property
    def differs(self) -> bool:
        return self.state not in (State.EQUAL, State.PLUGINS_OWN)


def compare_folders(
    left: Path, right: Path, own_outputs: Sequence[str] = (), *, settings: bool = False
) -> Iterator[FileComparison]:
    """Every file below either folder; what an unfinished batch keeps there is left out.

    :param own_outputs: patterns of files that plugins write of their own accord: one that stands in
        ``right`` only is no difference.
    :param settings: whether the plugins' settings in a saved configuration have to be equal.
    """
    compared = compare_outputs(left, right, frozenset(), settings=settings, own_outputs=own_outputs)
    for item in compared:
        if not PurePosixPath(item.name).parts[0].startswith(FOLDER_PREFIX):
            yield _file(left, right, item, settings=settings)


def _file(left: Path, right: Path, item: Comparison, *, settings: bool) -> FileComparison:
    name = item.name
    if not (left / name).is_file():
        return FileComparison(name, State.PLUGINS_OWN if item.same else State.EXTRA)
    if item.same:
        return FileComparison(name, State.EQUAL, item.why)
    if not (right / name).is_file():
        return FileComparison(name, State.MISSING)
    if name.lower().endswith(".csv"):
        try:
            table = compare_tables(left / name, right / name)
        except NotATableError:
            pass
        else:
            return FileComparison(name, State.DIFFERENT, item.why, table)
    lines = _first_lines(left / name, right / name, settings=settings)
    return FileComparison(name, State.DIFFERENT, item.why, lines=lines)


def _first_lines(left: Path, right: Path, *, settings: bool) -> Lines | None:
    """None for files that are no texts."""
    one, other = (path.read_bytes() for path in (left, right))
    if b"\0" in one or b"\0" in other:
        return None
    one, other = without_run_details(one, other, settings=settings)
    pairs = zip_longest(one.splitlines(), other.splitlines(), fillvalue=b"")
    found = next((pair for pair in pairs if pair[0] != pair[1]), None)
    return None if found is None else Lines(*map(_shown, found))


def _shown(line: bytes) -> str:
    return line[:_LONGEST_LINE].decode("utf-8", "backslashreplace")

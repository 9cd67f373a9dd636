"""How two CSV tables differ: columns, rows, values, and the first place where they part.

Meant for tables whose bytes differ. Both are read row by row; only their row labels are kept in
memory, and one of them whole where its rows are in another order.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from digitalmodel_optimizer.host.config import ROW_LABELS
from digitalmodel_optimizer.tables.cells import CellKind, compare_cells
from digitalmodel_optimizer.tables.csv_file import CsvFile, text_difference

_MOST_LABELS = 5


@dataclass(frozen=True)
class Place:
    """Where two tables part. ``line`` counts from 1 in the first table, its header included."""

    row: str
    line: int
    column: str
    left: str
    right: str


@dataclass
class ColumnDifference:
    """One column's cells that differ: how many of each kind, the largest differences, the first."""

    column: str
    first: Place
    kinds: dict[CellKind, int] = field(default_factory=dict)
    absolute: float | None = None
    relative: float | None = None

    @property
    def cells(self) -> int:
        return sum(self.kinds.values())

    def add(self, left: str, right: str) -> None:
        found = compare_cells(left, right)
        self.kinds[found.kind] = self.kinds.get(found.kind, 0) + 1
        self.absolute = _larger(self.absolute, found.absolute)
        self.relative = _larger(self.relative, found.relative)


@dataclass(frozen=True)
class Rows:
    """``number`` of rows, the labels of the first few."""

    number: int = 0
    first: tuple[str, ...] = ()

    @classmethod
    def of(cls, labels: Sequence[str]) -> Rows:
        return cls(len(labels), tuple(labels[:_MOST_LABELS]))


@dataclass(frozen=True)
class TableDifference:
    """What is in the first table only is missing, what is in the second only is extra.

    Renamed columns have another name in the same place and the same values. Repeated rows are extra
    ones whose label the first table has as well, less often. ``text``: why bytes differ where no
    cell does.
    """

    columns_missing: tuple[str, ...] = ()
    columns_extra: tuple[str, ...] = ()
    columns_renamed: tuple[tuple[str, str], ...] = ()
    columns_reordered: bool = False
    rows_missing: Rows = Rows()
    rows_extra: Rows = Rows()
    rows_repeated: Rows = Rows()
    rows_reordered: bool = False
    columns: tuple[ColumnDifference, ...] = ()
    text: str = ""

    @property
    def first(self) -> Place | None:
        """The first cell that differs, row by row."""
        places = [item.first for item in self.columns]
        return min(places, key=lambda place: place.line, default=None)


def compare_tables(left: Path, right: Path) -> TableDifference:
    """How the tables ``left`` and ``right`` differ.

    Rows are paired by their label: the file and statistic of a summary, the first column (time) of
    any other table. Where no label is common to both, they are paired in their order.

    :raises NotATableError: one of them is no table.
    :raises OSError: one of them cannot be read.
    """
    one, other = CsvFile(left), CsvFile(right)
    found, pairs = _compare_columns(one, other)
    common = [name for name in one.names if name in other.places]
    labels = [name for name in ROW_LABELS if name in common] or one.names[:1]
    if not set(labels) <= set(common):
        labels = []
    found, rows = _compare_rows(one, other, labels, found)
    columns = {
        names: difference
        for names, difference in _compare_cells(one, other, labels, pairs, rows).items()
        if difference is not None
    }
    candidates = [names for names in pairs if names[0] != names[1]]
    renamed = [names for names in candidates if names not in columns and rows]
    found = replace(
        found,
        columns_missing=_without(found.columns_missing, [a for a, _ in renamed]),
        columns_extra=_without(found.columns_extra, [b for _, b in renamed]),
        columns_renamed=tuple(renamed),
        columns=tuple(item for names, item in columns.items() if names not in candidates),
    )
    return (
        found if found != TableDifference() else replace(found, text=text_difference(left, right))
    )


def _compare_columns(one: CsvFile, other: CsvFile) -> tuple[TableDifference, list[tuple[str, str]]]:
    """What can be said of names alone, and the columns to compare: one place, or one name."""
    missing = [name for name in one.names if name not in other.places]
    extra = [name for name in other.names if name not in one.places]
    order = [
        [name for name in table.names if name in against.places]
        for table, against in ((one, other), (other, one))
    ]
    # A column may have been renamed where each table has one of its own in the same place.
    maybe = [(a, b) for a in missing for b in extra if one.places[a] == other.places[b]]
    difference = TableDifference(
        columns_missing=tuple(missing),
        columns_extra=tuple(extra),
        columns_reordered=order[0] != order[1],
    )
    return difference, [*((name, name) for name in order[0]), *maybe]


def _compare_rows(
    one: CsvFile, other: CsvFile, labels: Sequence[str], found: TableDifference
) -> tuple[TableDifference, list[tuple[int, int]]]:
    """``found`` with what can be said of labels, and which rows to compare, by their numbers."""
    keys, others = one.keys(labels), other.keys(labels)
    places = {key: place for place, key in enumerate(others)}
    pairs = [(place, places[key]) for place, key in enumerate(keys) if key in places]
    if not pairs:  # nothing tells which belong together but their order
        pairs = [(place, place) for place in range(min(len(keys), len(others)))]
        missing, extra = keys[len(pairs) :], others[len(pairs) :]
    else:
        known = set(keys)
        missing = [key for key in keys if key not in places]
        extra = [key for key in others if key not in known]
    targets = [target for _, target in pairs]
    found = replace(
        found,
        rows_missing=Rows.of([label for label, _ in missing]),
        rows_extra=Rows.of([label for label, number in extra if number == 1]),
        rows_repeated=Rows.of([label for label, number in extra if number > 1]),
        rows_reordered=targets != sorted(targets),
    )
    return found, pairs


def _compare_cells(
    one: CsvFile,
    other: CsvFile,
    labels: Sequence[str],
    columns: Sequence[tuple[str, str]],
    rows: Sequence[tuple[int, int]],
) -> dict[tuple[str, str], ColumnDifference | None]:
    places = [(names, one.places[names[0]], other.places[names[1]]) for names in columns]
    alike = one.names == other.names
    found: dict[tuple[str, str], ColumnDifference | None] = {}
    for line, cells, others in _paired(one, other, rows):
        if alike and cells == others:
            continue
        for names, a, b in places:
            left, right = cells[a], others[b]
            if left == right:
                continue
            difference = found.get(names)
            if difference is None:
                row = one.label(cells, labels) or f"line {line}"
                place = Place(row, line, names[0], left, right)
                difference = found[names] = ColumnDifference(names[0], place)
            difference.add(left, right)
    return found


def _paired(
    one: CsvFile, other: CsvFile, rows: Sequence[tuple[int, int]]
) -> Iterator[tuple[int, list[str], list[str]]]:
    """Line and cells of each pair of rows, in the order of the first table."""
    in_order = all(a[1] < b[1] for a, b in itertools.pairwise(rows))
    kept = None if in_order else [cells for _, cells in other.rows()]
    wanted = iter(rows)
    pair = next(wanted, None)
    stream = enumerate(other.rows())
    for number, (line, cells) in enumerate(one.rows()):
        if pair is None:
            return
        if number != pair[0]:
            continue
        if kept is not None:
            yield line, cells, kept[pair[1]]
        else:
            yield line, cells, next(row for place, (_, row) in stream if place == pair[1])
        pair = next(wanted, None)


def _without(names: Sequence[str], left_out: Sequence[str]) -> tuple[str, ...]:
    return tuple(name for name in names if name not in left_out)


def _larger(one: float | None, other: float | None) -> float | None:
    return max((value for value in (one, other) if value is not None), default=None)

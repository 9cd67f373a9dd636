"""How two tables differ, in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from digitalmodel_optimizer.tables.cells import WORDS
from digitalmodel_optimizer.tables.differences import (
    ColumnDifference,
    Place,
    Rows,
    TableDifference,
)

_MOST_NAMES = 5
_MOST_COLUMNS = 10


def table_in_words(table: TableDifference) -> Iterator[str]:
    """One sentence for each thing that differs, the place where the tables part before all."""
    if table.first is not None:
        yield f"first difference: {place_in_words(table.first)}"
    yield from _names("missing column", table.columns_missing)
    yield from _names("extra column", table.columns_extra)
    yield from _names("renamed column", [f"{a} (now {b})" for a, b in table.columns_renamed])
    if table.columns_reordered:
        yield "columns in another order"
    yield from _rows("missing row", table.rows_missing)
    yield from _rows("extra row", table.rows_extra)
    yield from _rows("repeated row", table.rows_repeated)
    if table.rows_reordered:
        yield "rows in another order"
    for item in table.columns[:_MOST_COLUMNS]:
        yield _column(item)
    if len(table.columns) > _MOST_COLUMNS:
        yield f"and {len(table.columns) - _MOST_COLUMNS} more columns"
    if table.text:
        yield f"every cell is the same; other {table.text}"


def place_in_words(place: Place) -> str:
    """``row lc0001, column X_max: 1.5 became 1.6 (line 2)``."""
    return (
        f"row {place.row}, column {place.column}: {_cell(place.left)} became "
        f"{_cell(place.right)} (line {place.line})"
    )


def _column(item: ColumnDifference) -> str:
    kinds = ", ".join(f"{number} {WORDS[kind]}" for kind, number in item.kinds.items())
    said = f"column {item.column}: {item.cells} cell{'' if item.cells == 1 else 's'} ({kinds})"
    if item.absolute is not None and item.relative is not None:
        said += f", by at most {item.absolute:.3g} ({item.relative:.3g} of the value)"
    return said


def _names(noun: str, names: Sequence[str]) -> Iterator[str]:
    if names:
        more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
        yield f"{noun}{'' if len(names) == 1 else 's'}: {', '.join(names[:_MOST_NAMES])}{more}"


def _rows(noun: str, rows: Rows) -> Iterator[str]:
    if rows.number:
        more = rows.number - len(rows.first)
        named = ", ".join(rows.first) + (f" and {more} more" if more else "")
        yield f"{rows.number} {noun}{'' if rows.number == 1 else 's'}: {named}"


def _cell(text: str) -> str:
    return text or "(empty)"

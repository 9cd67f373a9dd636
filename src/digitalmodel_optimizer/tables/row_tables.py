"""The engine's one-row summary tables as plain values, and whole tables made of them in one go.

``get_summary_for_file`` makes a one-row ``pandas.DataFrame``, adds each column to it by
``df[[label]] = [value]``, and makes an empty DataFrame per column that is seldom used. In pandas
either costs far more than the reading of the value. While a batch runs, the engine's summary
module sees a pandas whose ``DataFrame`` collects plain values. They travel as they are
(:class:`OneRow`), and become a genuine DataFrame, with the types that the engine's own way would
have given, when anything else is asked of them or when all files are put together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan
from types import ModuleType
from typing import Any

import wrapt

from digitalmodel_optimizer.host.current import current
from digitalmodel_optimizer.tables.lazy_table import LazyLabels, LazyTable, materialize

_LARGEST_INT = 2**63 - 1


@dataclass(frozen=True)
class OneRow:
    """A table of one row: what it was made with, and the columns that were added one by one."""

    names: tuple[str, ...]
    values: tuple[Any, ...]
    added_names: tuple[str, ...]
    added: tuple[Any, ...]

    def signature(self) -> tuple[Any, ...]:
        """Equal for rows of which pandas makes columns of the same types, together or alone."""
        values = (*self.values, *self.added)
        kinds = tuple((type(value), isinstance(value, float) and isnan(value)) for value in values)
        return (self.names, self.added_names, kinds)


def table_of(rows: Sequence[OneRow]) -> Any:
    """The DataFrame of rows with equal signatures; its types are those of each row alone."""
    import pandas

    first = rows[0]
    table = pandas.DataFrame([list(row.values) for row in rows], columns=list(first.names))
    if not first.added:
        return table
    added = zip(*(row.added for row in rows), strict=True)
    columns = dict(zip(first.added_names, map(list, added), strict=True))
    return pandas.concat([table, pandas.DataFrame(columns)], axis=1)


def as_table(table: Any) -> Any:
    return table_of([table]) if isinstance(table, OneRow) else table


class RowTable(LazyTable):
    """Stands in for a one-row DataFrame while nothing but plain new columns comes to it."""

    def __init__(self, names: Sequence[str], values: Sequence[Any]) -> None:
        super().__init__()
        self._names = tuple(names)
        self._values = tuple(values)
        self._new: dict[str, Any] = {}
        self._known = set(names)

    def plain(self) -> Any:
        """As it travels: the values, or the DataFrame where it has become one."""
        if self._table is not None:
            return self._table
        return OneRow(self._names, self._values, tuple(self._new), tuple(self._new.values()))

    def _make(self) -> Any:
        return as_table(self.plain())

    def _collects(self, key: Any, value: Any) -> bool:
        """Whether ``table[key] = value`` is one plain new column."""
        return (
            self._table is None
            and type(key) is list
            and len(key) == 1
            and type(key[0]) is str
            and key[0] not in self._known
            and type(value) is list
            and len(value) == 1
            and _is_plain(value[0])
        )

    def __setitem__(self, key: Any, value: Any) -> None:
        if self._collects(key, value):
            self._new[key[0]] = value[0]
        else:
            super().__setitem__(key, value)

    def __deepcopy__(self, memo: dict[int, Any]) -> RowTable:
        """The engine copies a file's first table and forgets the original: one is enough."""
        return self

    def __reduce__(self) -> Any:
        return (as_table, (self.plain(),))


class ColumnTable(LazyTable):
    """Stands in for an empty DataFrame while nothing but arrays of one length comes to it.

    The engine puts the points of a range graph into it to ask a column for one statistic, and the
    time series of a group, one by one.
    """

    def __init__(self, pandas: ModuleType) -> None:
        super().__init__()
        self._pandas = pandas
        self._columns: dict[str, Any] = {}

    def _make(self) -> Any:
        return self._pandas.DataFrame(self._columns)

    def _collects(self, key: Any, value: Any) -> bool:
        return (
            self._table is None
            and type(key) is str
            and type(value).__name__ == "ndarray"
            and value.ndim == 1
            and value.dtype.str == "<f8"
            and all(len(other) == len(value) for other in self._columns.values())
        )

    @property
    def columns(self) -> Any:
        if self._table is None:  # which labels there are: no reason to make a table
            return LazyLabels(tuple(self._columns), lambda: self.materialize().columns)
        return self._table.columns

    def __setitem__(self, key: Any, value: Any) -> None:
        if self._collects(key, value):
            self._columns[key] = value
        else:
            super().__setitem__(key, value)

    def __getitem__(self, key: Any) -> Any:
        if self._table is None and type(key) is str and key in self._columns:
            return self._pandas.Series(self._columns[key], name=key)
        return super().__getitem__(key)


def _is_plain(value: Any) -> bool:
    """Numbers, texts and None: pandas types them alike alone, in a list and joined."""
    kind = type(value)
    if kind is int:
        return bool(-_LARGEST_INT <= value <= _LARGEST_INT)
    if kind in (float, str, type(None)):
        return True
    return kind.__name__ == "float64" and isinstance(value, float)


def plain_tables(tables: Any) -> Any:
    """``tables`` (label -> table) as they travel."""
    if not isinstance(tables, dict):
        return tables
    return {
        label: table.plain() if isinstance(table, RowTable) else table
        for label, table in tables.items()
    }


class PandasOfRows(wrapt.ObjectProxy):  # type: ignore[misc,type-arg,unused-ignore]
    """pandas as the modules that fill such tables see it while a file is being processed."""

    def DataFrame(self, *args: Any, **kwargs: Any) -> Any:  # noqa: N802 - pandas' name
        if current() is not None:
            if not args and not kwargs:
                return ColumnTable(self.__wrapped__)
            if len(args) == 1 and kwargs.keys() == {"columns"} and _one_row(args[0], kwargs):
                return RowTable(kwargs["columns"], args[0][0])
        return self.__wrapped__.DataFrame(*args, **kwargs)

    def concat(self, objects: Any, *args: Any, **kwargs: Any) -> Any:
        return self.__wrapped__.concat(materialize(objects), *args, **kwargs)


def _one_row(rows: Any, kwargs: Any) -> bool:
    names = kwargs["columns"]
    return (
        type(rows) is list
        and len(rows) == 1
        and type(rows[0]) is list
        and type(names) is list
        and len(rows[0]) == len(names) == len(set(names))
        and all(type(name) is str for name in names)
        and all(map(_is_plain, rows[0]))
    )

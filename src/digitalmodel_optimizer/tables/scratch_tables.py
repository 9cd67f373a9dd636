"""Tables that the engine makes, fills and seldom reads: made when they are read.

``post_process`` begins by a table of all its files (the load matrix) and notes each file's status
in it. Per file, in pandas, that costs as much as reading a model's results. At the end
``add_basic_statistics_to_df`` takes every column of a summary out of it nine times and lets an
empty table grow by four rows, one assignment at a time. The stand-ins here keep what is assigned
and make the genuine table, by the engine's own steps or by steps of equal outcome, as soon as
anything is asked of it.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any, TypeGuard

import wrapt

from digitalmodel_optimizer.tables.lazy_table import LazyTable, materialize


class NotedTable(LazyTable):
    """Stands in for a table while only ``table.loc[table[name] == value, column] = x`` comes."""

    def __init__(self, make: Callable[[], Any]) -> None:
        super().__init__()
        self._begin = make
        self._steps: list[tuple[Any, Any, Any, Any]] = []

    def _make(self) -> Any:
        table = self._begin()
        for name, value, column, new in self._steps:
            table.loc[(table[name] == value), column] = new
        return table

    @property
    def loc(self) -> Any:
        return _Notes(self) if self._table is None else self._table.loc

    def __getitem__(self, key: Any) -> Any:
        return _Column(self, key) if self._table is None else super().__getitem__(key)

    def note(self, place: Any, value: Any) -> bool:
        """Keep ``loc[place] = value`` for later; False where that cannot be."""
        selection, column = place if type(place) is tuple and len(place) == 2 else (None, None)
        if self._table is not None or not isinstance(selection, _Selection):
            return False
        self._steps.append((selection.name, selection.value, column, value))
        return True


class _Column(LazyTable):
    """A column of which nothing is known but its name."""

    __hash__ = None  # as a Series

    def __init__(self, table: NotedTable, name: Any) -> None:
        super().__init__()
        self._owner, self._name = table, name

    def _make(self) -> Any:
        return self._owner.materialize()[materialize(self._name)]

    def __eq__(self, other: object) -> Any:
        return _Selection(self, self._name, other)


class _Selection(LazyTable):
    """``table[name] == value``, not yet computed."""

    def __init__(self, column: _Column, name: Any, value: Any) -> None:
        super().__init__()
        self._column, self.name, self.value = column, name, value

    def _make(self) -> Any:
        return self._column.materialize() == self.value


class _Notes(LazyTable):
    """``table.loc`` of a table that is not yet there."""

    def __init__(self, table: NotedTable) -> None:
        super().__init__()
        self._owner = table

    def _make(self) -> Any:
        return self._owner.materialize().loc

    def __setitem__(self, key: Any, value: Any) -> None:
        if not self._owner.note(key, value):
            super().__setitem__(key, value)


class GrowingTable(LazyTable):
    """Stands in for an empty table with given columns while only new rows come to it."""

    def __init__(self, pandas: ModuleType, names: list[str]) -> None:
        super().__init__()
        self._pandas = pandas
        self._names = names
        self._rows: dict[str, Any] = {}

    def _make(self) -> Any:
        table = self._made_at_once()
        if table is None:
            table = self._pandas.DataFrame(columns=self._names)
            for label, row in self._rows.items():
                table.loc[label] = row
        return table

    def _made_at_once(self) -> Any:
        """All rows together; None where pandas types some row as anything but float64.

        pandas types a new row as it types a Series of it, and floats below floats stay floats.
        """
        rows = [self._pandas.Series(row) for row in self._rows.values()]
        if not rows or any(row.dtype != "float64" for row in rows):
            return None
        values = [row.to_numpy() for row in rows]
        return self._pandas.DataFrame(values, index=list(self._rows), columns=self._names)

    @property
    def loc(self) -> Any:
        return _NewRows(self) if self._table is None else self._table.loc

    def add(self, label: Any, row: Any) -> bool:
        """Keep ``loc[label] = row`` for later; False where that cannot be."""
        fits = (
            self._table is None
            and type(label) is str
            and label not in self._rows
            and type(row) is list
            and len(row) == len(self._names)
        )
        if fits:
            self._rows[label] = list(row)
        return fits


class _NewRows(LazyTable):
    """``table.loc`` of a table that still grows."""

    def __init__(self, table: GrowingTable) -> None:
        super().__init__()
        self._owner = table

    def _make(self) -> Any:
        return self._owner.materialize().loc

    def __setitem__(self, key: Any, value: Any) -> None:
        if not self._owner.add(key, value):
            super().__setitem__(key, value)


class TableToLookThrough(LazyTable):
    """A table that is there, each of whose columns is taken out of it once."""

    def __init__(self, table: Any) -> None:
        super().__init__()
        self._table = table
        self._taken: dict[str, Any] = {}

    def __getitem__(self, key: Any) -> Any:
        if type(key) is not str:
            return super().__getitem__(key)
        if key not in self._taken:
            self._taken[key] = self._table[key]
        return self._taken[key]

    def __setitem__(self, key: Any, value: Any) -> None:
        self._taken.clear()
        super().__setitem__(key, value)


class PandasOfGrowth(wrapt.ObjectProxy):  # type: ignore[misc,type-arg,unused-ignore]
    """pandas as the host's statistics module sees it while a batch runs."""

    def DataFrame(self, *args: Any, **kwargs: Any) -> Any:  # noqa: N802 - pandas' name
        names = kwargs.get("columns")
        if not args and kwargs.keys() == {"columns"} and _are_labels(names):
            return GrowingTable(self.__wrapped__, names)
        return self.__wrapped__.DataFrame(*args, **kwargs)

    def concat(self, objects: Any, *args: Any, **kwargs: Any) -> Any:
        return self.__wrapped__.concat(materialize(objects), *args, **kwargs)


def _are_labels(names: Any) -> TypeGuard[list[str]]:
    return (
        type(names) is list
        and bool(names)
        and len(set(names)) == len(names)
        and all(type(name) is str for name in names)
    )

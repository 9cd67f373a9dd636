"""The engine's one-row summary table, built in one go instead of a column at a time.

``get_summary_for_file`` makes a one-row ``pandas.DataFrame`` and adds each column to it by
``df[[label]] = [value]``, and makes an empty DataFrame per column that is seldom used. In pandas
either costs far more than the reading of the value. While a batch runs, the engine's summary
module sees a pandas whose ``DataFrame`` collects plain values and becomes a genuine DataFrame,
with the types that the engine's own way would have given, when anything else is asked of it.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

import wrapt

from digitalmodel_optimizer.engine.context import current

_SCALARS = (float, int, bool, str, type(None))


class RowTable:
    """Stands in for a DataFrame until something other than a plain new column is wanted."""

    def __init__(self, pandas: ModuleType, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self._pandas = pandas
        self._made_of = (args, kwargs)
        self._names = set(kwargs.get("columns") or ())
        self._new: dict[str, Any] = {}
        self._table: Any = None

    def genuine(self) -> Any:
        """The DataFrame; from now on everything goes to it."""
        if self._table is None:
            args, kwargs = self._made_of
            table = self._pandas.DataFrame(*args, **kwargs)
            if self._new:
                columns = {label: [value] for label, value in self._new.items()}
                new = self._pandas.DataFrame(columns)
                table = self._pandas.concat([table, new], axis=1)
            self._table = table
        return self._table

    def _collects(self, key: Any, value: Any) -> bool:
        """Whether ``table[key] = value`` is one plain new column of a one-row table."""
        return (
            self._table is None
            and bool(self._names)
            and type(key) is list
            and len(key) == 1
            and type(key[0]) is str
            and key[0] not in self._names
            and type(value) is list
            and len(value) == 1
            and _is_plain(value[0])
        )

    def __setitem__(self, key: Any, value: Any) -> None:
        if self._collects(key, value):
            self._new[key[0]] = value[0]
        else:
            self.genuine()[key] = value

    def __getitem__(self, key: Any) -> Any:
        return self.genuine()[key]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.genuine(), name)

    def __len__(self) -> int:
        return len(self.genuine())

    def __iter__(self) -> Any:
        return iter(self.genuine())

    def __deepcopy__(self, memo: dict[int, Any]) -> RowTable:
        """The engine copies a file's first table and forgets the original: one is enough."""
        return self

    def __reduce__(self) -> Any:
        return (_same, (self.genuine(),))


def _is_plain(value: Any) -> bool:
    """Python's scalars and numpy's float64, which pandas types alike alone and in a list."""
    kind = type(value)
    return kind in _SCALARS or (kind.__name__ == "float64" and isinstance(value, float))


def _same(table: Any) -> Any:
    return table


def genuine_tables(tables: Any) -> Any:
    """``tables`` (label -> table) with every stand-in made a DataFrame."""
    if not isinstance(tables, dict):
        return tables
    return {
        label: table.genuine() if isinstance(table, RowTable) else table
        for label, table in tables.items()
    }


class PandasOfRows(wrapt.ObjectProxy):  # type: ignore[misc,type-arg,unused-ignore]
    """pandas as the engine's summary module sees it while a file is being processed."""

    def DataFrame(self, *args: Any, **kwargs: Any) -> Any:  # noqa: N802 - pandas' name
        one_row = (
            len(args) == 1
            and kwargs.keys() == {"columns"}
            and type(args[0]) is list
            and len(args[0]) == 1
        )
        if current() is not None and (one_row or not (args or kwargs)):
            return RowTable(self.__wrapped__, args, kwargs)
        return self.__wrapped__.DataFrame(*args, **kwargs)

    def concat(self, objects: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(objects, list):
            objects = [item.genuine() if isinstance(item, RowTable) else item for item in objects]
        return self.__wrapped__.concat(objects, *args, **kwargs)

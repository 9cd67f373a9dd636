"""A table that is made when somebody needs it: what the stand-ins for DataFrames have in common."""

from __future__ import annotations

import operator
from collections.abc import Callable, Collection, Iterator
from typing import Any

_OPERATORS = (
    *("lt", "le", "eq", "ne", "gt", "ge"),
    *("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "and_", "or_", "xor"),
    *("neg", "pos", "invert", "contains"),
)


class LazyTable:
    """Everything that a subclass does not take itself goes to the genuine table, made then."""

    __hash__ = None  # type: ignore[assignment]  # as a DataFrame

    def __init__(self) -> None:
        self._table: Any = None

    def _make(self) -> Any:
        """The genuine table, with everything in it that has been assigned so far."""
        raise NotImplementedError

    def materialize(self) -> Any:
        """The table; from now on everything goes to it."""
        if self._table is None:
            self._table = self._make()
        return self._table

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # copying and pickling ask for these before there is a self
            raise AttributeError(name)
        return getattr(self.materialize(), name)

    def __getitem__(self, key: Any) -> Any:
        return self.materialize()[materialize(key)]

    def __setitem__(self, key: Any, value: Any) -> None:
        self.materialize()[materialize(key)] = materialize(value)

    def __repr__(self) -> str:
        return repr(self.materialize())

    def __len__(self) -> int:
        return len(self.materialize())

    def __iter__(self) -> Iterator[Any]:
        return iter(self.materialize())


class LazyLabels(LazyTable):
    """Labels of a table that is not made yet: enough to go through them.

    :param make: the genuine labels (an Index, a column), for whoever asks for more.
    """

    def __init__(self, labels: Collection[str], make: Callable[[], Any]) -> None:
        super().__init__()
        self._labels = labels
        self._make = make  # type: ignore[method-assign]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._labels)

    def __len__(self) -> int:  # list() asks
        return len(self._labels)


def materialize(value: Any) -> Any:
    """``value``, with stand-ins in it made what they stand for."""
    if isinstance(value, LazyTable):
        return value.materialize()
    if type(value) in (list, tuple):
        return type(value)(map(materialize, value))
    return value


def _forwarded(function: Callable[..., Any]) -> Callable[..., Any]:
    def apply(self: LazyTable, *others: Any) -> Any:
        return function(self.materialize(), *map(materialize, others))

    return apply


for _name in _OPERATORS:
    setattr(LazyTable, f"__{_name.rstrip('_')}__", _forwarded(getattr(operator, _name)))

"""A model's list of objects, made by one enumeration and looked through cheaply.

For every column the engine lists all objects of the model in a DataFrame and asks whether one name
is in it. Here the engine's own function makes that DataFrame once per model, from an enumeration
that already knows each name, and a column of it is iterated as the list that it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import wrapt


@dataclass(frozen=True)
class _ListedObject:
    """What the engine's listing wants to know of an object, known without asking again."""

    type: Any
    name: str


@dataclass(frozen=True)
class _ListedModel:
    objects: tuple[_ListedObject, ...]


class _Column(wrapt.ObjectProxy):  # type: ignore[misc,type-arg,unused-ignore]
    """A column of the listing; iterating it does not go through pandas."""

    def __init__(self, wrapped: Any) -> None:
        super().__init__(wrapped)
        self._self_values = wrapped.tolist()

    def __iter__(self) -> Iterator[Any]:
        return iter(self._self_values)


class _Table(wrapt.ObjectProxy):  # type: ignore[misc,type-arg,unused-ignore]
    """The listing's DataFrame; hands out the same column each time."""

    def __init__(self, wrapped: Any) -> None:
        super().__init__(wrapped)
        self._self_columns: dict[str, _Column] = {}

    def __getitem__(self, key: Any) -> Any:
        if type(key) is not str:
            return self.__wrapped__[key]
        if key not in self._self_columns:
            self._self_columns[key] = _Column(self.__wrapped__[key])
        return self._self_columns[key]


def list_objects(model: Any, engine_listing: Callable[[Any], Any]) -> Any:
    """What ``engine_listing(model)`` returns, made with fewer native calls."""
    listing = engine_listing(_named_once(model))
    table = listing.get("object_df") if isinstance(listing, dict) else None
    return listing if table is None else {**listing, "object_df": _Table(table)}


def _named_once(model: Any) -> Any:
    """A model whose objects know their names from its own enumeration.

    OrcFxAPI enumerates by name; asking each object for its name again costs four more calls each.
    A model that is no mapping of names (an older OrcFxAPI) is returned as it is.
    """
    if not isinstance(model, Mapping):
        return model
    return _ListedModel(tuple(_ListedObject(model[name].type, name) for name in model))

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


@dataclass(frozen=True)
class Listing:
    """The engine's answer, and the model's objects by name (empty where that is not known)."""

    answer: Any
    objects: Mapping[str, Any]


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


def list_objects(
    model: Any, engine_listing: Callable[[Any], Any], known: Mapping[str, Any]
) -> Listing:
    """What ``engine_listing(model)`` returns, made with fewer native calls.

    OrcFxAPI enumerates by name; asking each object for its name again costs four more calls each.
    A model that is no mapping of names (an older OrcFxAPI) is listed as the engine does it.
    ``known`` are objects of the model that were asked for by name already.
    """
    objects = {}
    if isinstance(model, Mapping):
        objects = {name: known[name] if name in known else model[name] for name in model}
        model = _ListedModel(tuple(_ListedObject(o.type, name) for name, o in objects.items()))
    listing = engine_listing(model)
    table = listing.get("object_df") if isinstance(listing, dict) else None
    return Listing(listing if table is None else {**listing, "object_df": _Table(table)}, objects)

"""Comparing the arguments of result requests by value.

Two requests are the same result when object, variable, period, object extra and range are equal
field by field. OrcFxAPI passes periods and extras as ctypes structures, plain numbers or
sequences; whatever else a provider may use is "not understood" and never cached.
"""

from __future__ import annotations

import ctypes
from collections.abc import Hashable
from typing import Any

_PLAIN = (str, bytes, int, float, type(None))


class NotUnderstoodError(Exception):
    """An argument that cannot be compared by value."""


class Freezer:
    """Makes hashable images of arguments; remembers those of structures that it has seen.

    The engine hands over the same structure twice, when its columns are foreseen and when it
    asks. A structure is recognised by identity and by its bytes, so a changed one is read anew.
    """

    def __init__(self) -> None:
        self._seen: dict[int, tuple[Any, bytes, Hashable]] = {}

    def freeze(self, value: Any) -> Hashable:
        """A hashable image of ``value``; :class:`NotUnderstoodError` if its meaning is unclear."""
        if not isinstance(value, ctypes.Structure):
            return freeze(value)
        seen = self._seen.get(id(value))
        content = bytes(value)
        if seen is not None and seen[0] is value and seen[1] == content:
            return seen[2]
        image = freeze(value)
        self._seen[id(value)] = (value, content, image)
        return image


def freeze(value: Any) -> Hashable:
    """A hashable image of ``value``, made of its fields."""
    if isinstance(value, bool):
        return ("bool", value)
    if isinstance(value, _PLAIN):
        return value
    if isinstance(value, ctypes.Structure):
        fields = (field[0] for field in type(value)._fields_)
        return (type(value).__name__, *(freeze(getattr(value, name)) for name in fields))
    if isinstance(value, ctypes.Array):
        return tuple(freeze(item) for item in value)
    if isinstance(value, (list, tuple)):
        return (type(value).__name__, *(freeze(item) for item in value))
    raise NotUnderstoodError(type(value).__name__)

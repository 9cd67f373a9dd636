"""Comparing the arguments of result requests by value.

Two requests are the same result when object, variable, period, object extra and range are equal
field by field. OrcFxAPI passes periods and extras as ctypes structures, plain numbers or
sequences; another provider may pass plain objects of classes of its own. Whatever else there may
be cannot be cached.
"""

from __future__ import annotations

import ctypes
import enum
import functools
from collections.abc import Hashable
from types import SimpleNamespace
from typing import Any

_PLAIN = (str, bytes, int, float, type(None))
_POINTERS = (ctypes.c_char_p, ctypes.c_wchar_p, ctypes.c_void_p)


class UncacheableArgumentError(Exception):
    """An argument that cannot be compared by value."""


class Freezer:
    """Makes hashable images of arguments; remembers those of structures that it has seen.

    The engine hands over the same structure twice, when its columns are planned and when it
    asks. A structure is recognised by identity and by its bytes, so a changed one is read anew.
    """

    def __init__(self) -> None:
        self._seen: dict[int, tuple[Any, bytes, Hashable]] = {}

    def freeze(self, value: Any) -> Hashable:
        """A hashable image of ``value``.

        :raises UncacheableArgumentError: its meaning is unclear.
        """
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
    if isinstance(value, enum.Enum):
        return (type(value), value.name)
    if isinstance(value, ctypes.Structure):
        return _frozen_structure(value)
    if isinstance(value, ctypes.Array):
        return tuple(freeze(item) for item in value)
    if isinstance(value, (list, tuple)):
        return (type(value).__name__, *(freeze(item) for item in value))
    kind: type = type(value)
    if _is_plain_object(kind):
        return (kind, *((name, freeze(item)) for name, item in sorted(vars(value).items())))
    raise UncacheableArgumentError(kind.__name__)


class _Plain:
    """What an object weighs that has its ``__dict__`` and nothing else."""


@functools.cache
def _is_plain_object(kind: type) -> bool:
    """Whether all that there is to an object stands in its ``__dict__``: no slots, no C inside."""
    return kind is SimpleNamespace or _build(kind) == _build(_Plain)


def _build(kind: type) -> tuple[int, int, int]:
    return (kind.__basicsize__, kind.__dictoffset__, kind.__weakrefoffset__)


def _frozen_structure(value: ctypes.Structure) -> Hashable:
    """By its bytes where no pointer is set, which is quick; else field by field."""
    kind = type(value)
    pointers = _pointers(kind)
    if pointers is not None and not any(getattr(value, name) for name in pointers):
        return (kind.__name__, bytes(value))
    fields = (field[0] for field in kind._fields_)
    return (kind.__name__, *(freeze(getattr(value, name)) for name in fields))


@functools.cache
def _pointers(kind: type[ctypes.Structure]) -> tuple[str, ...] | None:
    """Names of the fields that point elsewhere; None where nested ones might."""
    found = []
    for name, field, *_ in kind._fields_:
        if field in _POINTERS:
            found.append(name)
        elif not issubclass(field, ctypes._SimpleCData):
            return None
    return tuple(found)

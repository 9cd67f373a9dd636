"""Comparing the arguments of result requests by value.

Two requests are the same result when object, variable, period, object extra and range are equal
field by field. OrcFxAPI passes periods and extras as ctypes structures, plain numbers or
sequences; whatever else a provider may use is "not understood" and never cached.
"""

from __future__ import annotations

import ctypes
from collections.abc import Hashable
from typing import Any

_PLAIN = (str, bytes, int, float, bool, type(None))


class NotUnderstoodError(Exception):
    """An argument that cannot be compared by value."""


def freeze(value: Any) -> Hashable:
    """A hashable image of ``value``; :class:`NotUnderstoodError` if its meaning is unclear."""
    if isinstance(value, _PLAIN):
        return (type(value).__name__ if isinstance(value, bool) else "", value)
    if isinstance(value, ctypes.Structure):
        fields = (field[0] for field in type(value)._fields_)
        return (type(value).__name__, *(freeze(getattr(value, name)) for name in fields))
    if isinstance(value, ctypes.Array):
        return tuple(freeze(item) for item in value)
    if isinstance(value, (list, tuple)):
        return (type(value).__name__, *(freeze(item) for item in value))
    raise NotUnderstoodError(type(value).__name__)

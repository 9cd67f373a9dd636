"""Limits by column: what the settings say, and which value governs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

NO_NUMBER = 1e300
"""OrcaFlex has numbers from here on for what has no value."""
_BOUNDS = ("min", "max")


@dataclass(frozen=True)
class Limit:
    """``pattern`` is of a column's label or of ``group/label``; bounds are in the column's unit."""

    pattern: str
    minimum: float | None = None
    maximum: float | None = None

    def is_of(self, group: str, column: str) -> bool:
        name = f"{group}/{column}" if "/" in self.pattern else column
        return fnmatchcase(name, self.pattern)


@dataclass(frozen=True)
class Judged:
    """A value against one bound. ``beyond`` is by which share of the bound it lies beyond it,
    negative within; ``value`` None (there is none) lies beyond all.
    """

    group: str
    column: str
    value: float | None
    bound: str
    limit: float
    beyond: float

    @property
    def passes(self) -> bool:
        return self.beyond <= 0

    @property
    def words(self) -> str:
        value = "no value" if self.value is None else f"{self.value:g}"
        return f"{self.column} {value} ({self.bound} {self.limit:g})"


def limit_faults(given: Mapping[Any, Any]) -> Iterator[str]:
    """What is wrong with the settings' limits, each as the end of a sentence."""
    for name, bounds in given.items():
        if not isinstance(bounds, Mapping) or not bounds:
            yield f"must give {name} a min, a max or both (got {bounds!r})"
            continue
        for key, value in bounds.items():
            if key not in _BOUNDS:
                yield f"gives {name} an unknown key {key}; choose from min, max"
            elif isinstance(value, bool) or not isinstance(value, (int, float)):
                yield f"must give {name} a number as {key} (got {value!r})"
            elif not math.isfinite(value):
                yield f"must give {name} a finite {key} (got {value!r})"
        low, high = bounds.get("min"), bounds.get("max")
        if isinstance(low, (int, float)) and isinstance(high, (int, float)) and low > high:
            yield f"gives {name} a min of {low:g} above its max of {high:g}"


def read_limits(given: Mapping[Any, Any]) -> list[Limit]:
    """The limits of settings that have no faults."""
    return [
        Limit(str(name), bounds.get("min"), bounds.get("max")) for name, bounds in given.items()
    ]


def limited_values(
    summary: Mapping[str, Mapping[str, Any]], limits: Sequence[Limit]
) -> list[list[Any]]:
    """Group, column and value (None where there is none) of summary values with a limit."""
    return [
        [group, column, _number(value)]
        for group, columns in summary.items()
        for column, value in columns.items()
        if any(limit.is_of(group, column) for limit in limits)
    ]


def judge(values: Sequence[Sequence[Any]], limits: Sequence[Limit]) -> list[Judged]:
    """Every value against every bound of every limit that is of its column."""
    return [
        Judged(group, column, value, bound, number, _beyond(value, bound, number))
        for group, column, value in values
        for limit in limits
        if limit.is_of(group, column)
        for bound, number in (("min", limit.minimum), ("max", limit.maximum))
        if number is not None
    ]


def governing(judged: Sequence[Judged]) -> Judged | None:
    """The one that lies furthest beyond its limit, or else closest to it."""
    return max(judged, key=lambda item: item.beyond, default=None)


def _beyond(value: float | None, bound: str, limit: float) -> float:
    if value is None:
        return math.inf
    difference = value - limit if bound == "max" else limit - value
    return difference / abs(limit) if limit else difference


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if abs(number) < NO_NUMBER else None

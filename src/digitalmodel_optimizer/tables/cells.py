"""How two cells of a table differ, whose texts are not the same."""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

_MISSING = frozenset(("", "nan", "na", "<na>", "none", "null"))


class CellKind(enum.Enum):
    """Which difference it is; the values are those of the JSON form."""

    VALUE = "value"
    ROUNDED = "rounded"
    SPELLING = "spelling"
    ONE_SIDED = "one-sided"
    MISSING = "missing value"
    TEXT = "text"


WORDS = {
    CellKind.VALUE: "another value",
    CellKind.ROUNDED: "equal but for the digits that one side lacks",
    CellKind.SPELLING: "the same number, written differently",
    CellKind.ONE_SIDED: "a value on one side only",
    CellKind.MISSING: "no value on either side, written differently",
    CellKind.TEXT: "another text",
}


@dataclass(frozen=True)
class CellDifference:
    """``absolute`` and ``relative`` (to the larger of both) are None where no numbers differ."""

    kind: CellKind
    absolute: float | None = None
    relative: float | None = None


def compare_cells(left: str, right: str) -> CellDifference:
    """How ``left`` and ``right`` differ; they are not the same text."""
    if _is_missing(left) or _is_missing(right):
        both = _is_missing(left) and _is_missing(right)
        return CellDifference(CellKind.MISSING if both else CellKind.ONE_SIDED)
    numbers = _number(left), _number(right)
    if numbers[0] is None or numbers[1] is None:
        return CellDifference(CellKind.TEXT)
    return _compare_numbers(numbers[0], numbers[1])


def _compare_numbers(one: Decimal, other: Decimal) -> CellDifference:
    if one == other:
        return CellDifference(CellKind.SPELLING)
    if not (one.is_finite() and other.is_finite()):
        return CellDifference(CellKind.VALUE, math.inf, math.inf)
    apart, largest = abs(one - other), max(abs(one), abs(other))
    kind = CellKind.ROUNDED if _is_rounded(one, other, apart) else CellKind.VALUE
    return CellDifference(kind, float(apart), float(apart / largest))


def _is_rounded(one: Decimal, other: Decimal, apart: Decimal) -> bool:
    """Whether one has fewer digits, and is the other one rounded to them."""
    last = [number.as_tuple().exponent for number in (one, other)]
    coarse = max(int(exponent) for exponent in last)
    return last[0] != last[1] and apart <= Decimal(5).scaleb(coarse - 1)


def _is_missing(text: str) -> bool:
    return text.strip().lower() in _MISSING


def _number(text: str) -> Decimal | None:
    try:
        return Decimal(text.strip())
    except InvalidOperation:
        return None


def plain_number(text: str) -> str:
    """``text``, numbers in one spelling (``0.10`` and ``0.1`` are the same)."""
    number = _number(text)
    return text if number is None or not number.is_finite() else f"{number.normalize():f}"

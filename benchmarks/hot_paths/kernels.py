"""The numeric paths of post-processing as numba would have them; :mod:`candidates` times them.

None of them is used by the plugins: docs/explanation/hot-paths.md says why.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

FOUR_DIGITS = np.frombuffer("".join(f"{n:04d}" for n in range(10_000)).encode(), np.uint8).reshape(
    -1, 4
)


@njit(cache=True)
def rows_text(values: Any, out: Any, digits: Any) -> int:
    """CSV lines of a block into ``out``; how many bytes, -1 where a value needs more than this.

    A number of six decimals is the only one of so few digits that reads back as this float, so
    it is what ``repr`` gives, as long as it has fifteen digits at most.
    """
    place = 0
    for row in range(values.shape[0]):
        for column in range(values.shape[1]):
            value = values[row, column]
            size = abs(value)
            if value != value:  # noqa: PLR0124 - not a number
                out[place] = ord(",")
                place += 1
                continue
            if size >= 1e9:
                return -1
            millionths = np.uint64(size * 1e6 + 0.5)
            if np.float64(millionths) / 1e6 != size:
                return -1
            if np.signbit(value):
                out[place] = ord("-")
                place += 1
            if np.uint64(0) < millionths < np.uint64(100):
                few = np.uint32(millionths)
                ten = few // np.uint32(10)
                one = few % np.uint32(10)
                if ten:
                    out[place] = ord("0") + ten
                    place += 1
                    if one:
                        out[place] = ord(".")
                        out[place + 1] = ord("0") + one
                        place += 2
                else:
                    out[place] = ord("0") + one
                    place += 1
                out[place] = ord("e")
                out[place + 1] = ord("-")
                out[place + 2] = ord("0")
                out[place + 3] = ord("5") if ten else ord("6")
                out[place + 4] = ord(",")
                place += 5
                continue
            whole = np.uint32(millionths // np.uint64(1_000_000))
            behind = np.uint32(millionths - np.uint64(whole) * np.uint64(1_000_000))
            started = False
            for scale in (100_000_000, 10_000, 1):
                part = whole // np.uint32(scale) % np.uint32(10_000)
                if not started and part == 0 and scale > 1:
                    continue
                skip = 0 if started else (part < 1000) + (part < 100) + (part < 10)
                started = True
                for n in range(skip, 4):
                    out[place] = digits[part, n]
                    place += 1
            out[place] = ord(".")
            head = behind // np.uint32(100)
            tail = behind - head * np.uint32(100)
            for n in range(4):
                out[place + 1 + n] = digits[head, n]
            out[place + 5] = digits[tail, 2]
            out[place + 6] = digits[tail, 3]
            last = place + 6
            while out[last] == ord("0") and last > place + 1:
                last -= 1
            out[last + 1] = ord(",")
            place = last + 2
        out[place - 1] = ord("\n")
    return place


@njit(cache=True)
def extremes(values: Any) -> tuple[float, float, float]:
    """Min, Max and Mean; the mean adds in order, numpy in pairs, and their last digits differ."""
    least = most = values[0]
    total = 0.0
    for value in values:
        least = min(least, value)
        most = max(most, value)
        total += value
    return least, most, total / len(values)


@njit(cache=True)
def rounded(values: Any) -> Any:
    """``numpy.round(values, 6)``."""
    result = np.empty_like(values)
    for n in range(len(values)):
        result[n] = np.rint(values[n] * 1e6) / 1e6
    return result


@njit(cache=True)
def histogram(values: Any, bins: int, low: float, high: float) -> Any:
    """Counts of ``numpy.histogram``, whose steps at the edges these are."""
    counts = np.zeros(bins, np.int64)
    edges = np.linspace(low, high, bins + 1)
    for value in values:
        if not low <= value <= high:
            continue
        place = min(int((value - low) / (high - low) * bins), bins - 1)
        if value < edges[place]:
            place -= 1
        elif value >= edges[place + 1] and place != bins - 1:
            place += 1
        counts[place] += 1
    return counts


@njit(cache=True)
def note(cycles: Any, found: int, series: Any, first: int, last: int, half: bool) -> int:
    """Put the cycle from ``first`` to ``last`` behind those that were found."""
    cycles[found, 0] = abs(series[first] - series[last])
    cycles[found, 1] = 0.5 * (series[first] + series[last])
    cycles[found, 2] = 0.5 if half else 1.0
    cycles[found, 3] = first
    cycles[found, 4] = last
    return found + 1


@njit(cache=True)
def rainflow(series: Any) -> Any:
    """Cycles of ``rainflow.extract_cycles``: range, mean, count, first and last index."""
    cycles = np.empty((len(series), 5))
    stack = np.empty(len(series), np.int64)
    found = depth = 0
    last, here = series[0], series[1]
    slope = here - last
    for index in range(len(series)):
        if index == 0 or index == len(series) - 1:
            point = index
        else:
            following = series[index + 1]
            if following == here:
                continue
            turn = slope * (following - here) < 0
            slope = following - here
            here = following
            if not turn:
                continue
            point = index
        stack[depth] = point
        depth += 1
        while depth >= 3:
            a, b, c = series[stack[depth - 3]], series[stack[depth - 2]], series[stack[depth - 1]]
            if abs(c - b) < abs(b - a):
                break
            half = depth == 3
            found = note(cycles, found, series, stack[depth - 3], stack[depth - 2], half)
            if half:
                stack[0], stack[1] = stack[1], stack[2]
                depth = 2
            else:
                stack[depth - 3] = stack[depth - 1]
                depth -= 2
    for n in range(depth - 1):
        found = note(cycles, found, series, stack[n], stack[n + 1], True)
    return cycles[:found]


def warm_up() -> None:
    """Have every kernel compiled, or taken from the cache."""
    values = np.arange(4.0)
    rows_text(values.reshape(2, 2), np.empty(100, np.uint8), FOUR_DIGITS)
    extremes(values)
    rounded(values)
    histogram(values, 2, 0.0, 1.0)
    rainflow(values)

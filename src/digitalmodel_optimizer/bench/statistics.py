"""Median, spread and noise of few measurements; and whether two sets of them differ."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

LEAST_ROUNDS = 2
"""Warm rounds without which nothing is known of the noise."""
LEAST_SLOWDOWN = 0.05
"""A change of the median below this share is never called a slowdown."""
_FEW_ROUNDS = {2: 6.5, 3: 1.7}
"""By how much the range of so few rounds is widened: as far as needed for equal runs (of normally
spread times, simulated) to differ by more in 3 of 1000 comparisons, as they do with 4 rounds."""
# Beyond this nothing can be said anyway, and numbers stay printable.
_MOST_NOISE = math.log(100.0)


@dataclass(frozen=True)
class Spread:
    """Measurements of one quantity: ``median``, ``least`` and ``most``, and how many there are."""

    median: float
    least: float
    most: float
    count: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread | None:
        """None where there are no values."""
        if not values:
            return None
        return cls(statistics.median(values), min(values), max(values), len(values))

    @property
    def share(self) -> float:
        """The whole spread as a part of the median; 0 for a single value."""
        return (self.most - self.least) / self.median if self.median else 0.0


@dataclass(frozen=True)
class Change:
    """How the median of a quantity changed: ``ratio`` above 1 is slower.

    ``noise`` is the share by which the two sets of rounds differ among themselves, None where
    there are too few rounds to tell.
    """

    ratio: float
    noise: float | None

    @property
    def limit(self) -> float | None:
        """The ratio from which on a change is called a slowdown."""
        return None if self.noise is None else 1.0 + max(LEAST_SLOWDOWN, self.noise)

    @property
    def slower(self) -> bool:
        return self.limit is not None and self.ratio > self.limit


def change(before: Sequence[float], after: Sequence[float]) -> Change | None:
    """How ``after`` compares with ``before``; None where one of them is empty.

    The noise is taken from the measurements themselves: the spreads of both sets of rounds, from
    the smallest to the largest value on a logarithmic scale, added as independent ones are. Two
    or three rounds tend to lie nearer together than the noise is wide, so theirs are widened.
    """
    if not before or not after or min(*before, *after) <= 0:
        return None
    ratio = statistics.median(after) / statistics.median(before)
    rounds = min(len(before), len(after))
    if rounds < LEAST_ROUNDS:
        return Change(ratio, None)
    spreads = [math.log(max(values) / min(values)) for values in (before, after)]
    noise = _FEW_ROUNDS.get(rounds, 1.0) * math.hypot(*spreads)
    return Change(ratio, math.exp(min(noise, _MOST_NOISE)) - 1.0)


def fit_line(xs: Sequence[float], ys: Sequence[float]) -> tuple[float, float]:
    """Intercept and slope of the least-squares line; a flat one where all ``xs`` are equal."""
    if len(set(xs)) < 2:
        return (statistics.fmean(ys) if ys else 0.0), 0.0
    slope, intercept = statistics.linear_regression(xs, ys)
    return intercept, slope

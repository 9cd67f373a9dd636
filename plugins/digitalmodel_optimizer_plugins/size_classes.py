"""Size classes of simulation files and the number of workers that each class starts from.

The one table of the project: thread-allocation reads the workers, batch-grouping the bounds.
Sizes are decimal megabytes per file; a class holds the sizes from its lower bound up to, and not
including, its upper bound.
"""

from __future__ import annotations

import bisect
import itertools
import math
from collections.abc import Sequence

WORKERS_BY_SIZE: tuple[tuple[float, int], ...] = (
    (100.0, 25),
    (500.0, 20),
    (1000.0, 15),
    (math.inf, 10),
)
"""(files below this size in MB, workers): starting points, which the budgets lower."""


def bounds_text() -> str:
    """The table's bounds as the text of a setting: ``100,500,1000``."""
    return ",".join(f"{bound:g}" for bound, _ in WORKERS_BY_SIZE if math.isfinite(bound))


def table_text() -> str:
    """The table as the text of a setting: ``100:25,500:20,1000:15,10``."""
    return ",".join(
        f"{bound:g}:{workers}" if math.isfinite(bound) else str(workers)
        for bound, workers in WORKERS_BY_SIZE
    )


def parse_bounds(text: str) -> tuple[float, ...]:
    """The bounds in MB in ``text``, rising; an empty text is one class for all sizes.

    Raises ValueError with the fault as the end of a sentence.
    """
    if not text.strip():
        return ()
    try:
        bounds = tuple(float(part) for part in text.split(","))
    except ValueError:
        raise ValueError(f"takes sizes in MB such as {bounds_text()}, not {text!r}") from None
    if not all(0 < bound < math.inf for bound in bounds):
        raise ValueError(f"takes sizes above 0 MB, not {text!r}")
    if any(low >= high for low, high in itertools.pairwise(bounds)):
        raise ValueError(f"takes rising sizes, not {text!r}")
    return bounds


def parse_table(text: str) -> tuple[tuple[float, int], ...]:
    """The ``below_mb:workers`` pairs in ``text``, closed by the workers for all larger files.

    Raises ValueError with the fault as the end of a sentence.
    """
    *pairs, last = [part.strip() for part in text.split(",")]
    fault = ValueError(f"takes 'below MB:workers' pairs such as {table_text()}, not {text!r}")
    if not all(pair.count(":") == 1 and pair.split(":")[0] for pair in pairs):
        raise fault
    bounds = parse_bounds(",".join(pair.split(":")[0] for pair in pairs))
    try:
        counts = [int(number) for number in [*(pair.split(":")[1] for pair in pairs), last]]
    except ValueError:
        raise fault from None
    if min(counts) < 1:
        raise ValueError(f"takes 1 worker or more for each class, not {text!r}")
    return tuple(zip((*bounds, math.inf), counts, strict=True))


def class_index(size_mb: float, bounds: Sequence[float]) -> int:
    """Which class a size belongs to, from 0 for the smallest."""
    return bisect.bisect_right(bounds, size_mb)


def class_label(index: int, bounds: Sequence[float]) -> str:
    """A class in words: ``under 100 MB``, ``100-500 MB``, ``from 1000 MB``."""
    if not bounds:
        return "any size"
    if index == 0:
        return f"under {bounds[0]:g} MB"
    if index >= len(bounds):
        return f"from {bounds[-1]:g} MB"
    return f"{bounds[index - 1]:g}-{bounds[index]:g} MB"

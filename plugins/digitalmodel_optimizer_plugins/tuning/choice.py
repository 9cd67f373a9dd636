"""How many workers a batch gets after what earlier runs have shown: never far from what is known.

What is compared are predicted times: the work at the curve's throughput, with the start of each
worker, file by file, by the same arithmetic as thread-allocation's. The static choice is always
among the candidates, and another is taken only if, over all that the curve may be, it is hardly
ever worse by more than the margin.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from digitalmodel_optimizer_plugins.thread_allocation.makespan import (
    begins_s_of,
    makespan_of_equal_s,
)
from digitalmodel_optimizer_plugins.tuning.curve import Curve, shape
from digitalmodel_optimizer_plugins.tuning.steps import step_down, step_up

# Points of the posterior for which times are predicted.
_NODES = 40
# Of 10 of them, so many must be within the margin.
SURE = 0.9
# What is expected to gain less than this is not worth a change.
WORTHWHILE = 0.02
# What runs with about as many workers have shown, to this factor and in so many runs, is known.
ABOUT = 1.12
FAMILIAR = 3
_MOST_CANDIDATES = 24


@dataclass(frozen=True)
class Work:
    """A batch to be done: files, predicted work in MB, and what workers need to start."""

    files: int
    work_mb: float
    cpus: int
    start_s: float = 0.5
    ready: int = 0
    starting: int = 0

    def seconds(self, workers: int, mb_per_s: float) -> float:
        """Time with so many workers that together do so much."""
        file_s = workers * self.work_mb / max(1, self.files) / mb_per_s
        begins_s = begins_s_of(workers, self.ready, self.starting, self.start_s, self.cpus)
        return makespan_of_equal_s(self.files, file_s, begins_s)


@dataclass(frozen=True)
class Limits:
    """What a choice keeps to. ``static``: the number without tuning, ``bound``: what all budgets
    allow; ``margin`` and ``step`` as shares; ``explore``: whether this run may try another number,
    ``explore_from_s``: if it takes at least so long.
    """

    static: int
    bound: int
    margin: float = 0.05
    step: float = 0.25
    explore: bool = False
    explore_from_s: float = 10.0


@dataclass(frozen=True)
class Candidate:
    """A number of workers: predicted seconds, mean and from and to; ``against_static``: their mean
    ratio to the static choice's, ``at_worst``: what 9 of 10 ratios are below.
    """

    workers: int
    seconds: float
    low_s: float
    high_s: float
    against_static: float
    at_worst: float
    against_best: float = 1.0


@dataclass(frozen=True)
class Choice:
    """``workers``, why, and what they were compared with, in order of their number."""

    workers: int
    explored: bool
    reason: str
    candidates: tuple[Candidate, ...]


def choose(
    curve: Curve, seen: Sequence[int], work: Work, limits: Limits, reached: int = 0
) -> Choice:
    """The static choice, unless something else is surely better.

    :param seen: numbers of workers of the runs behind ``curve``, each as often as it ran.
    :param reached: what the static choice was raised to while it ran; 0: it was not.
    """
    static = min(limits.static, limits.bound)
    numbers = _numbers(seen, static, limits.bound, limits.step)
    times_s = _times_s(curve, numbers, work)
    base_s = times_s[static]
    if static < reached <= limits.bound and reached in times_s:
        base_s = np.minimum(base_s, times_s[reached])
    found = {n: _candidate(n, times_s[n], base_s) for n in numbers}
    # One number says nothing of others but by the prior: they have to be tried out first.
    known = list(found.values()) if len(set(seen)) > 1 else [found[static]]
    admissible = [item for item in known if item.at_worst <= 1 + limits.margin]
    best = min((*admissible, found[static]), key=lambda it: (it.seconds, it.workers))
    if best.against_static > 1 - WORTHWHILE:
        best = found[static]
    against = {n: float(np.mean(times_s[n] / times_s[best.workers])) for n in numbers}
    listed = tuple(
        Candidate(**{**vars(item), "against_best": against[item.workers]})
        for item in found.values()
    )
    tried = _to_try(listed, best, seen, limits) if limits.explore else None
    if tried is not None:
        loss = tried.against_best - 1
        said = f"expected to cost {loss:.1%}" if loss > 0 else f"expected to gain {-loss:.1%}"
        reason = (
            f"{tried.workers} tried out beside {best.workers}, {said} (at most "
            f"{limits.margin:.0%} is risked)"
        )
        return Choice(tried.workers, True, reason, listed)
    return Choice(best.workers, False, _reason(best, found[static], curve), listed)


def _numbers(seen: Sequence[int], static: int, bound: int, step: float) -> list[int]:
    """From a step below what has been seen to a step above it, within the budgets."""
    least = step_down(min((*seen, static)), step)
    most = min(bound, step_up(max((*seen, static)), step))
    every = range(least, most + 1)
    if len(every) > _MOST_CANDIDATES:
        spread = np.geomspace(least, most, _MOST_CANDIDATES)
        every_some = {round(float(value)) for value in spread}
        steps = {step_up(static, step), step_down(static, step), static}
        chosen = every_some | {n for n in (*seen, *steps) if least <= n <= most}
        return sorted(chosen)
    return sorted({*every, static})


def _times_s(curve: Curve, numbers: Sequence[int], work: Work) -> dict[int, Any]:
    """Predicted seconds of each number, at the same points of the posterior."""
    sigma, kappa, log_rate = curve.nodes(_NODES)
    rate = np.exp(log_rate)
    return {
        n: np.array([work.seconds(n, float(x)) for x in rate * shape(n, sigma, kappa)])
        for n in numbers
    }


def _candidate(workers: int, times_s: Any, base_s: Any) -> Candidate:
    ratios = times_s / base_s
    low_s, high_s = np.quantile(times_s, (1 - SURE, SURE))
    return Candidate(
        workers=workers,
        seconds=float(np.mean(times_s)),
        low_s=float(low_s),
        high_s=float(high_s),
        against_static=float(np.mean(ratios)),
        at_worst=float(np.quantile(ratios, SURE)),
    )


def _to_try(
    candidates: Sequence[Candidate], best: Candidate, seen: Sequence[int], limits: Limits
) -> Candidate | None:
    """Another number, at most a step from ``best``, if it may turn out better.

    Nothing in a batch that is too short, and nothing that is expected to cost more than the margin.
    Of those less seen the one that is expected to be soonest; of about equal ones the farthest.
    """
    if best.seconds < limits.explore_from_s:
        return None
    least, most = step_down(best.workers, limits.step), step_up(best.workers, limits.step)
    near = [
        item
        for item in candidates
        if least <= item.workers <= most
        and item.workers != best.workers
        and item.against_best <= 1 + limits.margin
        and item.against_static <= 1 + limits.margin
        and _may_gain(item, best)
        and _familiar(item.workers, seen) < FAMILIAR
    ]

    def order(item: Candidate) -> tuple[int, int, int]:
        away = abs(item.workers - best.workers)
        familiar = _familiar(item.workers, seen)
        return familiar, round(item.against_best / WORTHWHILE), -away

    return min(near, key=order, default=None)


def _familiar(workers: int, seen: Sequence[int]) -> int:
    """How many runs had about so many workers."""
    return sum(1 / ABOUT < workers / other < ABOUT for other in seen)


def _may_gain(item: Candidate, best: Candidate) -> bool:
    return item.low_s < best.seconds * (1 - WORTHWHILE) or item.against_best < 1


def _reason(best: Candidate, static: Candidate, curve: Curve) -> str:
    if best.workers == static.workers:
        runs = "1 earlier run shows" if curve.runs == 1 else f"{curve.runs} earlier runs show"
        return f"{runs} nothing that is surely better than {static.workers}"
    gain = 1 - best.against_static
    return (
        f"{best.workers} instead of {static.workers}: after {curve.runs} earlier runs "
        f"{best.seconds:.1f} s are expected ({best.low_s:.1f} to {best.high_s:.1f}), "
        f"not {static.seconds:.1f}; {gain:.0%} less"
    )

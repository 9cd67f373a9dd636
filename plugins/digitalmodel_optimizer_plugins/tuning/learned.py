"""From the runs of a place to the choice for the next: which count, the curve, the limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from digitalmodel_optimizer_plugins.tuning.choice import Choice, Limits, Work, choose
from digitalmodel_optimizer_plugins.tuning.curve import Curve, fit
from digitalmodel_optimizer_plugins.tuning.observation import Observation, Place, Plan
from digitalmodel_optimizer_plugins.tuning.relevant import Relevant, relevant


@dataclass(frozen=True)
class Learned:
    """A choice with what it rests on."""

    choice: Choice
    curve: Curve
    relevant: Relevant

    @property
    def workers(self) -> int:
        return self.choice.workers

    @property
    def explored(self) -> bool:
        return self.choice.explored

    @property
    def reason(self) -> str:
        return self.choice.reason


def limits_of(runs: Sequence[Observation], plan: Plan, options: Mapping[str, Any]) -> Limits:
    """What the choice for the next run keeps to."""
    return Limits(
        static=plan.static,
        bound=plan.bound,
        margin=options["margin"],
        step=options["explore_step"],
        explore=is_due(runs, options["explore_every"]),
        explore_from_s=options["explore_from_s"],
    )


def work_of(place: Place, plan: Plan, ready: int = 0, starting: int = 0) -> Work:
    """:param ready: workers that need no start any more, the ``starting`` ones included."""
    return Work(
        files=plan.files,
        work_mb=place.work_mb(plan.files, plan.size_mb),
        cpus=place.cpus,
        start_s=plan.start_s,
        ready=ready,
        starting=starting,
    )


def learned_of(runs: Sequence[Observation], work: Work, limits: Limits) -> Learned | None:
    found = relevant(runs)
    if not found.runs:
        return None
    seen = [run.workers for run in found.runs]
    curve = fit(seen, [run.mb_per_s for run in found.runs], _alone_mb_per_s(found.runs[-1]))
    # While a batch runs, the static choice may be raised: what it came to is what counts.
    reached = [run.workers for run in found.runs if not run.tuned]
    choice = choose(curve, seen, work, limits, reached[-1] if reached else limits.static)
    return Learned(choice, curve, found)


def _alone_mb_per_s(run: Observation) -> float | None:
    """What one worker alone would do at least, going by how much those of ``run`` waited.

    A file needs its CPU time whoever else is there. How much of the waiting would be left is not
    known: half of it is taken.
    """
    if not run.busy:
        return None
    return run.mb_per_s / run.workers / run.busy * (1 + run.busy) / 2


def is_due(runs: Sequence[Observation], every: int) -> bool:
    """Whether the next run may try something out: none of the ``every - 1`` before it did."""
    if every < 1 or not runs:
        return False
    return not any(run.explored for run in runs[max(0, len(runs) - every + 1) :] if every > 1)

"""Which earlier runs still tell something of the machine as it is: those since it last changed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from digitalmodel_optimizer_plugins.tuning.curve import fit
from digitalmodel_optimizer_plugins.tuning.observation import Observation

# A run that differs from what was expected by this factor, and by so many standard deviations...
JUMP = 1.25
DEVIATIONS = 3.0
# ... is believed once so many in a row differ in the same direction: one may have had company.
CONFIRMED = 2
# Older ones are forgotten.
REMEMBERED = 60


@dataclass(frozen=True)
class Relevant:
    """``runs`` tell of the machine as it is; ``since_s``: it changed then (None: it has not),
    ``odd`` runs differ from the others and from one another, and are left out.
    """

    runs: tuple[Observation, ...]
    since_s: float | None = None
    change: float = 1.0
    odd: int = 0


def relevant(observations: Sequence[Observation]) -> Relevant:
    """Those of ``observations``, of one place and the oldest first, that count."""
    believed: list[Observation] = []
    suspects: list[tuple[Observation, float]] = []
    since_s, change, odd = None, 1.0, 0
    for run in observations[-REMEMBERED:]:
        deviation = _deviation(believed, run)
        if deviation == 0.0:
            odd, suspects = odd + len(suspects), []
            believed.append(run)
            continue
        if suspects and suspects[-1][1] * deviation < 0:
            odd, suspects = odd + len(suspects), []
        suspects.append((run, deviation))
        if len(suspects) == CONFIRMED:
            since_s, change = suspects[0][0].at_s, math.exp(deviation)
            believed, suspects = [item for item, _ in suspects], []
    return Relevant(tuple(believed), since_s, change, odd + len(suspects))


def _deviation(believed: Sequence[Observation], run: Observation) -> float:
    """By how much, as a logarithm, ``run`` differs from what was expected; 0 if not markedly."""
    if not believed:
        return 0.0
    curve = fit([item.workers for item in believed], [item.mb_per_s for item in believed])
    middle, low, high = curve.throughput(run.workers)
    # 8 of 10 lie within 1.28 standard deviations to either side.
    known_to = (math.log(high) - math.log(low)) / (2 * 1.28)
    sd = math.hypot(known_to, curve.noise)
    deviation = math.log(run.mb_per_s) - math.log(middle)
    return deviation if abs(deviation) > max(math.log(JUMP), DEVIATIONS * sd) else 0.0

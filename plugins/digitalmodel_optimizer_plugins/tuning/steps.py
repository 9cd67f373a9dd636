"""How far a trial goes: a share of the workers, and one worker at least."""

from __future__ import annotations

import math


def step_up(workers: int, step: float) -> int:
    return max(workers + 1, math.floor(workers * (1 + step)))


def step_down(workers: int, step: float) -> int:
    """Never below one worker."""
    return max(1, min(workers - 1, math.ceil(workers * (1 - step))))

"""Running some configurations on a tiny batch once more."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from digitalmodel_optimizer.bench.batches import Batch
from digitalmodel_optimizer.bench.configurations import chosen
from digitalmodel_optimizer.bench.results import Result, new_result
from digitalmodel_optimizer.bench.rounds import Wish, run_batch


def again(tiny: Batch, work: Path, names: str = "workers_2", **wish: object) -> Result:
    """The first of ``names`` makes the reference; rounds and counts are by ``wish``."""
    wanted = replace(Wish(chosen(names), rounds=0), **wish)
    return new_result("tests", [run_batch(tiny, wanted, work, lambda _: None)], stand_in=True)

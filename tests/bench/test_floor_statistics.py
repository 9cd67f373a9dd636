"""The statistics of the floor's tables are those that pandas makes of them."""

from __future__ import annotations

import math
from typing import Any

import pytest

from digitalmodel_optimizer.bench.floor_tables import statistics

pd = pytest.importorskip("pandas")


def row(*numbers: float) -> list[Any]:
    return ["a.sim", "a", "Stopped", -10.0, 600.0, None, None, *numbers]


@pytest.mark.parametrize("files", [1, 2, 5])
def test_of_the_rows_and_then_of_rows_and_statistics(files: int) -> None:
    rows = [row(0.1 * number, math.pi - number) for number in range(files)]
    for _ in range(2):
        rows = [*rows, *statistics(rows)]
    frame = pd.DataFrame([row(0.1 * number, math.pi - number)[7:] for number in range(files)])
    for _ in range(2):
        made = [getattr(frame, name)() for name in ("min", "max", "mean", "std")]
        frame = pd.concat([frame, pd.DataFrame(made)], ignore_index=True)
    assert [one[7:] for one in rows] == [
        pytest.approx(values, rel=1e-14, nan_ok=True) for values in frame.to_numpy().tolist()
    ]

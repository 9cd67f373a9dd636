"""Results from other processes hold one copy of what they have in common."""

from __future__ import annotations

import pickle

from digitalmodel_optimizer.engine.row_tables import OneRow
from digitalmodel_optimizer.engine.sharing import Shared
from digitalmodel_optimizer.engine.state import Change, EngineState
from digitalmodel_optimizer.engine.unit import EngineOutput


def output(number: float, left: float = 600.0) -> EngineOutput:
    row = OneRow(("file", "stem"), (f"{number}.sim", f"{number}"), ("heave",), (number,))
    state = EngineState((Change(("series", 0, "period"), [left]),), ("time_series",))
    made = EngineOutput(summary={"motions": row}, started_from=state)
    return pickle.loads(pickle.dumps(made))  # type: ignore[no-any-return]


def test_what_is_equal_is_one_and_nothing_changes() -> None:
    shared, outputs = Shared(), [output(1.0), output(2.0), output(3.0, left=900.0), output(4.0)]
    first, second, third, fourth = kept = [shared(one) for one in outputs]
    assert kept == outputs
    rows = [one.summary["motions"] for one in kept]
    assert len({id(row.names) for row in rows}) == len({id(row.added_names) for row in rows}) == 1
    assert first.started_from is second.started_from
    assert third.started_from != first.started_from == fourth.started_from


def test_other_tables_are_left_as_they_are() -> None:
    table = object()
    made = EngineOutput(summary={"motions": table}, linked=None)
    assert Shared()(made).summary["motions"] is table
    assert Shared()(EngineOutput()) == EngineOutput()

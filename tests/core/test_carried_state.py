"""What one file leaves for the next, and telling whether an answer is the engine's own."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digitalmodel_optimizer.batch.carried import CarriedState, state_after
from digitalmodel_optimizer.host.state import (
    FIRST,
    Change,
    EngineState,
    WorkingCfg,
    apply,
    differences,
    merge,
    predict,
    same_answer,
)
from digitalmodel_optimizer.plugin import ErrorKind, FileError, FileResult, SimulationFile
from digitalmodel_optimizer.tables.payload import EngineOutput, FileTables

FILES = tuple(SimulationFile(index, f"case_{index}.sim", 1000) for index in range(4))
PERIOD = ("time_series_settings", "groups", 0, "Columns", 0, "SimulationPeriod", 1)


def cfg(period: list[Any] | None = None) -> dict[str, Any]:
    column = {"Label": "x", "SimulationPeriod": period or [0, None]}
    return {
        "orcaflex": {"postprocess": {"summary": {"flag": True}, "time_series": {"flag": True}}},
        "time_series_settings": {
            "data": True,
            "groups": [{"Label": "motions", "Columns": [column]}],
        },
        "summary_settings": {
            "groups": [
                {
                    "Label": "data",
                    "Columns": [
                        {
                            "Label": "current",
                            "Command": "GetData",
                            "ObjectName": "Environment",
                            "Variable": ["RefCurrentSpeed"],
                        }
                    ],
                }
            ]
        },
    }


values = st.recursive(
    st.none() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=12,
)


@given(before=st.dictionaries(st.text(max_size=2), values), later=values)
def test_applying_the_differences_gives_what_came_after(before: dict[str, Any], later: Any) -> None:
    after = copy.deepcopy(before)
    for key in list(after)[:1]:
        if not isinstance(after[key], (dict, list)):
            after[key] = later
    for key in list(after)[1:2]:
        del after[key]
    after["new"] = later
    found = copy.deepcopy(before)
    apply(found, tuple(differences(before, after)))
    assert found == after


def test_a_list_that_two_places_share_stays_shared() -> None:
    shared = [1]
    before = {"a": shared, "b": shared}
    apply(before, (Change(("a",), [1, 0]),))
    assert before["b"] == [1, 0]


def test_the_later_change_of_a_path_counts() -> None:
    first, later = Change(("a",), 1), Change(("a",), 2)
    assert merge((first, Change(("b",), 3)), (later,)) == (later, Change(("b",), 3))


def test_a_period_that_the_file_itself_filled_with_the_same_value_is_the_same_answer() -> None:
    filled = Change(PERIOD, 20.0, filled=True)
    assert same_answer((), (filled,), (Change(PERIOD, 20.0, filled=True),))
    assert not same_answer((), (filled,), (Change(PERIOD, 30.0, filled=True),))
    assert not same_answer((Change(PERIOD, 30.0),), (), (Change(PERIOD, 20.0),))
    assert not same_answer((), (), (Change(("other",), 1),))
    # An index that is appended is not an open value that is filled: with it the file differs.
    appended = Change(("v",), ["RefCurrentSpeed", 0])
    assert not same_answer((), (appended,), (appended,))


def test_the_prediction_is_what_the_configuration_alone_tells() -> None:
    predicted = predict(cfg())
    path = ("summary_settings", "groups", 0, "Columns", 0, "Variable")
    assert predicted == EngineState((Change(path, ["RefCurrentSpeed", 0]),), ("time_series",))
    nothing = cfg()
    nothing["orcaflex"]["postprocess"] = {"summary": {"flag": False}}
    assert predict(nothing) == FIRST


def result(index: int, started_from: EngineState = FIRST, stop: float = 20.0) -> FileResult:
    taken = any(change.path == PERIOD for change in started_from.changes)
    left = () if taken else (Change(PERIOD, stop, filled=True),)
    records = {"time_series": [] if not started_from.records else [{"file": index}]}
    tables = FileTables(records=records)
    output = EngineOutput.of(tables, left=left, started_from=started_from, stop_time_s=stop)
    return FileResult(FILES[index], payload=output)


def failure(index: int) -> FileResult:
    return FileResult(FILES[index], FileError(ErrorKind.ENGINE, "no"))


def test_a_file_behind_the_first_that_succeeded_starts_from_what_that_left() -> None:
    carried = CarriedState(cfg(), FILES)
    assert carried.state_for(FILES[0]) == FIRST
    assert carried.state_for(FILES[2]) == carried._predicted
    first = result(0)
    carried.finished(first)
    expected = state_after(FIRST, first.payload)
    assert carried.state_for(FILES[1]) == expected
    assert carried.state_for(FILES[3]) == expected
    assert expected.records == ("time_series",)


def test_a_file_that_failed_leaves_nothing() -> None:
    carried = CarriedState(cfg(), FILES)
    carried.finished(failure(0))
    assert carried.state_for(FILES[1]) == FIRST
    carried.finished(result(1, stop=30.0))
    state = carried.state_for(FILES[3])
    assert [change.new for change in state.changes] == [30.0]


def test_files_that_started_from_a_wrong_guess_are_named_in_order() -> None:
    carried = CarriedState(cfg(), FILES)
    good = result(0)
    after = state_after(FIRST, good.payload)
    guessed = result(1, EngineState((), ("time_series",)), stop=25.0)
    right = result(2, after)
    wrong = carried.mispredicted([good, guessed, right])
    assert wrong == [FILES[1]]
    assert carried.state_for(FILES[1]) == after
    again = result(1, after, stop=25.0)
    assert carried.mispredicted([good, again, right]) == []


def test_a_guess_that_was_right_is_not_done_again() -> None:
    carried = CarriedState(cfg(), FILES)
    guessed = result(1, EngineState((), ("time_series",)), stop=20.0)
    assert carried.mispredicted([result(0, stop=20.0), guessed]) == []


def test_when_the_first_file_fails_the_next_one_is_the_first() -> None:
    """It ran with the records of a file that never came to be, so it is done again."""
    carried = CarriedState(cfg(), FILES)
    second = result(1, EngineState((), ("time_series",)))
    assert carried.mispredicted([failure(0), second, result(2)]) == [FILES[1]]
    assert carried.state_for(FILES[1]) == FIRST


def test_a_doubt_names_the_column_and_a_file_that_stops_at_another_time() -> None:
    carried = CarriedState(cfg(), FILES)
    first = result(0, stop=20.0)
    later = result(1, state_after(FIRST, first.payload), stop=30.0)
    period, current = carried.doubts([first, later])
    assert "motions / x" in period
    assert "20 s" in period
    assert "case_1" in period
    assert "data / current" in current
    assert carried.doubts([first]) == []


def test_a_working_configuration_is_used_again_only_as_it_was() -> None:
    original = pickle.dumps({"records": {}, "a": [1, None], "file_management": {"x": 1}})
    working = WorkingCfg(original, "records")
    first = working.with_state(())
    first["records"]["x"] = 1
    first["file_management"]["x"] = 2
    assert working.changes() == ()
    assert working.with_state(()) is first
    first["a"][1] = 5.0
    assert working.changes() == (Change(("a", 1), 5.0, filled=True),)
    second = working.with_state((Change(("a", 1), 5.0),))
    assert second is not first
    assert second["a"] == [1, 5.0]
    second["a"][0] = "half-way"
    working.discard()
    assert working.with_state((Change(("a", 1), 5.0),))["a"] == [1, 5.0]


def test_what_is_not_equal_to_itself_has_not_changed() -> None:
    """Else a batch with ``.nan`` in its YAML would be processed again and again."""
    numpy = pytest.importorskip("numpy")
    for value in (float("nan"), [float("nan")], numpy.arange(3), object):
        before = {"x": value, "period": [0, None]}
        after = pickle.loads(pickle.dumps(before))
        after["period"][1] = 5.0
        assert [change.path for change in differences(before, after)] == [("period", 1)]


class Unequal:
    def __eq__(self, other: object) -> bool:
        return False

    def __reduce__(self) -> Any:
        return Unequal, (), {"made": id(self)}

    __hash__ = None  # type: ignore[assignment]


def test_a_file_that_was_given_the_right_state_is_not_processed_again() -> None:
    """Whatever the state holds: here something that no comparison finds equal."""

    def output(state: EngineState) -> EngineOutput:
        left = (Change(("x",), Unequal()),)
        return EngineOutput(b"", left=left, started_from=copy.deepcopy(state))

    carried = CarriedState(cfg(), FILES[:2])
    results = [FileResult(file, payload=output(EngineState())) for file in FILES[:2]]
    for _ in range(4):
        wrong = carried.mispredicted(results)
        for file in wrong:
            again = output(carried.state_for(file))
            results[file.index] = FileResult(file, payload=again)
    assert wrong == []


def test_results_hold_the_state_that_they_were_given_and_not_a_copy_of_it() -> None:
    carried = CarriedState(cfg(), FILES)
    first = result(0)
    guess = carried.state_for(FILES[2])
    carried.finished(first)
    behind = carried.state_for(FILES[1])
    for state in (guess, behind):
        back = pickle.loads(pickle.dumps(result(1, state)))
        kept = carried.with_shared_state(back)
        assert kept == back
        assert kept.payload.started_from is state
    other = result(3, EngineState((), ("another",)))
    assert carried.with_shared_state(other) is other
    assert carried.with_shared_state(failure(2)) == failure(2)

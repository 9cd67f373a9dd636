"""Joining runs of equal tables first gives what folding file by file gives."""

from __future__ import annotations

import copy
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

pandas = pytest.importorskip("pandas")

from digitalmodel_optimizer.tables.merge import (
    _fold,
    add_records,
    merged_attributes,
)
from digitalmodel_optimizer.tables.payload import FileTables

VALUES = [None, 1.5, float("nan"), 2, True, "text", -0.0]


def add(so_far: Any, more: Any) -> Any:
    """As the engine adds a file's tables to those of the files before it."""
    if not so_far:
        return copy.deepcopy(more)
    for key, table in more.items():
        so_far[key] = pandas.concat([so_far[key], table], ignore_index=True)
    return so_far


def table(row: tuple[Any, ...]) -> Any:
    return pandas.DataFrame([list(row)], columns=["name", "a", "b"])


rows = st.tuples(st.sampled_from(["p", "q"]), st.sampled_from(VALUES), st.sampled_from(VALUES))


@pytest.mark.filterwarnings("ignore::FutureWarning")  # pandas', on columns that are all empty
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")  # pandas 2.0's, on their text
@given(st.lists(rows, max_size=9))
@example([("p", None, float("nan")), ("p", None, True), ("p", None, True)])
def test_the_order_of_joining_makes_no_difference(content: list[tuple[Any, ...]]) -> None:
    files = [{"main": table(row), "other": table(row[::-1])} for row in content]
    expected = None
    for item in files:
        expected = add(expected, item)
    found = _fold(SimpleNamespace(add_file_result_to_all_results=add), copy.deepcopy(files))
    if expected is None:
        assert found is None
        return
    for label, whole in expected.items():
        pandas.testing.assert_frame_equal(found[label], whole)
        assert found[label].to_csv() == whole.to_csv()


def test_files_without_tables_are_passed_over() -> None:
    found = _fold(
        SimpleNamespace(add_file_result_to_all_results=add), [None, {"m": table(("p", 1, 2))}, {}]
    )
    assert len(found["m"]) == 1


def test_records_are_gathered_as_the_engines_loop_gathers_them() -> None:
    records: dict[str, Any] = {}
    lefts: tuple[dict[str, Any], ...] = (
        {"time_series": []},
        {"time_series": [1]},
        {"time_series": [2], "n": 3},
    )
    for left in lefts:
        add_records(records, FileTables(records=copy.deepcopy(left)))
    assert records == {"time_series": [1, 2], "n": 3}


def test_lists_on_the_engines_object_are_joined_in_order() -> None:
    outputs = [FileTables(attributes={"RangeAllFiles": [None, number]}) for number in (1, 2)]
    assert merged_attributes(outputs) == {"RangeAllFiles": [None, 1, None, 2]}

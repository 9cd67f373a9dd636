"""Stand-ins for the engine's tables become what pandas would have made, step by step."""

from __future__ import annotations

import copy
import csv
import pickle
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

pandas = pytest.importorskip("pandas")
numpy = pytest.importorskip("numpy")

from digitalmodel_optimizer.file.context import FileContext
from digitalmodel_optimizer.tables.lazy_table import materialize
from digitalmodel_optimizer.tables.merge import _joined, _runs
from digitalmodel_optimizer.tables.row_tables import OneRow, PandasOfRows, plain_tables
from digitalmodel_optimizer.tables.scratch_tables import (
    NotedTable,
    PandasOfGrowth,
    TableToLookThrough,
)

pytestmark = pytest.mark.filterwarnings("ignore")  # pandas', on columns of mixed types
numbers = st.floats(allow_nan=True) | st.floats(-1e9, 1e9).map(numpy.float64)
values = st.none() | numbers | st.integers() | st.booleans() | st.text(max_size=3)
NAMES = ["name", "status", "start", "nothing"]


def context() -> FileContext:
    return FileContext(None, None, None, "", None)  # type: ignore[arg-type]


def filled(tables: Any, row: list[Any], columns: dict[str, Any]) -> Any:
    """As the engine fills a file's row of a summary."""
    table = tables.DataFrame([row], columns=NAMES)
    for label, value in columns.items():
        table[[label]] = [value]
    return table


def assert_same(found: Any, expected: Any) -> None:
    pandas.testing.assert_frame_equal(found, expected)
    assert text_of(found) == text_of(expected)
    assert text_of(found.round(6)) == text_of(expected.round(6))


def text_of(table: Any) -> Any:
    """As pandas writes it, or why it cannot: the csv module of Python 3.10 refuses NUL."""
    try:
        return table.to_csv()
    except csv.Error as error:
        return repr(error)


rows = st.lists(values, min_size=len(NAMES), max_size=len(NAMES))
columns = st.dictionaries(st.sampled_from([*"abc", "name"]), values)


@given(row=rows, added=columns)
def test_a_row_has_the_types_that_pandas_gives_it(row: list[Any], added: dict[str, Any]) -> None:
    expected = filled(pandas, row, added)
    with context():
        found = filled(PandasOfRows(pandas), row, added)
    assert_same(materialize(pickle.loads(pickle.dumps(found))), expected)
    assert_same(materialize(copy.deepcopy(found)), expected)


@given(
    content=st.lists(
        st.tuples(rows, values, st.sampled_from([1.5, float("nan"), None])), max_size=6
    )
)
@example([([None] * len(NAMES), "\x00", 1.5)])
def test_rows_that_travel_as_values_make_the_table_that_pandas_joins(
    content: list[tuple[list[Any], Any, Any]],
) -> None:
    files, expected = [], []
    for row, first, second in content:
        added = {"a": first, "b": second}
        expected.append({"main": filled(pandas, row, added)})
        with context():
            files.append(plain_tables({"main": filled(PandasOfRows(pandas), row, added)}))
    place = 0
    for run in _runs(files):
        whole = [item["main"] for item in expected[place : place + len(run)]]
        assert_same(_joined(run)["main"], pandas.concat(whole, ignore_index=True))
        place += len(run)
    assert place == len(files)


def test_a_row_of_plain_values_travels_without_pandas() -> None:
    with context():
        table = filled(PandasOfRows(pandas), ["a", "b", 1.0, None], {"x": numpy.float64(2)})
    (row,) = plain_tables({"main": table}).values()
    assert row == OneRow(tuple(NAMES), ("a", "b", 1.0, None), ("x",), (2.0,))


arrays = st.lists(st.floats(width=32), min_size=1, max_size=5).map(numpy.array)


@given(first=arrays, second=arrays, statistic=st.sampled_from(["max", "min", "mean"]))
def test_columns_of_points_answer_as_pandas_does(first: Any, second: Any, statistic: str) -> None:
    def answer(tables: Any) -> Any:
        table = tables.DataFrame()
        table["X"] = first
        try:
            table["Tension"] = second
        except ValueError as error:
            return str(error)
        return getattr(table["Tension"], statistic)()

    expected = answer(pandas)
    with context():
        found = answer(PandasOfRows(pandas))
    assert repr(found) == repr(expected)


@given(content=st.lists(arrays, min_size=1, max_size=4), decimals=st.integers(0, 6))
def test_columns_of_time_series_make_the_table_of_pandas(content: list[Any], decimals: int) -> None:
    def filled_table(tables: Any) -> Any:
        table = tables.DataFrame()
        for place, series in enumerate(content):
            try:
                if "time" not in list(table.columns):
                    table["time"] = content[0]
                table[f"series {place % 3}"] = series
            except ValueError:
                table["time"] = []
        return table

    def text(tables: Any) -> str:
        try:
            return str(filled_table(tables).round(decimals).to_csv(None, index=False))
        except ValueError as error:
            return str(error)

    expected = text(pandas)
    with context():
        assert text(PandasOfRows(pandas)) == expected


def load_matrix() -> Any:
    table = pandas.DataFrame(columns=["file", "status", "start"])
    table["file"] = ["a", "b"]
    table["status"] = None
    return table


def noted(table: Any) -> Any:
    table.loc[(table["file"] == "b"), "status"] = "done"
    table.loc[(table["file"] == "a"), "start"] = -8.0
    return table


USES = {
    "text": str,
    "a column": lambda table: table["status"].tolist(),
    "a selection": lambda table: table[table["file"] == "b"].to_csv(),
    "a cell": lambda table: table.loc[0, "start"],
    "its columns": lambda table: list(table.columns),
    "its length": len,
    "its labels": list,
    "whether it has one": lambda table: "file" in table,
    "a comparison": lambda table: (table["file"] != "b").tolist(),
    "a new column": lambda table: table.__setitem__("x", table["file"]) or table.to_csv(),
    "both": lambda table: ((table["file"] == "a") | (table["file"] == "b")).tolist(),
    "a copy": lambda table: table.copy().to_csv(),
}


@pytest.mark.parametrize("use", USES.values(), ids=USES.keys())
def test_a_noted_table_is_made_when_it_is_read(use: Any) -> None:
    assert use(noted(NotedTable(load_matrix))) == use(noted(load_matrix()))


def test_a_noted_table_that_nobody_reads_is_never_made() -> None:
    noted(NotedTable(lambda: pytest.fail("made")))


statistics = st.lists(
    st.lists(
        st.none() | numbers | st.integers(-9, 9) | st.text(max_size=2), min_size=3, max_size=3
    ),
    max_size=4,
)


@given(content=statistics)
def test_rows_that_a_table_grows_by_have_the_types_that_pandas_gives_them(
    content: list[list[Any]],
) -> None:
    def grown(tables: Any) -> Any:
        table = tables.DataFrame(columns=["a", "b", "statistic"])
        for label, row in zip(["min", "max", "mean", "stdev"], content, strict=False):
            table.loc[label] = row
        table["statistic"] = table.index
        return tables.concat([pandas.DataFrame({"a": [1.0], "b": ["x"]}), table])

    assert_same(grown(PandasOfGrowth(pandas)), grown(pandas))


def test_a_table_to_look_through_gives_each_column_once_and_as_it_stands() -> None:
    table = pandas.DataFrame({"a": [1.5, 2.0], "b": ["2020-01-01", "2020-01-02"]})
    seen = TableToLookThrough(table)
    assert seen["a"] is seen["a"]
    assert list(seen.columns) == ["a", "b"]
    before = seen["b"]
    seen["b"] = pandas.to_datetime(seen["b"])
    assert seen["b"] is not before
    assert seen["b"].dtype == table["b"].dtype == pandas.to_datetime(before).dtype
    pandas.testing.assert_frame_equal(seen[["a"]], table[["a"]])
    assert materialize(seen) is table


def test_statistics_are_those_of_the_engine_and_leave_the_same_table(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of numbers, gaps, words, and dates as text, which the engine turns into dates."""
    module = pytest.importorskip("assetutilities.modules.data_exploration.data_exploration")
    content = {"x": [1.0, 2.0], "when": ["2020-01-01", "2021-01-01"], "gap": [None, None]}
    theirs = pandas.DataFrame({**content, "text": ["abc", None], "whole": [3, 4]})
    ours = theirs.copy()
    statistics_of = module.DataExploration().get_df_with_basic_statistics
    expected = statistics_of({"add_to_df": True}, theirs)
    monkeypatch.setattr(module, "pd", PandasOfGrowth(pandas))
    assert_same(statistics_of({"add_to_df": True}, TableToLookThrough(ours)), expected)
    assert_same(ours, theirs)

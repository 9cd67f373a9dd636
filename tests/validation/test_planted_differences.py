"""Two result folders, equal but for one planted difference: it is found, and named rightly."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from digitalmodel_optimizer.plugin import PluginOptions
from digitalmodel_optimizer.tables.cells import CellKind
from digitalmodel_optimizer.tables.differences import Place, TableDifference
from digitalmodel_optimizer.validation.folders import FileComparison, State, compare_folders
from digitalmodel_optimizer.validation.outcome import Outcome, as_json
from digitalmodel_optimizer.validation.words import in_words

SUMMARY = """\
fe_filename,fe_filename_stem,statistic,X_max,X_min,T_max
/a/lc1.sim,lc1,,1.5,-0.5,844.102844
/a/lc2.sim,lc2,,2.5,,845.0
/a/lc3.sim,lc3,,3.5,-1.5,846.25
,,max,3.5,-0.5,846.25
"""
SERIES = "time,X\n" + "".join(f"{0.1 * step:.1f},{step * step}.25\n" for step in range(2000))
SAVED = "Analysis:\n  start_time: 2026-01-01 10:00:00.123\n  file_name: dm\n"
FILES = {"dm_main.csv": SUMMARY, "lc1_motions.csv": SERIES, "dm.yml": SAVED, "Plot/a.png": "\0\1"}


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode())
    return folder


@pytest.fixture
def compared(tmp_path: Path) -> Callable[..., list[FileComparison]]:
    """What differs once the folder B has these changes: a new content, None for no file."""

    def compare(own: tuple[str, ...] = (), **changes: str | None) -> list[FileComparison]:
        named = {name.replace("__", "."): content for name, content in changes.items()}
        left = write(tmp_path / "a", FILES)
        files = {
            name: content for name, content in {**FILES, **named}.items() if content is not None
        }
        right = write(tmp_path / "b", files)
        return [item for item in compare_folders(left, right, own) if item.state is not State.EQUAL]

    return compare


def lines_of(text: str) -> list[list[str]]:
    return [line.split(",") for line in text.splitlines()]


def joined(rows: list[list[str]]) -> str:
    return "".join(",".join(cells) + "\n" for cells in rows)


def column_moved(text: str, name: str) -> str:
    rows = lines_of(text)
    place = rows[0].index(name)
    return joined([[*cells[:place], *cells[place + 1 :], cells[place]] for cells in rows])


def column_removed(text: str, name: str) -> str:
    rows = lines_of(text)
    place = rows[0].index(name)
    return joined([cells[:place] + cells[place + 1 :] for cells in rows])


def rows(text: str, order: list[int]) -> str:
    header, *body = text.splitlines(keepends=True)
    return header + "".join(body[place] for place in order)


def table(found: list[FileComparison], name: str = "dm_main.csv") -> TableDifference:
    (item,) = found
    assert (item.name, item.state) == (name, State.DIFFERENT)
    assert item.table is not None
    return item.table


def test_nothing_differs_but_the_start_time(compared: Callable[..., list[FileComparison]]) -> None:
    assert compared(dm__yml=SAVED.replace("10:00:00.123", "11:30:59")) == []


def test_a_missing_and_an_extra_file(compared: Callable[..., list[FileComparison]]) -> None:
    found = compared(lc1_motions__csv=None, lc9_motions__csv=SERIES)
    assert [(item.name, item.state) for item in found] == [
        ("lc1_motions.csv", State.MISSING),
        ("lc9_motions.csv", State.EXTRA),
    ]


def test_what_a_plugin_writes_of_its_own_accord_is_no_difference(
    compared: Callable[..., list[FileComparison]],
) -> None:
    own = PluginOptions("", own_outputs=("*.checks.csv",)).own_outputs
    (item,) = compared(own, dm__checks__csv="file\n")
    assert (item.state, item.differs) == (State.PLUGINS_OWN, False)


def test_one_byte_of_what_is_no_table(compared: Callable[..., list[FileComparison]]) -> None:
    (item,) = compared(**{"Plot/a__png": "\0\2"})
    assert (item.state, item.note) == (State.DIFFERENT, "from byte 1 on")
    assert list(in_words(item)) == ["from byte 1 on"]


def test_a_line_of_a_saved_configuration(compared: Callable[..., list[FileComparison]]) -> None:
    (item,) = compared(dm__yml=SAVED.replace("file_name: dm", "file_name: dn"))
    assert list(in_words(item)) == [
        "first line that differs: '  file_name: dm' became '  file_name: dn'"
    ]


def test_one_value_in_the_last_digit(compared: Callable[..., list[FileComparison]]) -> None:
    found = table(compared(dm_main__csv=SUMMARY.replace("844.102844", "844.102845")))
    assert found.first == Place("lc1", 2, "T_max", "844.102844", "844.102845")
    (column,) = found.columns
    assert (column.cells, column.kinds) == (1, {CellKind.VALUE: 1})
    assert column.absolute == 1e-6
    assert column.relative == pytest.approx(1e-6 / 844.102845)


def test_a_value_deep_in_a_time_series(compared: Callable[..., list[FileComparison]]) -> None:
    deep = SERIES.replace("123.4,1522756.25", "123.4,1522757.25")
    found = table(compared(lc1_motions__csv=deep), "lc1_motions.csv")
    assert found.first == Place("123.4", 1236, "X", "1522756.25", "1522757.25")


def test_the_largest_difference_of_a_column(compared: Callable[..., list[FileComparison]]) -> None:
    changed = SUMMARY.replace("lc2,,2.5", "lc2,,2.6").replace("lc3,,3.5", "lc3,,7")
    (column,) = table(compared(dm_main__csv=changed)).columns
    assert (column.column, column.cells, column.absolute, column.relative) == ("X_max", 2, 3.5, 0.5)
    assert column.first.row == "lc2"


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (SUMMARY.replace("X_min", "X_least"), "renamed column: X_min (now X_least)"),
        (column_removed(SUMMARY, "X_min"), "missing column: X_min"),
        (column_moved(SUMMARY, "X_max"), "columns in another order"),
        (column_moved(column_removed(SUMMARY, "T_max"), "X_max"), "missing column: T_max"),
        (rows(SUMMARY, [0, 2, 3]), "1 missing row: lc2"),
        (rows(SUMMARY, [0, 2, 1, 3]), "rows in another order"),
        (rows(SUMMARY, [0, 1, 1, 2, 3]), "1 repeated row: lc2"),
        (rows(SUMMARY, [0, 1, 2, 3, 3]), "1 repeated row: max"),
        (SUMMARY + "/a/lc4.sim,lc4,,1,1,1\n", "1 extra row: lc4"),
    ],
    ids=[
        *("column renamed", "column missing", "columns reordered", "column missing and reordered"),
        *("row missing", "rows reordered", "row repeated", "statistic repeated", "row extra"),
    ],
)
def test_columns_and_rows(
    compared: Callable[..., list[FileComparison]], changed: str, words: str
) -> None:
    (item,) = compared(dm_main__csv=changed)
    said = list(in_words(item))
    assert words in said
    assert not any(text.startswith(("first difference", "column ")) for text in said), said


def test_an_extra_column(compared: Callable[..., list[FileComparison]]) -> None:
    extra = "".join(f"{line},7\n" for line in SUMMARY.splitlines()).replace("T_max,7", "T_max,New")
    found = table(compared(dm_main__csv=extra))
    assert found == TableDifference(columns_extra=("New",))


def test_a_column_of_another_name_and_other_values_is_missing_and_extra(
    compared: Callable[..., list[FileComparison]],
) -> None:
    changed = SUMMARY.replace("X_min", "Z").replace("-1.5", "9")
    found = table(compared(dm_main__csv=changed))
    assert (found.columns_missing, found.columns_extra) == (("X_min",), ("Z",))
    assert found.columns == ()


@pytest.mark.parametrize(
    ("old", "new", "kind", "absolute"),
    [
        ("lc2,,2.5,,845.0", "lc2,,2.5,nan,845.0", CellKind.MISSING, None),
        ("lc2,,2.5,,845.0", "lc2,,2.5,0.0,845.0", CellKind.ONE_SIDED, None),
        ("844.102844", "844.1028", CellKind.ROUNDED, 4.4e-5),
        ("844.102844", "844.1029", CellKind.VALUE, 5.6e-5),
        ("845.0", "8.45e2", CellKind.SPELLING, None),
        ("/a/lc1.sim", "/b/lc1.sim", CellKind.TEXT, None),
        ("846.25\n,", "inf\n,", CellKind.VALUE, float("inf")),
    ],
    ids=["nan and empty", "gap", "rounded", "not rounded", "spelling", "text", "infinite"],
)
def test_kinds_of_cells(
    compared: Callable[..., list[FileComparison]],
    old: str,
    new: str,
    kind: CellKind,
    absolute: float | None,
) -> None:
    assert old in SUMMARY
    (column,) = table(compared(dm_main__csv=SUMMARY.replace(old, new))).columns
    assert column.kinds == {kind: 1}
    assert column.absolute == absolute


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        (SUMMARY.replace("\n", "\r\n"), "line endings (LF and CRLF)"),
        ("\ufeff" + SUMMARY, "byte order mark (no and yes)"),
        (SUMMARY.rstrip("\n"), "end of the last line (yes and no)"),
        (SUMMARY.replace("lc1,,", '"lc1",,'), "quotes around cells"),
    ],
    ids=["line endings", "mark", "last line", "quotes"],
)
def test_bytes_differ_and_no_cell_does(
    compared: Callable[..., list[FileComparison]], changed: str, text: str
) -> None:
    found = table(compared(dm_main__csv=changed))
    assert found == TableDifference(text=text)


def test_a_row_missing_and_a_value_further_on_are_both_found(
    compared: Callable[..., list[FileComparison]],
) -> None:
    changed = rows(SUMMARY.replace("846.25\n,", "846.26\n,"), [0, 2, 3])
    found = table(compared(dm_main__csv=changed))
    assert found.rows_missing.first == ("lc2",)
    assert found.first == Place("lc3", 4, "T_max", "846.25", "846.26")


def test_rows_in_another_order_are_compared_by_their_label(
    compared: Callable[..., list[FileComparison]],
) -> None:
    changed = rows(SUMMARY.replace("lc1,,1.5", "lc1,,1.6"), [2, 1, 0, 3])
    found = table(compared(dm_main__csv=changed))
    assert found.rows_reordered
    assert found.first == Place("lc1", 2, "X_max", "1.5", "1.6")


def test_tables_of_no_common_label_are_compared_row_by_row(
    compared: Callable[..., list[FileComparison]],
) -> None:
    shifted = "time,X\n" + "".join(f"{100 + step}.05,{step}\n" for step in range(2000))
    found = table(compared(lc1_motions__csv=shifted), "lc1_motions.csv")
    assert found.columns[0].cells == 2000
    assert found.rows_missing.number == found.rows_extra.number == 0


def test_the_json_form_has_the_place_and_is_json(
    compared: Callable[..., list[FileComparison]],
) -> None:
    import json

    files = compared(dm_main__csv=SUMMARY.replace("846.25\n,", "inf\n,"))
    content = json.loads(json.dumps(as_json(Outcome("A", "B", tuple(files))), allow_nan=False))
    assert content["schema"] == "digitalmodel-optimizer/validate/1"
    assert content["equal"] is False
    (file,) = content["files"]
    assert file["table"]["first"] == {
        "row": "lc3",
        "line": 4,
        "column": "T_max",
        "left": "846.25",
        "right": "inf",
    }
    assert file["table"]["columns"][0]["absolute"] is None

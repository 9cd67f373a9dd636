"""A file's tables travel as bytes, and the tables of a batch have one copy of their names."""

from __future__ import annotations

from digitalmodel_optimizer.tables.payload import EngineOutput, FileTables, unpacked
from digitalmodel_optimizer.tables.row_tables import OneRow


def tables(number: float) -> FileTables:
    names = tuple(f"{part}" for part in ("file", "stem"))  # new ones for each
    row = OneRow(names, (f"{number}.sim", f"{number}"), ("heave",), (number,))
    return FileTables(summary={"motions": row}, records={"time_series": [number], "n": number})


def test_tables_come_back_as_they_were() -> None:
    files = [tables(1.0), tables(2.0), FileTables(), FileTables(summary={"m": 1}, linked={"l": 2})]
    assert list(unpacked(map(EngineOutput.of, files))) == files


def test_names_are_one_copy_for_all_files() -> None:
    rows = [
        file.summary["motions"] for file in unpacked(EngineOutput.of(tables(n)) for n in (1, 2))
    ]
    assert rows[0].names is rows[1].names
    assert rows[0].added_names is rows[1].added_names
    assert rows[0].values != rows[1].values


def test_it_is_known_without_unpacking_which_lists_were_begun() -> None:
    assert EngineOutput.of(tables(1.0)).begun == ("time_series",)
    assert EngineOutput.of(FileTables()).begun == ()

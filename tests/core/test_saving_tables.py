"""The batch's tables at its end: as the host saves them, and a bad one costs itself only."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pandas = pytest.importorskip("pandas")

from digitalmodel_optimizer.plugin import FileResult, OutputError, SimulationFile
from digitalmodel_optimizer.tables.payload import EngineOutput, FileTables
from digitalmodel_optimizer.tables.save import save_merged, save_partial


class Tables:
    """A host's summaries or linked statistics: one CSV a label, the first that fails ends all."""

    def __init__(self, fail: Any = None) -> None:
        self.fail = fail
        self.saved: list[list[str]] = []

    def add_file_result_to_all_results(self, so_far: Any, more: Any) -> Any:
        if not so_far:
            return {label: table.copy() for label, table in more.items()}
        for label, table in more.items():
            so_far[label] = pandas.concat([so_far[label], table], ignore_index=True)
        return so_far

    def save(self, tables: Any, cfg: Any) -> None:
        self.saved.append(list(tables or ()))
        for label, table in (tables or {}).items():
            name = f"{cfg['Analysis']['file_name']}_{label}.csv"
            path = os.path.join(cfg["Analysis"]["result_folder"], name)
            if self.fail is not None:
                self.fail(label, path)
            table.loc[len(table)] = "statistics"  # in place, as the host's
            table.to_csv(path, index=False)

    save_summary = save_linked_statistics = save


def results(*labels: str, files: int = 2) -> list[FileResult]:
    return [
        FileResult(
            SimulationFile(number, f"{number}.sim", 0),
            payload=EngineOutput.of(
                FileTables(
                    summary={label: pandas.DataFrame({"x": [f"{number}"]}) for label in labels},
                    linked={"linked": pandas.DataFrame({"y": [f"{number}"]})},
                )
            ),
        )
        for number in range(files)
    ]


def save(folder: Path, summary: Tables, *labels: str, file_name: str = "batch") -> Tables:
    folder.mkdir(exist_ok=True)
    linked = Tables()
    analysis = {"result_folder": str(folder), "file_name": file_name}
    cfg = {"Analysis": analysis, "meta": {"basename": "b"}, "b": {}}
    host: Any = SimpleNamespace(summary=summary, linked=linked)
    try:
        save_merged(host, SimpleNamespace(), cfg, results(*labels), str(folder / ".staging"))
    finally:
        assert analysis["result_folder"] == str(folder)
    return linked


def written(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.glob("*.csv")}


WHOLE = "x\n0\n1\nstatistics\n"
LINKED = {"batch_linked.csv": "y\n0\n1\nstatistics\n"}


def test_all_tables_are_saved_at_once_as_the_host_does_it(tmp_path: Path) -> None:
    summary = Tables()
    save(tmp_path, summary, "a", "b")
    assert summary.saved == [["a", "b"]]
    assert written(tmp_path) == {"batch_a.csv": WHOLE, "batch_b.csv": WHOLE, **LINKED}


def save_those_done(folder: Path, summary: Tables, *labels: str) -> tuple[list[str], list[str]]:
    analysis = {"result_folder": str(folder), "file_name": "batch"}
    cfg = {"Analysis": analysis, "meta": {"basename": "b"}, "b": {}}
    before = {key: dict(value) for key, value in cfg.items()}
    host: Any = SimpleNamespace(summary=summary, linked=Tables())
    saved = save_partial(host, cfg, results(*labels), str(folder / ".staging"))
    assert cfg == before
    return saved


def test_tables_of_a_batch_that_has_not_come_to_its_end_have_names_of_their_own(
    tmp_path: Path,
) -> None:
    saved, faults = save_those_done(tmp_path, Tables(half_written), "a", "bad")
    assert saved == [str(tmp_path / f"batch_{name}.partial.csv") for name in ("a", "linked")]
    assert [fault.partition(" ")[0] for fault in faults] == [
        str(tmp_path / "batch_bad.partial.csv")
    ]
    assert written(tmp_path) == {
        "batch_a.partial.csv": WHOLE,
        "batch_linked.partial.csv": LINKED["batch_linked.csv"],
    }


def test_whole_tables_take_the_place_of_partial_ones(tmp_path: Path) -> None:
    save_those_done(tmp_path, Tables(), "a")
    save(tmp_path, Tables(), "a")
    assert written(tmp_path) == {"batch_a.csv": WHOLE, **LINKED}


def half_written(label: str, path: str) -> None:
    if label == "bad":
        Path(path).write_text("half a table")
        raise ValueError("no number")


def too_long(label: str, _path: str) -> None:
    if label == "bad":
        raise OSError(errno.ENAMETOOLONG, "File name too long")


@pytest.mark.parametrize("fail", [half_written, too_long])
@pytest.mark.parametrize("labels", [("bad", "a", "b"), ("a", "bad", "b"), ("a", "b", "bad")])
def test_a_table_that_cannot_be_saved_costs_itself_and_is_named(
    tmp_path: Path, fail: Any, labels: tuple[str, ...]
) -> None:
    with pytest.raises(OutputError) as error:
        save(tmp_path, Tables(fail), *labels)
    assert f"{tmp_path / 'batch_bad.csv'} cannot be written" in str(error.value)
    assert written(tmp_path) == {"batch_a.csv": WHOLE, "batch_b.csv": WHOLE, **LINKED}


@pytest.mark.parametrize("label", ["/../../evil", "/../../../evil", "x/../../../evil"])
def test_a_label_that_leads_elsewhere_costs_itself_and_writes_nothing(
    tmp_path: Path, label: str
) -> None:
    folder = tmp_path / "results"
    (folder / "batch_").mkdir(parents=True)
    (folder / "batch_x").mkdir()
    with pytest.raises(OutputError, match="rename the group") as error:
        save(folder, Tables(), "a", label)
    assert len(str(error.value).splitlines()) == 1
    assert written(folder) == {"batch_a.csv": WHOLE, **LINKED}
    assert not list(tmp_path.rglob("evil*"))


def test_a_name_of_the_batch_that_leads_elsewhere_writes_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="rename the group"):
        save(tmp_path / "results", Tables(), "a", file_name="../evil")
    assert not list(tmp_path.rglob("*evil*"))


def test_a_full_disk_ends_the_saving(tmp_path: Path) -> None:
    def full(_label: str, _path: str) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    summary = Tables(full)
    with pytest.raises(OutputError, match=r"cannot be written: .*No space left"):
        save(tmp_path, summary, "a", "b")
    assert summary.saved == [["a", "b"]]

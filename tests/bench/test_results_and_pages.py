"""Results are read as they were written, and tables and pages show what stands in them."""

from __future__ import annotations

import io
import json
import os
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from made_results import measured, result
from rich.console import Console

from digitalmodel_optimizer.bench.json_form import demand_writable, write_json
from digitalmodel_optimizer.bench.memory import MemoryResult, Point
from digitalmodel_optimizer.bench.page import write_page
from digitalmodel_optimizer.bench.results import SCHEMA, read_result
from digitalmodel_optimizer.bench.study_pages import write_memory_page
from digitalmodel_optimizer.bench.tables import cold_remarks, figures, floor_share_s
from digitalmodel_optimizer.plugin import OptimizerError

TIMES = {"engine": [3.0, 2.0, 2.2], "dynamic_auto": [0.5, 0.4, 0.42], "floor": [0.1, 0.1, 0.1]}


def test_a_result_is_read_as_it_was_written(tmp_path: Path) -> None:
    write_json(result(TIMES), tmp_path / "deeper" / "r.json")
    assert read_result(tmp_path / "deeper" / "r.json") == result(TIMES)


def damaged(**changes: object) -> str:
    return json.dumps({**asdict(result(TIMES)), **changes})


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "is not JSON"),
        ("[]", "no result of this version"),
        ('{"schema": "digitalmodel-optimizer-bench/0"}', "digitalmodel-optimizer-bench/0"),
        (json.dumps({"schema": SCHEMA}), "damaged: command is missing"),
        (damaged(suites="abc"), "damaged: suites is 'abc'"),
        (damaged(suites=[1]), r"damaged: suites\[0\] is 1"),
        (damaged(machine=[]), r"damaged: machine is \[\]"),
        (damaged(stand_in=None), "damaged: stand_in is None"),
        (None, "cannot be read"),
    ],
)
def test_what_is_no_result_is_refused_in_words(
    tmp_path: Path, content: str | None, said: str
) -> None:
    path = tmp_path / "r.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(OptimizerError, match=said):
        read_result(path)


def test_a_disk_that_is_full_keeps_the_earlier_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "r.json"
    write_json(result(TIMES), path)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(OSError, match="No space"):
        write_json({"schema": "new"}, path)
    assert read_result(path) == result(TIMES)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege on Windows")
def test_a_result_is_written_through_a_link_and_into_a_pipe(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    link = tmp_path / "r.json"
    link.symlink_to(tmp_path / "there" / "r.json")
    write_json(result(TIMES), link)
    assert link.is_symlink()
    assert read_result(tmp_path / "there" / "r.json") == result(TIMES)
    write_json(result(TIMES), Path(os.devnull))
    assert not Path(os.devnull).is_file()


@pytest.mark.parametrize("name", ["folder", "file/r.json"])
def test_where_nothing_can_be_written_is_known_before(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(OptimizerError, match="cannot be written: "):
        demand_writable(tmp_path / name)
    demand_writable(tmp_path / "deeper" / "r.json")
    assert not (tmp_path / "deeper" / "r.json").exists()


def shown(width: int = 80, **changes: object) -> str:
    console = Console(width=width, file=io.StringIO(), color_system=None)
    console.print(figures(result(TIMES, **changes)))
    return console.file.getvalue()


def test_the_table_tells_warm_medians_the_cold_round_and_ratios() -> None:
    times, resources = [
        line.split()[1:] for line in shown().splitlines() if line.startswith("dynamic_auto")
    ]
    # command against the engine's, command, loop against the engine's, loop, spread, cold, floor
    assert times == ["1.4", "4.41", "5.1", "0.410", "2%", "0.500", "8.2"]
    assert resources[0] == "1"


def test_the_table_fits_into_80_columns() -> None:
    assert max(len(line.rstrip()) for line in shown().splitlines()) <= 80


def test_the_floor_is_divided_by_cores_and_never_by_more_than_files() -> None:
    suite = result(TIMES).suites[0]
    assert floor_share_s(suite, 2) == pytest.approx(0.05)
    assert floor_share_s(suite, 64) == pytest.approx(0.1 / 4)


def test_a_difference_is_shown_with_its_place() -> None:
    from dataclasses import replace

    whole = result(TIMES)
    suite = replace(
        whole.suites[0], measured=(measured("engine", [1]), measured("x", [1], same=False))
    )
    console = Console(width=80, file=io.StringIO())
    console.print(figures(replace(whole, suites=(suite,))))
    said = console.file.getvalue()
    assert "x: DIFFERENT from engine: a.csv: from byte 3 on" in " ".join(said.split())
    assert "every output" not in said


def test_the_page_begins_with_the_result_and_needs_nothing_else(tmp_path: Path) -> None:
    write_page(result(TIMES), tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "<h1>1.4 times as fast, the whole command</h1>" in text
    assert text.index("Measured on a stand-in") < text.index("<svg")
    assert "<script" not in text
    assert text.count("<svg") == 3
    assert '<td class="text">dynamic_auto</td>' in text
    assert "x: left out, too small" in text
    assert 'class="cold"' in text
    assert len(text) < 100_000
    assert text.rstrip().endswith("</html>")


def test_a_first_round_that_was_not_cold_is_said() -> None:
    whole = result(TIMES)
    (suite,) = whole.suites
    rounds = [replace(item, disk_read_mb=0.1) for item in suite.measured[0].rounds]
    kept = replace(suite.measured[0], rounds=tuple(rounds))
    suite = replace(suite, measured=(kept, *suite.measured[1:]))
    assert list(cold_remarks(suite)) == [
        "not cold, little came from a disk in the first round: engine"
    ]
    assert not list(cold_remarks(whole.suites[0])), "where the system does not tell"


def test_the_page_says_which_outputs_differ(tmp_path: Path) -> None:
    whole = result(TIMES)
    odd = measured("plain_joblib_2", [1.0, 1.0], same=False)
    suite = replace(whole.suites[0], measured=(*whole.suites[0].measured, odd))
    write_page(replace(whole, suites=(suite,)), tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "plain_joblib_2: a.csv: from byte 3 on" in text


def test_axes_of_studies_have_their_units(tmp_path: Path) -> None:
    points = tuple(
        Point(size_mb, name, 1, 500.0, 400.0, 1, 2.0, True)
        for size_mb in (4.0, 150.0)
        for name in ("engine", "workers_1")
    )
    study = MemoryResult("", "bench memory", {}, {}, points)
    write_memory_page(study, tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "size of each file, MB" in text
    assert "resident memory, MB" in text
    assert text.count("<svg") == 2

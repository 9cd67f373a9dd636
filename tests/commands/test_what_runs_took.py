"""``report``, ``history`` and ``baseline`` after runs of the real host's command."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import command
import planning_ahead
import pytest
from batches import backend, column, series, write
from host_process import STAND_IN, environment

from simulated_orcaflex import Faults

Call = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def batch(tmp_path: Path) -> Path:
    for number in range(4):
        write(tmp_path / "sim", f"lc_{number}", seed=number)
    (tmp_path / "sim" / "lc_bad.sim").write_bytes(b"no simulation")
    cfg = command.user_configuration(
        tmp_path,
        [("main", [column("x", "FST1", "X")])],
        [("motions", [series("x", "FST1", "X")])],
        parallel={"enabled": True, **backend("loky")},
    )
    return command.prepare(tmp_path, cfg)


@pytest.fixture
def variables(tmp_path: Path) -> dict[str, str]:
    return {"DIGITALMODEL_OPTIMIZER_HISTORY": str(tmp_path / "kept" / "history.sqlite3")}


@pytest.fixture
def call(tmp_path: Path, variables: dict[str, str]) -> Call:
    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return planning_ahead.call(tmp_path, *words, variables={**variables, "COLUMNS": "120"})

    return run


def test_runs_are_kept_compared_and_written_in_every_form(
    batch: Path, call: Call, variables: dict[str, str], tmp_path: Path
) -> None:
    for _ in range(4):
        done = command.run(batch, variables=variables)
        assert done.returncode == 1, done.stderr
    assert "3 comparable runs took" in " ".join(done.stderr.split())
    assert "digitalmodel-optimizer report 4 writes a page" in done.stderr
    listed = json.loads(call("history", "list", "--json", "dm_fsts.yml").stdout)
    assert [(run["id"], run["status"], run["files_failed"]) for run in listed] == [
        (number, "failed", 1) for number in range(1, 5)
    ]
    assert call("history", "list").stdout.count("dm_fsts.yml") == 4

    page = Path(call("report").stdout.strip())
    assert page == tmp_path / "run-4.html"
    text = page.read_text(encoding="utf-8")
    assert "lc_bad.sim" in text
    assert "Runs of this batch" in text
    facts = json.loads(Path(call("report", "2", "--as", "json").stdout.strip()).read_text())
    for record in facts["records"]:
        failed = record["file"].endswith("lc_bad.sim")
        assert record["outcome"] == ("not a simulation" if failed else "done")
        if not failed:
            assert record["began_s"] > 0
            assert 0 < record["load_s"] < record["total_s"]
            assert 0 < record["read_s"] < record["total_s"]
            assert 0 < record["write_s"] < record["total_s"]
            assert 0 < record["engine_s"] < record["total_s"]
            assert record["publish_s"] > 0
            assert record["worker"] != os.getpid()
            assert record["written_mb"] > 0
    rows = list(
        csv.DictReader(io.StringIO(Path(call("report", "--as", "csv").stdout.strip()).read_text()))
    )
    assert len(rows) == 5
    for form in ("jsonl", "trace.json"):
        assert Path(call("report", "--as", form).stdout.strip()).stat().st_size > 1000

    compared = call("history", "compare", "1", "4").stdout
    assert "load, all files" in compared
    shown = call("history", "show", "3").stdout
    assert "1 of 5 files failed" in shown
    assert Path(call("history", "page", "dm_fsts.yml").stdout.strip()).is_file()
    call("history", "export", "-o", "runs.csv")
    assert len(list(csv.DictReader(io.StringIO((tmp_path / "runs.csv").read_text())))) == 4
    assert (
        "0 runs removed, and the reports of 3 more"
        in call("history", "prune", "--keep-reports", "1").stdout
    )
    said = call("report", "2")
    assert said.returncode != 0
    assert "only its figures are kept" in said.stderr


def test_a_baseline_is_what_later_runs_are_set_against(
    batch: Path, call: Call, variables: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "sim" / "lc_bad.sim").unlink()
    before = sorted(path.name for path in tmp_path.iterdir())
    done = call("baseline", "dm_fsts.yml")
    assert done.returncode == 0, done.stderr
    assert "4 files," in done.stdout
    assert "kept as run 1, the baseline of dm_fsts.yml" in done.stdout
    assert sorted({*before, "kept"}) == sorted(path.name for path in tmp_path.iterdir())
    run = command.run(batch, variables=variables)
    assert "times as fast as the engine's own loop" in " ".join(run.stderr.split())


@pytest.mark.skipif(sys.platform == "win32", reason="kills as POSIX does")
def test_two_runs_at_once_and_one_that_is_killed(
    batch: Path, call: Call, variables: dict[str, str], tmp_path: Path
) -> None:
    """Of two batches that share the history; a third is killed in its middle and leaves nothing."""
    other = tmp_path / "other"
    for number in range(4):
        write(other / "sim", f"lc_{number}", seed=number, faults=Faults(load_s=0.2))
    cfg = command.user_configuration(
        other, [("main", [column("x", "FST1", "X")])], [], parallel={"enabled": True}
    )
    second = command.prepare(other, cfg)
    started = [
        subprocess.Popen(
            command.arguments(config),
            cwd=config.parent,
            env=environment(**STAND_IN, **variables),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        for config in (batch, second)
    ]
    assert [run.wait(60) for run in started] == [1, 0]
    killed = subprocess.Popen(
        command.arguments(second),
        cwd=other,
        env=environment(**STAND_IN, **variables),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    command.wait_for(lambda: list((other / "results").glob(".dmo-*")))
    os.killpg(killed.pid, signal.SIGKILL)
    killed.wait()
    assert json.loads(call("history", "list", "--json", "dm_fsts.yml").stdout)[0]["files"] == 5
    assert (
        json.loads(call("history", "list", "--json", "other/dm_fsts.yml").stdout)[0]["files"] == 4
    )
    listed = json.loads(call("history", "list", "--json").stdout)
    assert sorted(run["results_folder"] for run in listed) == [
        str(other / "results"), str(tmp_path / "results"),
    ]  # fmt: skip


def test_what_is_not_there_is_one_line(call: Call, tmp_path: Path) -> None:
    assert call("history", "list").stdout == "no runs are in the history\n"
    for words in (("report",), ("report", "7"), ("history", "show", "dm_fsts.yml")):
        done = call(*words)
        assert done.returncode != 0
        assert len(done.stderr.splitlines()) == 1
        assert "history list shows them" in done.stderr
    (tmp_path / "x.json").write_text("{}")
    assert "is no report of this release" in call("report", "x.json").stderr
    assert call("history", "prune").returncode == 2

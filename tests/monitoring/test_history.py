"""The history: runs that end at once, runs that are killed, and what is asked of it."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from facts import BEGAN_S, make_facts

from digitalmodel_optimizer.history import keeping
from digitalmodel_optimizer.history.comparing import as_csv, compare_runs
from digitalmodel_optimizer.history.store import (
    VARIABLE,
    History,
    HistoryError,
    comparable,
    default_path,
)

HERE = Path(__file__).parent


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path / "deep" / "history.sqlite3")


def facts_of(n: int, **changes: Any) -> dict[str, Any]:
    """The n-th run of a batch, an hour after the one before."""
    return make_facts(**{"files": 6, "began_s": BEGAN_S + 3600 * n, **changes})


def test_a_run_is_kept_whole_and_its_figures_can_be_listed(history: History) -> None:
    facts = facts_of(0, failed=1)
    number = history.add(facts)
    assert history.facts(number) == facts
    (run,) = history.runs()
    assert (run.id, run.status, run.files, run.files_failed) == (number, "failed", 6, 1)
    assert run.batch == "/study/dm_fsts.yml"
    assert run.mb_per_s == pytest.approx(run.size_read_mb / run.elapsed_s)
    if os.name == "posix":
        assert history.path.stat().st_mode & 0o077 == 0


def test_nothing_is_written_by_looking(history: History) -> None:
    assert history.runs() == []
    assert history.facts(1) is None
    assert not history.path.parent.exists()


def test_runs_of_a_batch_are_told_from_others(history: History) -> None:
    for n in range(5):
        history.add(facts_of(n, source=f"/study/{'ab'[n % 2]}.yml"))
    assert [run.began_s for run in history.runs("/study/a.yml")] == [
        BEGAN_S, BEGAN_S + 7200, BEGAN_S + 14400,
    ]  # fmt: skip
    assert len(history.runs("/study/results")) == 5
    assert [run.id for run in history.runs(last=2)] == [4, 5]


def test_runs_that_end_at_the_same_time_are_all_kept(history: History) -> None:
    with ThreadPoolExecutor(8) as pool:
        numbers = list(pool.map(lambda n: History(history.path).add(facts_of(n)), range(40)))
    assert sorted(numbers) == list(range(1, 41))
    assert len(history.runs()) == 40


def test_a_run_that_is_killed_while_it_writes_costs_nothing(tmp_path: Path) -> None:
    """Writers are killed at any moment; what is there afterwards is whole, and goes on."""
    path = tmp_path / "history.sqlite3"
    code = (
        "import sys; sys.path.insert(0, sys.argv[2]); from facts import make_facts\n"
        "from pathlib import Path; from digitalmodel_optimizer.history.store import History\n"
        "h = History(Path(sys.argv[1])); f = make_facts(300)\n"
        "while True: print(h.add(f), flush=True)"
    )
    last = 0
    for pause_s in (0.0, 0.013, 0.031):
        writer = subprocess.Popen(
            [sys.executable, "-c", code, str(path), str(HERE)], stdout=subprocess.PIPE, text=True
        )
        assert writer.stdout is not None
        first = int(writer.stdout.readline())
        time.sleep(pause_s)
        writer.kill() if sys.platform == "win32" else writer.send_signal(signal.SIGKILL)
        said = [first, *map(int, writer.communicate()[0].split())]
        assert first > last
        last = said[-1]
        runs = History(path).runs()
        assert {run.id for run in runs} >= set(said), "what was said to be kept is kept"
        assert all(len(History(path).facts(run.id)["records"]) == 300 for run in runs)  # type: ignore[index]
    with contextlib.closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_later_releases_history_is_left_alone(history: History) -> None:
    history.add(facts_of(0))
    with contextlib.closing(sqlite3.connect(history.path)) as database:
        database.execute("PRAGMA user_version = 99")
    before = history.path.read_bytes()
    with pytest.raises(HistoryError, match="written by a later release"):
        history.add(facts_of(1))
    assert history.path.read_bytes() == before


def test_what_is_no_history_is_said_and_left_alone(history: History) -> None:
    history.path.parent.mkdir()
    history.path.write_text("a note of mine, long enough to be taken for a database of some kind")
    with pytest.raises(HistoryError, match="cannot be used"):
        history.add(facts_of(0))
    assert history.path.read_text().startswith("a note of mine")


def test_pruning_keeps_figures_baselines_and_what_is_recent(history: History) -> None:
    history.add(facts_of(0), kind="baseline")
    for n in range(1, 7):
        history.add(facts_of(n))
    assert history.prune(reports=2) == (0, 4)
    kept = [run.id for run in history.runs() if history.facts(run.id) is not None]
    assert kept == [1, 6, 7]
    assert history.prune(before_s=BEGAN_S + 3600 * 4) == (4, 0)
    assert [run.id for run in history.runs()] == [5, 6, 7]


def test_only_like_is_compared_with_like(history: History) -> None:
    new = facts_of(9)
    history.add(facts_of(0))
    history.add(facts_of(1, files=3))  # fewer files were read
    history.add(facts_of(2, interrupted=True))
    history.add(facts_of(3), kind="baseline")
    history.add(facts_of(4, file_s=0.9))  # as many files, only slower
    assert [run.id for run in comparable(history.runs(), new)] == [1, 5]


def test_a_run_is_set_against_those_before(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(history.path))
    new = facts_of(9)
    for n in range(2):
        history.add(facts_of(n))
    assert keeping.look_back(new) is None, "two runs are no median"
    history.add(facts_of(3, file_s=1.0))
    found = keeping.look_back(new)
    assert found is not None
    assert found["runs"] == 3
    assert found["median_s"] == pytest.approx(new["elapsed_s"])
    assert found["most_s"] > 1.8 * found["median_s"]


def test_a_history_that_cannot_be_kept_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv(VARIABLE, str(tmp_path / "file" / "history.sqlite3"))
    facts = facts_of(0)
    keeping.keep(facts)
    assert facts["run"] is None
    assert "cannot be used" in facts["warnings"][-1]


def test_it_can_be_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "off")
    assert default_path() is None
    facts = facts_of(0)
    keeping.keep(facts)
    assert facts["run"] is None


def test_two_runs_side_by_side(history: History) -> None:
    both = [facts_of(0), facts_of(1, file_s=1.0, decisions=("backend loky", "something else"))]
    numbers = [history.add(facts) for facts in both]
    compared = compare_runs(*history.runs(), *both)
    assert compared["runs"] == [f"run {number}" for number in numbers]
    rows = {row["what"]: row for row in compared["rows"]}
    assert rows["loop"]["change"].startswith("+9")
    assert rows["load, all files"]["change"] == "+100%"
    assert rows["files read"]["change"] == ""
    assert "only run 2: something else" in compared["sentences"]
    assert as_csv(history.runs()).count("\n") == 3

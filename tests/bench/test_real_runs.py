"""The real host on a tiny batch: outputs compared, counts exact, a planted regression caught."""

from __future__ import annotations

import csv
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from tiny_runs import again, dmo, snapshot

from digitalmodel_optimizer.bench.batches import Batch, BenchError, made_batch
from digitalmodel_optimizer.bench.comparing import compare_results
from digitalmodel_optimizer.bench.configurations import ENGINE, kept
from digitalmodel_optimizer.bench.results import Measured, Result, read_result
from digitalmodel_optimizer.bench.running import Bench, _full
from digitalmodel_optimizer.bench.suites import chosen_suites

FILES = 3


def item(result: Result, name: str) -> Measured:
    found = result.suites[0].get(name)
    assert found is not None
    return found


def test_every_configuration_writes_the_engines_bytes(counted: Result) -> None:
    suite = counted.suites[0]
    assert suite.reference == "engine"
    assert {one.name: one.differences for one in suite.measured} == {
        "engine": (),
        "plain_joblib_1": (),
        "plain_joblib_2": (),
        "workers_2": (),
        "floor": (),
        "floor_2": (),
    }
    outputs = {one.name: one.counts.output_files for one in suite.measured}
    assert outputs == {
        "engine": 11,
        "plain_joblib_1": 11,
        "plain_joblib_2": 11,
        "workers_2": 11,
        "floor": 10,
        "floor_2": 10,
    }


def test_the_floor_asks_least(counted: Result) -> None:
    calls = {one.name: one.counts.native_calls for one in counted.suites[0].measured}
    totals = {name: sum(by_name.values()) for name, by_name in calls.items()}
    assert min(totals.values()) == totals["floor"] <= totals["floor_2"]
    periods = 2  # the whole simulation and the static state
    assert calls["floor"]["C_GetMultipleTimeHistoriesW"] == FILES * periods
    assert "C_GetTimeHistory2W" not in calls["floor"]
    for name, by_name in calls.items():
        assert by_name["C_LoadSimulationW"] == FILES, name


def test_of_a_batch_whose_results_are_kept_only_so_many_files_are_read(
    tiny: Batch, tmp_path: Path
) -> None:
    bench = Bench(tiny, tmp_path / "work")
    bench.run(ENGINE)
    for again_ in (0, 1):
        once = bench.run(kept(again_))
        assert once.differences == ()
        assert once.run.report is not None
        assert once.run.report["files_read"] == again_
    with pytest.raises(BenchError, match=f"{FILES} files have time series"):
        bench.run(kept(FILES + 1))


def test_worker_processes_are_counted_too(counted: Result) -> None:
    """Plain joblib asks in its workers what the engine asks in one process."""
    engine, joblib = (item(counted, n).counts.native_calls for n in ("engine", "plain_joblib_2"))
    assert joblib["C_GetTimeHistory2W"] == engine["C_GetTimeHistory2W"] > 0


def test_counts_repeat_exactly(counted: Result, tiny: Batch, tmp_path: Path) -> None:
    second = again(tiny, tmp_path)
    assert item(second, "workers_2").counts == item(counted, "workers_2").counts
    assert not any(finding.bad for finding in compare_results(counted, second))


def test_a_regression_planted_in_the_plugins_is_caught(
    counted: Result, tiny: Batch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without result-extraction every column is asked for by itself again."""
    monkeypatch.setenv("DIGITALMODEL_OPTIMIZER_BLOCK", "result-extraction")
    worse = again(tiny, tmp_path, rounds=1)
    (finding,) = [found for found in compare_results(counted, worse) if found.bad]
    assert finding.configuration == "workers_2"
    assert "C_GetTimeHistory2W" in finding.words
    (timed,) = item(worse, "workers_2").rounds
    assert timed.cold
    assert timed.workers == 2
    assert timed.processes >= 3
    assert timed.memory_mb > timed.worker_mb > 50
    assert 0 < timed.loop_s < timed.process_s
    assert timed.cpu_s > 0
    if sys.platform.startswith("linux"):
        assert timed.read_mb > 3 * 0.7
        assert timed.written_mb > 0


def test_the_floor_is_timed_beside_any_other(tiny: Batch, tmp_path: Path) -> None:
    """Times are compared as multiples of it; for that the engine's own loop need not run."""
    timed = again(tiny, tmp_path, "workers_1,floor", rounds=1, counts=False)
    assert [len(one.rounds) for one in timed.suites[0].measured] == [1, 1]
    assert timed.same


def test_batches_are_made_once_and_kept(tiny: Batch, tmp_path: Path) -> None:
    (suite,) = chosen_suites("guard", 2)
    said: list[str] = []
    first = made_batch(suite, tmp_path, said.append)
    times = first.state()
    assert made_batch(suite, tmp_path, said.append).state() == times
    assert len(said) == 2
    first.files[0].write_bytes(b"cut off")
    assert made_batch(suite, tmp_path, said.append).sizes_mb == (0.7, 0.7)


def test_the_many_columns_of_a_wide_batch_are_ones_that_the_host_reads(tmp_path: Path) -> None:
    (suite,) = chosen_suites("wide", 1)
    few = replace(suite, sizes_mb=(0.7,), duration_s=20.0, further_columns=8, each_nth=20)
    bench = Bench(made_batch(few, tmp_path / "batches", lambda _: None), tmp_path / "work")
    bench.run(ENGINE)
    for table, rows in (("wide_wide.csv", 9), ("wide_lc00001_wide.csv", 201)):
        path = next(tmp_path.rglob(table))
        with path.open(newline="") as stream:
            content = list(csv.DictReader(stream))
        values = [content[0][name] for name in content[0] if "_Z_" in name]
        assert (len(values), len(content)) == (4, rows)
        assert len({float(value) for value in values}) == 4


def test_a_disk_that_is_too_small_is_said_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = SimpleNamespace(total=1, used=1, free=1_000_000)
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage)
    (suite,) = chosen_suites("large")
    with pytest.raises(BenchError, match=r"\d{4} MB .* 1 MB are free"):
        made_batch(suite, tmp_path, lambda _: None)


def test_a_run_that_fails_says_what_the_host_printed(tiny: Batch, tmp_path: Path) -> None:
    broken = replace(tiny, config=tiny.config.replace(b"Command: TimeHistory", b"Command: Nothing"))
    with pytest.raises(BenchError, match=r"guard, engine: ended with status 1:(?s:.)*Error"):
        again(broken, tmp_path, "engine")


def test_a_disk_without_room_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not _full(tmp_path)
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=0))
    assert _full(tmp_path) == f"; the disk of {tmp_path} is full"


def test_a_users_own_batch_is_only_read(tiny: Batch, tmp_path: Path) -> None:
    from digitalmodel_optimizer.demo.study import DM_FSTS, write_configuration, write_files

    mine = tmp_path / "mine"
    study = replace(DM_FSTS, files=2, file_mb=0.7, duration_s=20.0)
    list(write_files(study, mine / "simulations"))
    write_configuration(mine, study, enabled=False, files="simulations")
    before = snapshot(mine)
    folders = sorted(mine.rglob("*"))
    words = ("--configurations", "engine,full", "--rounds", "0", "--json", "../found.json")
    done = dmo(mine, "--config", "dm_fsts.yml", "--files", "simulations", *words)
    assert done.returncode == 0, done.stdout + done.stderr
    assert snapshot(mine) == before
    assert sorted(mine.rglob("*")) == folders
    result = read_result(tmp_path / "found.json")
    assert [one.name for one in result.suites[0].measured] == ["engine", "dynamic_auto"]
    assert result.same
    assert max(map(len, done.stdout.splitlines())) <= 80


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--suite", "smal"], "did you mean small?"),
        (["--configurations", "dynamic"], "did you mean dynamic_auto?"),
        (["--files", "."], "--files needs --config"),
        (["--config", "no.yml"], "no.yml cannot be read"),
        (["--config", "empty.yml"], "empty.yml is not a settings file"),
        (["--config", "good.yml"], "there are no .sim files for good.yml in"),
        (["--config", "good.yml", "--files", "nowhere"], "there is no folder"),
        (["--config", "good.yml", "--files", "sim"], "no base configuration for orcaflex_post"),
        (["--compare", "good.yml"], "good.yml is not JSON"),
        (["--json", "sim"], "sim cannot be written: it is a folder"),
        (["--json", "good.yml/r.json"], "good.yml/r.json cannot be written"),
        (["--page", "good.yml/r.html"], "good.yml/r.html cannot be written"),
        (["--rounds", "0", "--no-counts"], "measures nothing"),
        (["--config", "good.yml", "--scale", "2"], "--scale is for made batches"),
        (["scaling", "--json", "sim"], "sim cannot be written: it is a folder"),
        (["scaling", "--runs", "good.yml"], "good.yml is not JSON"),
        (["memory", "--sizes", "", "--no-budget"], "there is nothing to measure"),
        (["memory", "--workers", "1.5"], "--workers takes whole numbers"),
        (["memory", "--sizes", "4,big"], "--sizes takes numbers above 0"),
        (["scaling", "--disk", "0"], "--disk takes numbers above 0"),
    ],
)
def test_a_slip_is_one_line(tmp_path: Path, words: list[str], said: str) -> None:
    (tmp_path / "empty.yml").write_text("")
    (tmp_path / "good.yml").write_text("meta: {basename: orcaflex_post_process}\n")
    (tmp_path / "sim").mkdir()
    (tmp_path / "sim" / "a.sim").touch()
    done = dmo(tmp_path, *words)
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr


def test_options_before_a_command_that_has_its_own_are_not_passed_over(tmp_path: Path) -> None:
    done = dmo(tmp_path, "--json", "r.json", "memory", "--sizes", "", "--no-budget")
    assert done.returncode == 2
    assert "--json is an option of bench itself" in done.stderr

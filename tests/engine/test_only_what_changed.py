"""Results that are kept from run to run: what is read again and what is not, and what is said."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import command
import pytest
from batches import backend, column, configuration, series, write, write_bad
from host_process import HostProcess, Outcome, csv_files, first_difference, hashes, read_tree
from test_plugins_of_others import run as run_with_plugin

SUMMARY = [("main", [column("x", "FST1", "X"), column("y", "FST2", "Y")])]
SERIES = [("motions", [series("x", "FST1", "X")])]
CACHE = {"use_processes": False, "cache": True}
FOLDER = ".dmo-cache"
HOUR_NS = 3_600_000_000_000
REPORT = "DIGITALMODEL_OPTIMIZER_REPORT"


def make_old(path: Path) -> Path:
    """As if it had been simulated an hour ago."""
    written = path.stat().st_mtime_ns
    os.utime(path, ns=(written - HOUR_NS, written - HOUR_NS))
    return path


@pytest.fixture
def sims(tmp_path: Path) -> list[Path]:
    return [make_old(write(tmp_path / "sim", f"case_{k}", seed=k, size_mb=0.3)) for k in range(4)]


class Batch:
    """One batch in one results folder, run again and again."""

    def __init__(self, host: HostProcess, plain: HostProcess, root: Path) -> None:
        self.host, self.plain, self.root = host, plain, root

    def run(self, files: list[Path], *args: Any, **parallel: Any) -> tuple[Outcome, dict[str, Any]]:
        """Outcome and report; every table has the bytes of the engine's own loop."""
        groups = args or (SUMMARY, SERIES)
        expected = self.plain.run(configuration(self.root / "plain", files, *groups))
        assert expected.error is None
        cfg = configuration(self.root / "ours", files, *groups, parallel={**CACHE, **parallel})
        Path(cfg["Analysis"]["result_folder"]).mkdir(parents=True, exist_ok=True)
        report = self.root / "report.json"
        found = self.host.run_again(cfg, **{REPORT: str(report)})
        assert found.error is None, found.output[-3000:]
        tables = csv_files(found.files)
        wanted = csv_files(expected.files)
        assert first_difference(wanted, {k: v for k, v in tables.items() if k in wanted}) is None
        return found, json.loads(report.read_text())

    def read(self, files: list[Path], *args: Any, **parallel: Any) -> dict[str, int]:
        """Why files were read in another run, and how many."""
        found, report = self.run(files, *args, **parallel)
        because: dict[str, int] = report["read_because"]
        assert sum(because.values()) == report["files_read"]
        assert report["files_reused"] == len(files) - report["files_read"]
        # A file that started from a wrong guess is loaded once more.
        loads = found.calls("C_LoadSimulationW")
        assert loads >= len(because) if because else loads == 0
        return because

    @property
    def cache(self) -> Path:
        return self.root / "ours" / "results" / FOLDER


@pytest.fixture
def batch(plugin_host: HostProcess, plain_host: HostProcess, tmp_path: Path) -> Batch:
    return Batch(plugin_host, plain_host, tmp_path)


def test_an_unchanged_batch_loads_no_model_and_gives_the_same_bytes(
    batch: Batch, sims: list[Path]
) -> None:
    before = hashes(sims)
    assert batch.read(sims) == {"not in the cache": 4}
    for _ in range(2):
        found, report = batch.run(sims)
        assert found.calls("C_LoadSimulationW") == 0
        assert (report["files_reused"], report["files_read"]) == (4, 0)
        assert "4 files unchanged, taken from the cache" in found.output
    assert hashes(sims) == before


def test_it_is_off_unless_asked_for_and_leaves_no_file(batch: Batch, sims: list[Path]) -> None:
    for _ in range(2):
        found, report = batch.run(sims, cache=False)
        assert found.calls("C_LoadSimulationW") == 4
        assert report["files_reused"] == 0
    assert not list(batch.root.rglob(f"{FOLDER}*"))


def test_only_what_changed_is_read(batch: Batch, sims: list[Path], tmp_path: Path) -> None:
    batch.read(sims)
    make_old(write(tmp_path / "sim", "case_2", seed=50, size_mb=0.3))
    sims.append(make_old(write(tmp_path / "sim", "added", seed=51)))
    assert batch.read(sims) == {"the file has changed": 1, "not in the cache": 1}
    assert batch.read([sims[0], *sims[2:]]) == {}
    assert batch.read([sims[0], *sims[:0:-1]]) == {}


def test_an_output_that_is_gone_or_was_edited_is_made_again(batch: Batch, sims: list[Path]) -> None:
    batch.read(sims)
    results = batch.root / "ours" / "results"
    (results / "case_0_motions.csv").unlink()
    with (results / "case_1_motions.csv").open("a") as stream:
        stream.write("a note\n")
    (results / "batch_main.csv").unlink()
    assert batch.read(sims) == {"an output is missing or has changed": 2}
    assert batch.read(sims) == {}


def test_another_column_has_all_files_read_and_the_old_ones_are_still_there(
    batch: Batch, sims: list[Path]
) -> None:
    batch.read(sims, SUMMARY)
    more = [("main", [*SUMMARY[0][1], column("strut", "Strut1", "Connection Force")])]
    assert batch.read(sims, more) == {"the settings have changed": 4}
    assert batch.read(sims, more) == {}
    assert batch.read(sims, SUMMARY) == {}


def test_what_decides_no_number_has_nothing_read(batch: Batch, sims: list[Path]) -> None:
    batch.read(sims)
    assert batch.read(sims, threads=1, read_block_mb=8, plugins={"gc": False}) == {}


def test_files_behind_another_first_file_are_read_if_it_leaves_them_something_else(
    batch: Batch, tmp_path: Path
) -> None:
    """An open period keeps the first file's stop time for all others."""
    stops = (15.0, 20.0, 15.0)
    sims = [
        make_old(write(tmp_path / "sim", f"case_{k}", seed=k, stop_time_s=stop))
        for k, stop in enumerate(stops)
    ]
    batch.read(sims)
    other = "the files before it leave something else"
    assert batch.read(sims[1:]) == {other: 2}
    assert batch.read(sims[1:]) == {}
    make_old(write(tmp_path / "sim", "case_1", seed=1, stop_time_s=12.0))
    assert batch.read(sims[1:]) == {other: 1, "the file has changed": 1}
    with_same_stop = make_old(write(tmp_path / "sim", "case_3", seed=3, stop_time_s=12.0))
    assert batch.read([with_same_stop, sims[2]]) == {"not in the cache": 1}


def test_a_file_that_failed_is_read_in_every_run(
    plugin_host: HostProcess, sims: list[Path], tmp_path: Path
) -> None:
    sims.insert(1, make_old(write_bad(tmp_path / "sim", "bad", "text")))
    cfg = configuration(tmp_path / "ours", sims, SUMMARY, SERIES, parallel=CACHE)
    for loads in (4, 0):  # of what is no simulation the library is not asked
        found = plugin_host.run_again(cfg)
        assert found.error is not None
        assert found.error.startswith("FilesFailedError: 1 of 5 files failed")
        assert found.calls("C_LoadSimulationW") == loads


def test_a_file_that_was_touched_is_known_by_its_content_where_that_was_noted(
    batch: Batch, sims: list[Path], tmp_path: Path
) -> None:
    small = make_old(write(tmp_path / "sim", "small", seed=9))
    fresh = write(tmp_path / "sim", "fresh", seed=10, size_mb=0.3)
    files = [*sims, small, fresh]
    batch.read(files)
    for path in (small, fresh, sims[0]):
        os.utime(path, ns=(0, HOUR_NS))
    assert batch.read(files) == {"the file has changed": 1}


def test_verifying_reads_the_whole_content(batch: Batch, sims: list[Path]) -> None:
    """A change between the blocks that a fingerprint looks at, with the old time set again."""
    batch.read(sims)
    unknown = "its whole content was not noted, so it cannot be verified"
    assert batch.read(sims, verify_inputs=True) == {unknown: 4}
    assert batch.read(sims, verify_inputs=True) == {}
    assert batch.read(sims) == {}
    content = bytearray(sims[1].read_bytes())
    content[100_000] ^= 0xFF
    before = sims[1].stat()
    with sims[1].open("r+b") as stream:
        stream.write(content)
    os.utime(sims[1], ns=(before.st_atime_ns, before.st_mtime_ns))
    assert batch.read(sims) == {}, "this is what a fast fingerprint cannot see"
    assert batch.read(sims, verify_inputs=True) == {"the file has changed": 1}


def test_a_folder_of_the_users_choice_keeps_several_batches(
    batch: Batch, sims: list[Path], tmp_path: Path
) -> None:
    plugins = {"result-cache": {"folder": str(tmp_path / "kept")}}
    batch.read(sims, SUMMARY, plugins=plugins)
    batch.read(sims[:2], [("other", SUMMARY[0][1])], plugins=plugins)
    assert batch.read(sims, SUMMARY, plugins=plugins) == {}
    assert batch.read(sims[:2], [("other", SUMMARY[0][1])], plugins=plugins) == {}
    assert not batch.cache.exists()
    assert (tmp_path / "kept" / "results.journal").is_file()


def test_a_folder_that_is_a_link_is_not_used_and_said(batch: Batch, sims: list[Path]) -> None:
    batch.read(sims)
    elsewhere = batch.root / "elsewhere"
    batch.cache.rename(elsewhere)
    batch.cache.symlink_to(elsewhere)
    before = read_tree(elsewhere)
    found, report = batch.run(sims)
    assert found.calls("C_LoadSimulationW") == 4
    assert report["files_reused"] == 0
    assert any("results are not kept there: it is a link" in text for text in found.warnings)
    assert read_tree(elsewhere) == before


def test_a_damaged_entry_costs_its_own_file(batch: Batch, sims: list[Path]) -> None:
    batch.read(sims)
    journal = batch.cache / "results.journal"
    content = bytearray(journal.read_bytes())
    content[len(content) // 2] ^= 0xFF
    journal.write_bytes(content)
    assert batch.read(sims) == {"not in the cache": 1}
    assert batch.read(sims) == {}


# -- the command ---------------------------------------------------------------------------------


RECORDER = """
import os

def tell(*words):
    with open(os.environ["RECORD"], "a") as stream:
        print(*words, file=stream)

@hookimpl
def optimizer_prewarm(files):
    tell("prewarm", len(files))

@hookimpl
def optimizer_executor(schedule):
    tell("executor", len(schedule.order))
"""


def test_where_nothing_changed_no_worker_is_started(tmp_path: Path) -> None:
    files = [make_old(write(tmp_path / "sim", f"case_{k}", seed=k)) for k in range(4)]
    parallel = {"enabled": True, "cache": True, **backend("loky")}
    cfg = command.user_configuration(tmp_path, SUMMARY, SERIES, parallel=parallel)
    config = command.prepare(tmp_path, cfg)
    record, report = tmp_path / "record.txt", tmp_path / "report.json"
    record.touch()
    variables = {"RECORD": str(record), REPORT: str(report)}
    done = run_with_plugin(config, RECORDER, **variables)
    assert done.returncode == 0, done.stderr[-3000:]
    assert record.read_text().split("\n") == ["prewarm 4", "executor 4", ""]

    site = str(tmp_path / "site")
    record.write_text("")
    done = command.run(config, variables={"PYTHONPATH": site, **variables})
    assert done.returncode == 0, done.stderr[-3000:]
    assert record.read_text() == ""
    content = json.loads(report.read_text())
    assert (content["files_reused"], content["files_read"], content["backend"]) == (4, 0, "none")
    assert "worker" not in done.stderr.partition("digitalmodel-optimizer:")[2]

    make_old(write(tmp_path / "sim", "case_1", seed=60))
    files[2].unlink()
    done = command.run(config, variables={"PYTHONPATH": site, **variables})
    assert done.returncode == 0, done.stderr[-3000:]
    assert record.read_text().split("\n") == ["prewarm 1", "executor 1", ""]
    ours = csv_files(read_tree(tmp_path / "results"))
    plain = command.run(config, variables={"DIGITALMODEL_OPTIMIZER": "off"})
    assert plain.returncode == 0
    assert first_difference(csv_files(read_tree(tmp_path / "results")), ours) is None


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_after_a_run_that_was_killed_all_is_kept(tmp_path: Path) -> None:
    """What it had finished is taken up, and kept with the rest."""
    for k in range(5):
        make_old(write(tmp_path / "sim", f"case_{k}", seed=k))
    parallel = {"enabled": True, "cache": True, **backend("loky")}
    cfg = command.user_configuration(tmp_path, SUMMARY, SERIES, parallel=parallel)
    config = command.prepare(tmp_path, cfg)
    slow = {"SIMULATED_ORCAFLEX_FAULTS": json.dumps({"load_s": 1.0})}
    running = command.Running(config, variables=slow)
    try:
        results = tmp_path / "results"
        workers = command.wait_for(
            lambda: len(list(results.glob("case_*_motions.csv"))) >= 2 and running.descendants()
        )
        running.process.kill()
        running.process.wait()
        command.wait_for(lambda: not [item for item in workers if item.is_running()], 15)
    finally:
        running.end()
        assert running.process.stdout is not None
        running.process.stdout.close()
    assert command.run(config).returncode == 0
    report = tmp_path / "report.json"
    done = command.run(config, variables={REPORT: str(report)})
    assert done.returncode == 0, done.stderr[-3000:]
    assert json.loads(report.read_text())["files_reused"] == 5
    ours = csv_files(read_tree(results))
    plain = command.run(config, variables={"DIGITALMODEL_OPTIMIZER": "off"})
    assert plain.returncode == 0
    assert first_difference(csv_files(read_tree(results)), ours) is None


# -- a cache of somebody else's ------------------------------------------------------------------


STRANGER = """
from pathlib import Path
from digitalmodel_optimizer.plugin import KeptResults

FOLDER = Path(__file__).parent / "shelf"

def place(file, batch):
    return FOLDER / f"{file.stem}-{hash(tuple(batch.conditions.items())) & 0}"

@hookimpl
def optimizer_reuse_results(batch, files):
    found = {f.index: place(f, batch) for f in files if place(f, batch).exists()}
    return KeptResults({index: path.read_bytes() for index, path in found.items()})

@hookimpl
def optimizer_keep_results(batch, results, record):
    FOLDER.mkdir(exist_ok=True)
    for result in results:
        place(result.file, batch).write_bytes(record(result))
"""


def test_a_plugin_of_somebody_else_can_keep_and_supply_results(tmp_path: Path) -> None:
    for k in range(3):
        make_old(write(tmp_path / "sim", f"case_{k}", seed=k))
    parallel = {"enabled": True, "cache": True, **backend("serial", **{"result-cache": False})}
    cfg = command.user_configuration(tmp_path, SUMMARY, SERIES, parallel=parallel)
    config = command.prepare(tmp_path, cfg)
    report = {REPORT: str(tmp_path / "report.json")}
    done = run_with_plugin(config, STRANGER, **report)
    assert done.returncode == 0, done.stderr[-3000:]
    first = csv_files(read_tree(tmp_path / "results"))
    # Records that are not what they were are looked at, whoever supplies them.
    (tmp_path / "site" / "shelf" / "case_1-0").write_bytes(b"no record")
    shelf = tmp_path / "site" / "shelf"
    (shelf / "case_2-0").write_bytes((shelf / "case_0-0").read_bytes())
    done = command.run(config, variables={"PYTHONPATH": str(tmp_path / "site"), **report})
    assert done.returncode == 0, done.stderr[-3000:]
    content = json.loads(Path(report[REPORT]).read_text())
    assert content["files_reused"] == 1
    assert content["read_because"] == {"what was kept cannot be used": 2}
    assert first_difference(first, csv_files(read_tree(tmp_path / "results"))) is None
    assert not (tmp_path / "results" / FOLDER).exists()

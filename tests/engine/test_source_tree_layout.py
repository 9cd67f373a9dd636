"""The layout of the host's current source tree: a pool of its own, and errors swallowed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import command
import pytest
import yaml
from batches import END_A, backend, column, series, write
from host_process import STAND_IN, environment, first_difference, read_tree

HOST = Path(__file__).with_name("source_tree_host")
SUMMARY = [
    {"Label": "main", "Columns": [
        column("x", "FST1", "X"),
        column("x_min", "FST1", "X", Statistic_Type="Min"),
        column("t", "Mooring1", "Effective Tension", **END_A),
        column("s", "Strut1", "Connection Force", "StaticResult"),
        column("unknown", "FST1", "No Such Result"),
    ]}
]  # fmt: skip
SERIES = [{"Label": "motions", "Columns": [series("x", "FST1", "X"), series("y", "FST2", "Y")]}]
POOL = {"enabled": True, "max_workers": 2}
NO_POOL = {"enabled": False}
Finished = subprocess.CompletedProcess


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Files that stop at different times, which shows what each of them started from."""
    for number, stop in enumerate((20.0, 25.0, 15.0)):
        write(tmp_path / "sim", f"case_{number}", seed=number, stop_time_s=stop)
    return tmp_path


def run(
    folder: Path,
    pool: dict[str, Any],
    parallel: dict[str, Any] | None,
    fails: bool = False,
    **variables: str,
) -> tuple[Finished[str], dict[str, bytes]]:
    shutil.rmtree(folder / "results", ignore_errors=True)
    cfg: dict[str, Any] = {
        "meta": {"library": "digitalmodel", "basename": "orcaflex_post_process"},
        "orcaflex": {"postprocess": {"summary": {"flag": True}, "time_series": {"flag": True}}},
        "file_management": {"flag": True},
        "parallel_processing": pool,
        "summary_settings": {"groups": SUMMARY},
        "time_series_settings": {"data": True, "groups": SERIES},
    }
    if parallel is not None:
        cfg["orcaflex"]["parallel"] = {"enabled": True, "progress": False, **parallel}
    (folder / "dm_fsts.yml").write_text(yaml.safe_dump(cfg, sort_keys=False))
    path = os.pathsep.join(filter(None, [str(HOST), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        [sys.executable, "-m", "digitalmodel", "dm_fsts.yml"],
        cwd=folder,
        env=environment(**STAND_IN, PYTHONPATH=path, **variables),
        capture_output=True,
        text=True,
        check=False,
        timeout=command.TIMEOUT_S,
    )
    assert done.returncode == int(fails), done.stderr[-3000:]
    return done, read_tree(folder / "results")


def processes(done: Finished[str]) -> set[str]:
    return set(re.findall(r"PROCESS (\d+)", done.stdout))


@pytest.mark.parametrize("pool", [POOL, NO_POOL], ids=["pool", "no pool"])
@pytest.mark.parametrize("name", ["serial", "loky"])
def test_the_plugins_write_what_the_loop_writes_with_its_pool_and_without(
    folder: Path, pool: dict[str, Any], name: str
) -> None:
    """With its pool every file starts afresh; without, the first one's stop time stays."""
    _, expected = run(folder, pool, None, DIGITALMODEL_OPTIMIZER="off")
    done, found = run(folder, pool, backend(name))
    assert len(expected) == 5
    assert first_difference(expected, found) is None
    assert "DISPLAY" not in done.stdout, "the engine's display ran beside ours"


def test_its_own_pool_is_left_alone_when_we_are_not_enabled(folder: Path) -> None:
    plain, expected = run(folder, POOL, None, DIGITALMODEL_OPTIMIZER="off")
    for parallel in (None, {"enabled": False}):
        done, found = run(folder, POOL, parallel)
        assert first_difference(expected, found) is None
        assert done.stdout.count("DISPLAY") == plain.stdout.count("DISPLAY") == 4
        assert 1 <= len(processes(done)) <= 2
        assert done.stderr == plain.stderr


def test_its_own_pool_does_not_run_when_we_are_enabled(folder: Path) -> None:
    done, _ = run(folder, POOL, {"use_processes": False})
    assert len(processes(done)) == 1


def test_a_failed_file_gets_its_log_in_the_results_folder_and_fails_the_command(
    folder: Path,
) -> None:
    _, expected = run(folder, NO_POOL, None, DIGITALMODEL_OPTIMIZER="off")
    (folder / "sim" / "case_bad.sim").write_bytes(b"no simulation")
    plain, tolerated = run(folder, NO_POOL, None, DIGITALMODEL_OPTIMIZER="off")
    beside = folder / "sim" / "case_bad.sim_error.log"
    assert beside.exists(), "the engine itself writes it beside the file"
    beside.unlink()
    assert first_difference(expected, tolerated) is None
    done, found = run(folder, NO_POOL, {"use_processes": False}, fails=True)
    assert first_difference(expected, found) is None
    assert "1 of 4 files failed" in done.stderr
    log = folder / "results" / "case_bad_error.log"
    assert "Traceback" in log.read_text()
    assert not list((folder / "sim").glob("*.log"))
    assert plain.returncode == 0

"""Workers that start beside the host's own imports: same bytes, and never left behind."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import command
import pytest
from batches import backend, column, series, write
from host_process import csv_files, first_difference, read_tree

SUMMARY = [("main", [column("x", "FST1", "X")])]
SERIES = [("motions", [series("x", "FST1", "X"), series("y", "FST2", "Y")])]
EARLY = {"enabled": True, **backend("loky")}
EARLY["plugins"]["hybrid-executor"]["early_workers"] = 2
TOLD = "2 started while the host was being imported"


def prepare(root: Path, parallel: dict[str, Any] = EARLY, **changes: Any) -> Path:
    for number in range(5):
        write(root / "sim", f"case_{number}", seed=number)
    cfg = command.user_configuration(root, SUMMARY, SERIES, parallel=parallel)
    return command.prepare(root, {**cfg, **changes})


def test_the_batch_takes_them_and_gives_the_same_bytes(tmp_path: Path) -> None:
    config = prepare(tmp_path)
    plain = command.run(config, variables={"DIGITALMODEL_OPTIMIZER": "off"})
    assert plain.returncode == 0
    expected = csv_files(read_tree(tmp_path / "results"))
    ours = command.run(config)
    assert ours.returncode == 0, ours.stderr[-3000:]
    assert TOLD in " ".join(ours.stderr.split())
    assert first_difference(expected, csv_files(read_tree(tmp_path / "results"))) is None


def test_an_argument_behind_the_file_counts(tmp_path: Path) -> None:
    config = prepare(tmp_path)
    serial = {"orcaflex": {"parallel": {"plugins": {"hybrid-executor": {"backend": "serial"}}}}}
    ours = command.run(config, repr(serial))
    assert ours.returncode == 0, ours.stderr[-3000:]
    assert TOLD not in " ".join(ours.stderr.split())


@pytest.mark.skipif(sys.platform == "win32", reason="finds processes as POSIX has them")
@pytest.mark.parametrize("fault", ["log_level", "settings"])
def test_they_end_with_a_host_that_never_comes_to_a_batch(tmp_path: Path, fault: str) -> None:
    changes = {"default": {"log_level": "no_such_level"}} if fault == "log_level" else {}
    parallel = {**EARLY, "threads": "lots"} if fault == "settings" else EARLY
    config = prepare(tmp_path, parallel, **changes)
    running = command.Running(config)
    try:
        seen = set(command.wait_for(running.descendants)) if fault == "log_level" else set()
        status, output = running.finish()
    finally:
        running.end()
    assert status != 0
    assert "Traceback" in output or "lots" in output
    assert not [process for process in seen if _is_alive(process)]


def _is_alive(process: Any) -> bool:
    import psutil

    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False

"""Ctrl-C and a parent that is killed: no orphans, nothing half-written, the next run goes on."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import command
import pytest
from batches import backend, column, series, write
from command import wait_for
from host_process import csv_files, first_difference, hashes, read_tree

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")

SUMMARY = [("main", [column("x", "FST1", "X")])]
SERIES = [("motions", [series("x", "FST1", "X"), series("y", "FST2", "Y")])]
SLOW = {"SIMULATED_ORCAFLEX_FAULTS": json.dumps({"load_s": 1.0})}
FILES = 7


def prepare(root: Path, name: str) -> tuple[Path, list[Path]]:
    files = [write(root / "sim", f"case_{number}", seed=number) for number in range(FILES)]
    parallel: dict[str, Any] = {"enabled": True, **backend(name)}
    cfg = command.user_configuration(root, SUMMARY, SERIES, parallel=parallel)
    return command.prepare(root, cfg), files


def finished(root: Path) -> list[Path]:
    return list((root / "results").glob("case_*_motions.csv"))


@pytest.mark.parametrize("name", ["loky", "threading"])
def test_after_ctrl_c_the_same_command_goes_on_and_gives_equal_bytes(
    tmp_path: Path, name: str
) -> None:
    config, files = prepare(tmp_path, name)
    before = hashes(files)
    running = command.Running(config, variables=SLOW)
    try:
        wait_for(lambda: len(finished(tmp_path)) >= 2)
        workers = running.descendants()
        running.press_ctrl_c()
        status, output = running.finish()
    finally:
        running.end()
    assert status == 130, output[-2000:]
    assert "Traceback" not in output
    assert "interrupted" in output
    wait_for(lambda: not [worker for worker in workers if worker.is_running()], 10)
    partial = csv_files(read_tree(tmp_path / "results"))
    assert 2 <= len(partial) < FILES
    assert "dm_fsts_main.csv" not in partial
    assert hashes(files) == before

    done = command.run(config)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "already finished by an interrupted run" in " ".join(done.stderr.split())
    resumed = csv_files(read_tree(tmp_path / "results"))
    assert not list((tmp_path / "results").glob(".dmo-*"))
    plain = command.run(config, variables={"DIGITALMODEL_OPTIMIZER": "off"})
    assert plain.returncode == 0
    expected = csv_files(read_tree(tmp_path / "results"))
    assert first_difference(expected, resumed) is None
    assert all(expected[key] == content for key, content in partial.items())


def test_workers_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    config, files = prepare(tmp_path, "loky")
    before = hashes(files)
    running = command.Running(config, variables=SLOW)
    try:
        workers = wait_for(lambda: len(finished(tmp_path)) >= 2 and running.descendants())
        running.process.kill()
        running.process.wait()
        wait_for(lambda: not [worker for worker in workers if worker.is_running()], 15)
    finally:
        for worker in running.descendants():
            worker.kill()
        running.end()
        assert running.process.stdout is not None
        running.process.stdout.close()
    assert hashes(files) == before


def test_a_run_that_was_killed_is_taken_up_when_the_list_of_files_has_changed(
    tmp_path: Path,
) -> None:
    config, files = prepare(tmp_path, "loky")
    running = command.Running(config, variables=SLOW)
    try:
        wait_for(lambda: len(finished(tmp_path)) >= 2)
        running.process.kill()
        running.process.wait()
    finally:
        for worker in running.descendants():
            worker.kill()
        running.end()
        assert running.process.stdout is not None
        running.process.stdout.close()
    done = {path.name.removesuffix("_motions.csv") for path in finished(tmp_path)}
    next(path for path in files if path.stem not in done).unlink()
    write(tmp_path / "sim", "added", seed=50)

    again = command.run(config)
    assert again.returncode == 0, again.stderr[-2000:]
    assert "already finished by an interrupted run" in " ".join(again.stderr.split())
    resumed = csv_files(read_tree(tmp_path / "results"))
    assert not list((tmp_path / "results").glob(".dmo-*"))
    plain = command.run(config, variables={"DIGITALMODEL_OPTIMIZER": "off"})
    assert plain.returncode == 0
    assert first_difference(csv_files(read_tree(tmp_path / "results")), resumed) is None

"""Where joblib has no pools (``JOBLIB_MULTIPROCESSING=0``): nothing hangs, nothing is lost."""

from __future__ import annotations

from pathlib import Path

import command
import pytest
from batches import backend, column, series, write
from host_process import csv_files, first_difference, read_tree

SUMMARY = [("main", [column("x", "FST1", "X")])]
SERIES = [("motions", [series("x", "FST1", "X")])]
WITHOUT = {"JOBLIB_MULTIPROCESSING": "0"}


def prepare(root: Path, parallel: dict[str, object]) -> Path:
    for number in range(3):
        write(root / "sim", f"case_{number}", seed=number)
    cfg = command.user_configuration(root, SUMMARY, SERIES, parallel={"enabled": True, **parallel})
    return command.prepare(root, cfg)


@pytest.mark.parametrize(
    ("parallel", "said"),
    [
        ({}, "backend loky"),
        ({"use_processes": False}, "backend serial: worker processes are switched off"),
    ],
    ids=["auto", "without processes"],
)
def test_a_batch_ends_with_the_hosts_bytes(
    tmp_path: Path, parallel: dict[str, object], said: str
) -> None:
    config = prepare(tmp_path, parallel)
    plain = command.run(config, variables={"DIGITALMODEL_OPTIMIZER": "off"})
    assert plain.returncode == 0
    expected = csv_files(read_tree(tmp_path / "results"))
    done = command.run(config, variables=WITHOUT)
    assert done.returncode == 0, done.stderr[-3000:]
    assert said in " ".join(done.stderr.split())
    assert first_difference(expected, csv_files(read_tree(tmp_path / "results"))) is None


def test_threads_that_are_asked_for_are_refused_with_the_reason(tmp_path: Path) -> None:
    config = prepare(tmp_path, backend("threading"))
    done = command.run(config, variables=WITHOUT)
    assert done.returncode == 2, done.stderr[-3000:]
    told = " ".join(done.stderr.split())
    assert "orcaflex.parallel.plugins.hybrid-executor.backend" in told
    assert "one by one in the host's own process" in told
    assert "Traceback" not in done.stderr

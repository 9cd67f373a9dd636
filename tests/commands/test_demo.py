"""``digitalmodel-optimizer demo``: every output is compared, and a difference is found."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from digitalmodel_optimizer.demo.batch import choose_studies
from digitalmodel_optimizer.measuring.compare import compare_outputs

Dmo = Callable[..., subprocess.CompletedProcess[str]]


def test_small_demo_prints_identical_for_every_output(dmo: Dmo, tmp_path: Path) -> None:
    done = dmo("demo", "--files", "3", "--size", "1", "--keep", "kept")
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    for name in ("dm_fsts", "dm_fsts_lngc"):
        written = {path.name for path in (tmp_path / "kept" / name / "results").glob("*.*")}
        assert len(written) == 11
        for output in written:
            assert any(line.startswith(f"identical  results/{output}") for line in lines), output
        assert f"11 of 11 output files of {name} have the same bytes" in lines
    assert "DIFFERENT" not in done.stdout
    assert "Measured on a stand-in" in done.stdout
    table = lines[-next(n for n, line in enumerate(reversed(lines), 1) if "process" in line) :]
    assert max(len(line) for line in table if not line.startswith("kept: ")) <= 80


def test_a_real_study_of_the_same_name_is_not_overwritten(dmo: Dmo, tmp_path: Path) -> None:
    real = tmp_path / "dm_fsts" / "sim" / "real.sim"
    real.parent.mkdir(parents=True)
    real.write_bytes(b"weeks of computing")
    done = dmo("demo", "--study", "dm_fsts", "--files", "2", "--size", "1", "--keep", ".")
    assert done.returncode == 1
    assert "dm_fsts is there already and was not made by the demo" in done.stderr
    assert real.read_bytes() == b"weeks of computing"


def test_a_folder_that_an_earlier_demo_left_is_used_again(dmo: Dmo, tmp_path: Path) -> None:
    words = ("demo", "--study", "dm_fsts", "--files", "1", "--size", "0.7", "--keep", "kept")
    for _ in range(2):
        done = dmo(*words)
        assert done.returncode == 0, done.stdout + done.stderr


def test_an_unknown_study_is_refused(dmo: Dmo) -> None:
    done = dmo("demo", "--study", "nonsense")
    assert done.returncode == 2
    assert "dm_fsts_lngc" in done.stderr


@pytest.mark.skipif(os.name == "nt", reason="SIGINT cannot be sent to one process there")
def test_ctrl_c_leaves_neither_folder_nor_process(tmp_path: Path) -> None:
    psutil = pytest.importorskip("psutil")
    command = "from digitalmodel_optimizer.commands import main; main()"
    child = subprocess.Popen(
        [sys.executable, "-c", command, "demo", "--files", "40", "--size", "2"],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    process = psutil.Process(child.pid)
    until = time.monotonic() + 60
    while time.monotonic() < until and not process.children():
        time.sleep(0.1)
    time.sleep(2)
    family = process.children(recursive=True)
    os.killpg(child.pid, signal.SIGINT)
    _, said = child.communicate(timeout=60)
    assert child.returncode == 130
    assert b"interrupted" in said
    assert not psutil.wait_procs(family, timeout=10)[1]
    assert not list(tmp_path.glob("digitalmodel-optimizer-*"))


def write(folder: Path, **files: bytes) -> Path:
    folder.mkdir()
    for name, content in files.items():
        (folder / name.replace("__", ".")).write_bytes(content)
    return folder


def test_differences_are_found_and_explained(tmp_path: Path) -> None:
    saved = b"Analysis:\n  start_time: 2026-01-01 10:00:00.%d\n  x: 1\n"
    engine = write(
        tmp_path / "a", s__csv=b"1,2", t__csv=b"1", only__csv=b"", c__yml=saved % 1, e__csv=b"x"
    )
    plugins = write(tmp_path / "b", s__csv=b"1,3", t__csv=b"1,", c__yml=saved % 2, e__csv=b"x")
    found = {item.name: item for item in compare_outputs(engine, plugins, frozenset())}
    assert {name: item.word for name, item in found.items()} == {
        "c.yml": "identical",
        "e.csv": "identical",
        "only.csv": "DIFFERENT",
        "s.csv": "DIFFERENT",
        "t.csv": "DIFFERENT",
    }
    assert found["s.csv"].why == "from byte 2 on"
    assert found["only.csv"].why == "not written by the plugins"
    assert "start time" in found["c.yml"].why


def test_more_than_the_start_time_differs_in_the_saved_configuration(tmp_path: Path) -> None:
    engine = write(tmp_path / "a", c__yml=b"A:\n  start_time: 2026-01-01 10:00:00\n  x: 1\n")
    plugins = write(tmp_path / "b", c__yml=b"A:\n  start_time: 2026-01-01 10:00:01\n  x: 2\n")
    assert [item.same for item in compare_outputs(engine, plugins, frozenset())] == [False]


def test_time_series_come_after_the_summaries(tmp_path: Path) -> None:
    names = {"lc1_forces__csv": b"", "dm_struts__csv": b""}
    engine, plugins = write(tmp_path / "a", **names), write(tmp_path / "b", **names)
    order = [item.name for item in compare_outputs(engine, plugins, frozenset({"lc1"}))]
    assert order == ["dm_struts.csv", "lc1_forces.csv"]


def test_default_studies_fit_on_a_small_disk() -> None:
    studies = choose_studies("both", None, None)
    assert sum(study.files * study.file_mb for study in studies) < 900

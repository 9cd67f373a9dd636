"""The example of a third-party plugin, installed as a stranger's would be, in spawned workers."""

from __future__ import annotations

import csv
import importlib.util
import os
import subprocess
import sys
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from host_process import STAND_IN, environment

from digitalmodel_optimizer.demo.study import DM_FSTS, write_configuration, write_files

EXAMPLE = Path(__file__).parents[2] / "examples" / "third-party-plugin"
TINY = replace(DM_FSTS, files=3, file_mb=0.5, duration_s=20.0)

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("digitalmodel.modules") is None, reason="needs the released host"
)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of packages that holds the example's distribution, entry points included."""
    folder = tmp_path_factory.mktemp("third-party")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=EXAMPLE, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


@dataclass(frozen=True)
class Done:
    """A run of the host that has ended."""

    pid: int
    returncode: int
    stdout: str
    stderr: str


def run(folder: Path, installed: Path, options: dict[str, object], backend: str) -> Done:
    """``python -m digitalmodel`` on a tiny batch, with the example among the plugins."""
    list(write_files(TINY, folder / "sim"))
    config = write_configuration(folder, TINY, enabled=True)
    plugins = {"file-times": options, "hybrid-executor": {"backend": backend}}
    literal = repr({"orcaflex": {"parallel": {"plugins": plugins}}})
    with subprocess.Popen(
        [sys.executable, "-m", "digitalmodel", config.name, literal],
        cwd=folder,
        env=environment(**STAND_IN, PYTHONPATH=os.fspath(installed)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as child:
        try:
            said, complaints = child.communicate(timeout=240)
        finally:
            child.kill()
    return Done(child.pid, child.returncode, said, complaints)


@pytest.mark.parametrize("backend", ["serial", "loky"])
def test_it_notes_in_workers_and_writes_in_the_parent(
    tmp_path: Path, installed: Path, backend: str
) -> None:
    done = run(tmp_path, installed, {"folder": "times", "slow_s": 0.0}, backend)
    assert done.returncode == 0, done.stderr[-3000:]
    with (tmp_path / "times" / "file_times.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["file"] for row in rows] == [path.stem for path in (tmp_path / "sim").glob("*.sim")]
    assert all(float(row["total_s"]) > 0 and row["slow"] == "True" for row in rows)
    in_the_parent = {int(row["worker"]) == done.pid for row in rows}
    assert in_the_parent == {backend == "serial"}


def test_its_own_fault_in_settings_ends_the_run_before_any_file(
    tmp_path: Path, installed: Path
) -> None:
    done = run(tmp_path, installed, {"folder": "results", "slow_s": 1}, "serial")
    assert done.returncode == 2
    assert "orcaflex.parallel.plugins.file-times.folder lies in the results folder" in done.stderr
    assert not list((tmp_path / "results").glob("*.csv"))


def test_an_option_of_the_wrong_unit_is_refused_by_its_declaration(
    tmp_path: Path, installed: Path
) -> None:
    done = run(tmp_path, installed, {"slow_s": "1 min"}, "serial")
    assert done.returncode == 2
    assert "orcaflex.parallel.plugins.file-times.slow_s" in done.stderr
    assert "takes a number of seconds, not '1 min'" in done.stderr

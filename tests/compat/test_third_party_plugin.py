"""The example of a third-party plugin, installed as a stranger's would be, in spawned workers."""

from __future__ import annotations

import csv
import importlib.util
from pathlib import Path

import pytest
from example_plugins import Done, install, run

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("digitalmodel.modules") is None, reason="needs the released host"
)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install("third-party-plugin", tmp_path_factory.mktemp("third-party"))


def run_with(
    folder: Path, installed: Path, options: dict[str, object], backend: str = "auto"
) -> Done:
    plugins = {"file-times": options, "hybrid-executor": {"backend": backend}}
    return run(folder, installed, {"plugins": plugins})


@pytest.mark.parametrize("backend", ["serial", "auto"])
def test_it_notes_in_workers_and_writes_in_the_parent(
    tmp_path: Path, installed: Path, backend: str
) -> None:
    done = run_with(tmp_path, installed, {"folder": "times", "slow_s": 0.0}, backend)
    assert done.returncode == 0, done.stderr[-3000:]
    with (tmp_path / "times" / "file_times.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    names = [path.stem for path in (tmp_path / "sim").glob("*.sim")]
    assert [row["file"] for row in rows] == names
    assert all(float(row["total_s"]) > 0 and row["slow"] == "True" for row in rows)
    in_the_parent = {int(row["worker"]) == done.pid for row in rows}
    assert in_the_parent == {backend == "serial"}


def test_its_own_fault_in_settings_ends_the_run_before_any_file(
    tmp_path: Path, installed: Path
) -> None:
    (tmp_path / "times").write_text("a file of the user's")
    done = run_with(tmp_path, installed, {"folder": "times", "slow_s": 1})
    assert done.returncode == 2
    assert "orcaflex.parallel.plugins.file-times.folder: times is a file" in done.stderr
    assert not list((tmp_path / "results").glob("*.csv"))


def test_an_option_of_the_wrong_unit_is_refused_by_its_declaration(
    tmp_path: Path, installed: Path
) -> None:
    done = run_with(tmp_path, installed, {"slow_s": "1 min"})
    assert done.returncode == 2
    assert "orcaflex.parallel.plugins.file-times.slow_s" in done.stderr
    assert "1 min" in done.stderr

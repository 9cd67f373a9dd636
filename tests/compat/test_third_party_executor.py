"""The example of a third-party executor, installed as a stranger's would be, on the real host."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest
from example_plugins import EXAMPLES, Done, install, run
from host_process import csv_files, first_difference, read_tree

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("digitalmodel.modules") is None, reason="needs the released host"
)
# The other plugin's early workers would have nothing to do.
PARALLEL: dict[str, Any] = {"plugins": {"hybrid-executor": {"early_workers": 0}}}
CRASH = json.dumps({"files": "*_lc0001*", "crash": {"how": "kill"}})


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install("third-party-executor", tmp_path_factory.mktemp("third-party"))


def report(folder: Path) -> Any:
    return json.loads((folder / "report.json").read_text("utf-8"))


def run_with_it(folder: Path, installed: Path, parallel: Any = PARALLEL, **variables: str) -> Done:
    where = {"DIGITALMODEL_OPTIMIZER_REPORT": str(folder / "report.json")}
    return run(folder, installed, parallel, **where, **variables)


def test_it_writes_the_bytes_of_the_hosts_own_loop(tmp_path: Path, installed: Path) -> None:
    done = run(tmp_path, installed, {"enabled": False})
    assert done.returncode == 0, done.stderr[-3000:]
    expected = csv_files(read_tree(tmp_path / "results"))
    done = run_with_it(tmp_path, installed)
    assert done.returncode == 0, done.stderr[-3000:]
    assert expected
    assert first_difference(csv_files(read_tree(tmp_path / "results")), expected) is None
    assert report(tmp_path)["backend"] == "my-executor"


def test_a_lost_process_costs_its_file_alone(tmp_path: Path, installed: Path) -> None:
    done = run_with_it(tmp_path, installed, SIMULATED_ORCAFLEX_FAULTS=CRASH)
    assert done.returncode == 1, done.stderr[-3000:]
    (failed,) = report(tmp_path)["failed"]
    assert "lc0001" in failed["file"]
    assert (failed["kind"], failed["attempt"]) == ("worker crashed", 2)
    assert report(tmp_path)["files_done"] == 2


def test_a_time_limit_that_it_cannot_keep_is_refused(tmp_path: Path, installed: Path) -> None:
    done = run_with_it(tmp_path, installed, {**PARALLEL, "timeout_per_file": 60})
    assert done.returncode == 2
    assert "the backend my-executor cannot stop a file that takes too long" in done.stderr
    assert not list((tmp_path / "results").glob("*.csv"))


def test_it_is_as_short_as_its_page_says() -> None:
    source = (EXAMPLES / "third-party-executor" / "my_executor.py").read_text("utf-8")
    assert len(source.splitlines()) <= 60

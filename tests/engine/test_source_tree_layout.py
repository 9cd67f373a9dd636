"""The layout of the host's current source tree: a pool of its own, and errors swallowed."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import command
import pytest
import yaml
from batches import END_A, backend, column, series, write
from host_process import STAND_IN, environment, first_difference, read_tree

from digitalmodel_optimizer.host.layouts import RELEASED

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
    done = python(folder, "-m", "digitalmodel", "dm_fsts.yml", **variables)
    assert done.returncode == int(fails), done.stderr[-3000:]
    return done, read_tree(folder / "results")


def python(folder: Path, *words: str, **variables: str) -> Finished[str]:
    path = os.pathsep.join(filter(None, [str(HOST), str(folder), os.environ.get("PYTHONPATH")]))
    return subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env=environment(**STAND_IN, PYTHONPATH=path, **variables),
        capture_output=True,
        text=True,
        check=False,
        timeout=command.TIMEOUT_S,
    )


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


@pytest.mark.parametrize("pool", [POOL, NO_POOL], ids=["pool", "no pool"])
def test_a_sample_is_compared_with_what_the_loop_gives_with_its_pool_and_without(
    folder: Path, pool: dict[str, Any]
) -> None:
    done, _ = run(folder, pool, {**backend("loky"), "verify": "sample"})
    said = " ".join(done.stderr.split())
    assert "verify: sample: 3 files (case_" in said, said[-3000:]
    assert "equal to the host's own loop" in said, said[-3000:]


def test_its_own_pool_is_left_alone_when_we_are_not_enabled(folder: Path) -> None:
    plain, expected = run(folder, POOL, None, DIGITALMODEL_OPTIMIZER="off")
    for parallel in (None, {"enabled": False}):
        done, found = run(folder, POOL, parallel)
        assert first_difference(expected, found) is None
        assert done.stdout.count("DISPLAY") == plain.stdout.count("DISPLAY") == 4
        assert 1 <= len(processes(done)) <= 2
        assert done.stderr == plain.stderr


CALLER = """
import sys, yaml
from pathlib import Path
from digitalmodel.engine import AttributeDict
from digitalmodel.solvers.orcaflex.opp import OrcaFlexPostProcess

cfg = AttributeDict(yaml.safe_load(Path("dm_fsts.yml").read_text()))
sims = sorted(Path("sim").glob("*.sim"))
cfg["file_management"]["input_files"] = {"sim": sims}
Path("results").mkdir(exist_ok=True)
names = {"analysis_root_folder": ".", "result_folder": "results", "file_name": "dm_fsts"}
cfg["Analysis"] = {**names, "file_name_for_overwrite": "dm_fsts"}
cfg["orcaflex_post_process"] = {}
print("RETURNED CFG", OrcaFlexPostProcess().post_process(cfg) is cfg)
"""


@pytest.mark.parametrize("parallel", [None, {"use_processes": False}], ids=["off", "on"])
def test_post_process_returns_what_the_hosts_own_returns(
    folder: Path, parallel: dict[str, Any] | None
) -> None:
    run(folder, NO_POOL, parallel)
    done = python(folder, "-c", CALLER)
    assert "RETURNED CFG True" in done.stdout, done.stderr[-3000:]


def test_the_released_post_process_returns_nothing() -> None:
    source = find_spec(RELEASED.opp)
    assert source is not None
    assert source.origin is not None
    functions = {
        node.name: node
        for node in ast.walk(ast.parse(Path(source.origin).read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef)
    }
    returned = any(isinstance(node, ast.Return) for node in ast.walk(functions["post_process"]))
    assert RELEASED.returns_cfg is returned


def test_without_standard_streams_faults_still_give_the_status(folder: Path) -> None:
    (folder / "sitecustomize.py").write_text("import sys\nsys.stdout = sys.stderr = None\n")
    cfg: dict[str, Any] = {
        "meta": {"basename": "orcaflex_post_process"},
        "orcaflex": {
            "parallel": {"enabled": True, "use_processes": False},
            "postprocess": {"summary": {"flag": False}, "time_series": {"flag": False}},
        },
        "file_management": {},
    }
    statuses = []
    for threads in ("lots", 1):
        cfg["orcaflex"]["parallel"]["threads"] = threads
        (folder / "dm_fsts.yml").write_text(yaml.safe_dump(cfg))
        statuses.append(python(folder, "-m", "digitalmodel", "dm_fsts.yml").returncode)
        (folder / "sim" / "case_bad.sim").write_bytes(b"no simulation")
    assert statuses == [2, 1]


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


@pytest.mark.parametrize("place", [0, 1, 2], ids=["first", "in the middle", "last"])
@pytest.mark.parametrize(
    ("pool", "name"), [(NO_POOL, "loky"), (NO_POOL, "serial"), (POOL, "threading")]
)
def test_an_unstable_simulation_fails_and_the_tables_stay_the_engines(
    folder: Path, pool: dict[str, Any], name: str, place: int
) -> None:
    """The engine leaves it out in silence, with status 0; what the others find is not its own."""
    write(folder / "sim", f"case_{place}", seed=place, state="SimulationStoppedUnstable")
    _, expected = run(folder, pool, None, DIGITALMODEL_OPTIMIZER="off")
    done, found = run(folder, pool, backend(name), fails=True)
    assert len(expected) == 4
    assert first_difference(expected, found) is None
    told = " ".join(done.stderr.split())
    assert "1 of 3 files failed" in told
    assert f"case_{place}.sim" in told
    assert "became unstable" in told

"""Fixtures: the genuine wrapper on the stand-in, small files, child processes."""

from __future__ import annotations

import gc
import importlib
import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import simulated_orcaflex
from simulated_orcaflex import Faults, SimulationDescription, typical_simulation, write_simulation

SOURCE = Path(simulated_orcaflex.__file__).resolve().parents[1]
VARIABLES = (
    simulated_orcaflex.ENVIRONMENT_VARIABLE,
    "SIMULATED_ORCAFLEX_FAULTS",
    "SIMULATED_ORCAFLEX_LOG",
)


@pytest.fixture(scope="module")
def api() -> Iterator[Any]:
    """The module OrcFxAPI, loaded on the stand-in and forgotten afterwards."""
    if importlib.util.find_spec("OrcFxAPI") is None:
        pytest.skip("needs OrcFxAPI")
    simulated_orcaflex.enable()
    try:
        module = importlib.import_module("OrcFxAPI")
        if not hasattr(module, "StatusCode"):
            pytest.skip("this OrcFxAPI is older than the enumerations that these tests name")
        yield module
    finally:
        simulated_orcaflex.disable()


@pytest.fixture(autouse=True)
def _nothing_leaks() -> Iterator[None]:
    """No test may leave models or environment variables behind."""
    before = {name: os.environ.get(name) for name in VARIABLES}
    alive = simulated_orcaflex.statistics().alive
    leaked = simulated_orcaflex.statistics().leaked
    yield
    assert {name: os.environ.get(name) for name in VARIABLES} == before
    gc.collect()  # a failed load is held by its own traceback
    after = simulated_orcaflex.statistics()
    assert after.alive - alive == after.leaked - leaked, "a test left a model alive"


def small(**changes: Any) -> SimulationDescription:
    """A quick description: two ships, two lines, one of each other kind."""
    settings: dict[str, Any] = {
        "vessels": 2,
        "lines": 2,
        "constraints": 1,
        "links": 1,
        "plain_objects": 3,
        "nodes": 11,
        "stop_time_s": 30.0,
    }
    return typical_simulation(**{**settings, **changes})


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Writes a small file of a given name, with changes to its description."""

    def writer(name: str = "case.sim", **changes: Any) -> Path:
        path = tmp_path / name
        write_simulation(path, small(**changes))
        return path

    return writer


@pytest.fixture
def faults_in_environment(monkeypatch: pytest.MonkeyPatch) -> Callable[[Faults], None]:
    """Puts faults into the environment until the test ends."""

    def put(faults: Faults) -> None:
        monkeypatch.setenv("SIMULATED_ORCAFLEX_FAULTS", faults.as_json())

    return put


def run_child(
    code: str, *arguments: object, check: bool = True, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run Python code in a process of its own, with the stand-in switched on by its variable."""
    start = "import simulated_orcaflex; simulated_orcaflex.activate_from_environment()\n"
    path = os.pathsep.join(filter(None, [str(SOURCE), os.environ.get("PYTHONPATH", "")]))
    settings = {"SIMULATED_ORCAFLEX": "1", "DIGITALMODEL_OPTIMIZER": "off", "PYTHONPATH": path}
    return subprocess.run(
        [sys.executable, "-c", start + code, *map(str, arguments)],
        env={**os.environ, **settings, **environment},
        capture_output=True,
        text=True,
        check=check,
        timeout=120,
    )

"""Fixtures: the genuine wrapper on the stand-in, small files."""

from __future__ import annotations

import gc
import importlib
import importlib.util
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from stand_in import small

import simulated_orcaflex
from simulated_orcaflex import Faults, write_simulation

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

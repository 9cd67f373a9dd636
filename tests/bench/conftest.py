"""One real run of the benchmarks on a tiny batch, for all tests that look at it."""

from __future__ import annotations

import importlib.util

import pytest

from digitalmodel_optimizer.bench.batches import Batch, made_batch
from digitalmodel_optimizer.bench.configurations import chosen
from digitalmodel_optimizer.bench.results import Result, new_result
from digitalmodel_optimizer.bench.rounds import Wish, run_batch
from digitalmodel_optimizer.bench.suites import chosen_suites

COUNTED = "engine,plain_joblib_1,plain_joblib_2,floor,floor_2,workers_2"


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Batch:
    """Three files of 0.7 MB, made once."""
    for name in ("digitalmodel", "OrcFxAPI"):
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"needs {name}")
    (suite,) = chosen_suites("guard", 3)
    return made_batch(suite, tmp_path_factory.mktemp("batches"), lambda _: None)


@pytest.fixture(scope="session")
def counted(tiny: Batch, tmp_path_factory: pytest.TempPathFactory) -> Result:
    """Counts of some configurations."""
    work, say = tmp_path_factory.mktemp("work"), (lambda _: None)
    counts = run_batch(tiny, Wish(chosen(COUNTED), rounds=0), work, say)
    return new_result("tests", [counts], stand_in=True)

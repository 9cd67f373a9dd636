"""Whatever becomes of one file, in a batch of any size: all others' tables and rows stand.

Native crash, exit, kill, hang and lack of memory, at load, enumeration, reading and writing, in
batches of 1, 2, 8 and 200 files, under each backend that isolates. The tests run the user's command
and look at what a user sees: tables (with the host's own bytes), exit status, report, error log,
processes. They know nothing of executors.

In a normal run every two of these values meet at least once; ``OPTIMIZER_TEST_FAULTS=all`` (the tox
environment ``faults``) runs all combinations. ``fault_batches.py`` says how to replay one by hand.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable

import pytest
from fault_batches import (
    BACKENDS,
    FAULTS,
    STAGES,
    UNLIKE,
    Batch,
    Case,
    all_cases,
    fault_of,
    happened,
    lost_in,
    matrix,
    pairwise,
    parallel_block,
    run,
    run_case,
    wrong_with,
)
from host_process import csv_files, first_difference, read_tree

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and limits of POSIX")
EVERYTHING = os.environ.get("OPTIMIZER_TEST_FAULTS") == "all"
CASES = matrix(all_cases()) if EVERYTHING else pairwise(all_cases(UNLIKE))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_fault_costs_its_file_and_no_other(batch_of: Callable[[int], Batch], case: Case) -> None:
    batch = batch_of(case.files)
    lost = lost_in(batch, case)
    expected = batch.expected(lost)
    done = run_case(batch, case)
    wrong = wrong_with(batch, done, lost, expected)
    assert not wrong, "\n".join([str(case), *wrong, done.errors[-3000:]])
    assert happened(batch, case), "the fault never came to pass"


@pytest.mark.skipif(not EVERYTHING, reason="takes minutes: OPTIMIZER_TEST_FAULTS=all")
@pytest.mark.timeout(600)
@pytest.mark.parametrize("backend", BACKENDS)
def test_every_fault_at_every_stage_in_one_batch(
    batch_of: Callable[[int], Batch], backend: str
) -> None:
    """28 files of 200, one with each fault at each stage."""
    batch = batch_of(200)
    kinds = [(fault, stage) for fault in FAULTS for stage in STAGES]
    bad = dict(zip(batch.names[:: 200 // len(kinds)], kinds, strict=False))
    cases = {name: Case(*kind, 200, backend, "", "always") for name, kind in bad.items()}
    faults = [fault_of(case, name, batch.root) for name, case in cases.items()]
    hanging = next(case for case in cases.values() if case.fault == "hang")
    lost = {name: case.kind for name, case in cases.items()}
    expected = batch.expected(lost)
    config = batch.configured(parallel_block(hanging))
    done = run(config, {"SIMULATED_ORCAFLEX_FAULTS": json.dumps(faults)})
    wrong = wrong_with(batch, done, lost, expected)
    assert not wrong, "\n".join([*wrong, done.errors[-3000:]])


def test_the_cases_of_a_normal_run_are_every_pair_that_can_be() -> None:
    cases = all_cases(UNLIKE)
    every = set().union(*(case.pairs() for case in cases))
    assert set().union(*(case.pairs() for case in pairwise(cases))) == every


def test_the_expected_tables_are_those_of_the_command(batch_of: Callable[[int], Batch]) -> None:
    batch = batch_of(8)
    expected = batch.expected()
    done = run(batch.configured({}), {"DIGITALMODEL_OPTIMIZER": "off"})
    assert done.status == 0, done.errors[-3000:]
    assert first_difference(expected, csv_files(read_tree(batch.root / "results"))) is None

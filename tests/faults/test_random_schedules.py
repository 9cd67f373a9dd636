"""Random schedules of faults: healthy files have the host's own bytes, unhealthy ones are named.

``OPTIMIZER_TEST_SCHEDULES`` is how many are drawn (50 in a normal run, 1000 in the tox environment
``schedules``), ``OPTIMIZER_TEST_FIRST_SEED`` the first seed. A test's name holds its seed.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from schedules import Schedule, run_schedule

if TYPE_CHECKING:
    from host_process import HostProcess

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and links of POSIX")
FIRST = int(os.environ.get("OPTIMIZER_TEST_FIRST_SEED", "0"))
PARTS = 10  # they take long, so several processes share them
NUMBER = int(os.environ.get("OPTIMIZER_TEST_SCHEDULES", "50"))


SEEDS = [
    pytest.param(seed, marks=pytest.mark.xdist_group(f"schedules {seed % PARTS}"))
    for seed in range(FIRST, FIRST + NUMBER)
]


@pytest.mark.parametrize("seed", SEEDS)
def test_any_schedule_of_faults(plain_host: HostProcess, tmp_path: Path, seed: int) -> None:
    schedule = Schedule.drawn(seed)
    wrong = run_schedule(tmp_path / "batch", schedule, plain_host)
    assert not wrong, "\n".join([repr(schedule), *wrong])


def test_a_seed_draws_the_same_schedule_and_seeds_draw_all_kinds() -> None:
    drawn = [Schedule.drawn(seed) for seed in range(300)]
    assert drawn == [Schedule.drawn(seed) for seed in range(300)]
    kinds = {kind for schedule in drawn for kind in schedule.bad.values()}
    faults = {fault for schedule in drawn for fault, _, _ in schedule.struck.values()}
    assert len(kinds) == 8
    assert len(faults) == 6
    assert any(schedule.interrupted for schedule in drawn)
    assert any(schedule.second_s is not None for schedule in drawn)

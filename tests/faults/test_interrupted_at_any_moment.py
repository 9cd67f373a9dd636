"""Signals at any moment of a run: nothing stays behind, and the same command then completes.

The moments are random and seeded: so many tables written, so long after that.
``OPTIMIZER_TEST_FAULTS=all`` takes more of them. A test's name holds the signal and the seed, so
``pytest -k SIGTERM-3`` does one moment again.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from batches import backend
from command import wait_for
from fault_batches import RUN_LIMIT_S, Batch, Command, running, stop, wrong_with

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
FILES = 8
SLOW = {"SIMULATED_ORCAFLEX_FAULTS": json.dumps({"load_s": 0.5})}
BEFORE_THE_FIRST_S = 5.0
AFTER_A_TABLE_S = 0.6
SEEDS = range(20 if os.environ.get("OPTIMIZER_TEST_FAULTS") == "all" else 1)
END_S = 20
# The name, and whether the whole group gets it, as from a terminal that closes or Ctrl-C.
SIGNALS = {"SIGINT": True, "SIGTERM": False, "SIGHUP": True, "SIGKILL": False}


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", SIGNALS)
def test_a_signal_leaves_nothing_behind_and_the_command_goes_on(
    batch_of: Callable[[int], Batch], name: str, seed: int
) -> None:
    number = getattr(signal, name)
    if name != "SIGKILL" and signal.getsignal(number) is signal.SIG_IGN:
        pytest.skip("these tests run under nohup or the like, and so would the command")
    batch = batch_of(FILES)
    expected = batch.expected()
    config = batch.configured(backend("loky"))
    chance = random.Random(f"{name} {seed}")
    tables = chance.randint(0, FILES)
    pause_s = chance.uniform(0, AFTER_A_TABLE_S if tables else BEFORE_THE_FIRST_S)

    interrupted = Command(config, SLOW)
    pids = {interrupted.process.pid}
    wait_for(lambda: ended(interrupted) or len(written(batch)) >= tables, RUN_LIMIT_S)
    time.sleep(pause_s)  # the moment, which no event tells: that is what is tested
    if not ended(interrupted):
        pids |= {process.pid for process in running(interrupted.mark)}
        (os.killpg if SIGNALS[name] else os.kill)(interrupted.process.pid, number)
    try:
        _, errors = interrupted.process.communicate(timeout=END_S)
    except subprocess.TimeoutExpired:
        errors = "(no end)"
    left = stop(interrupted.mark, patience_s=END_S)
    status = interrupted.process.poll()
    told = f"{name} {pause_s:.2f} s after {tables} tables, status {status}: {errors[-2000:]}"
    assert not left, f"still running: {left}; {told}"
    semaphores = shared_memory_of(pids)
    assert not semaphores, f"left in /dev/shm: {semaphores}; {told}"

    done = Command(config, {}).finish()
    wrong = wrong_with(batch, done, {}, expected)
    assert not wrong, "\n".join([*wrong, told, done.errors[-3000:]])


def ended(interrupted: Command) -> bool:
    return interrupted.process.poll() is not None


def written(batch: Batch) -> list[Path]:
    """Tables of single files, staged or in place."""
    return list((batch.root / "results").rglob("case_*_motions.csv*"))


def shared_memory_of(pids: set[int]) -> list[str]:
    """What stays in /dev/shm of these processes, which is then removed.

    loky and joblib write the number of their process into their names.
    """
    marks = [mark for pid in pids for mark in (f"loky-{pid}-", f"joblib_memmapping_folder_{pid}_")]

    def found() -> list[Path]:
        names = Path("/dev/shm").glob("*")
        return [path for path in names if any(mark in path.name for mark in marks)]

    end = time.monotonic() + END_S
    while found() and time.monotonic() < end:
        time.sleep(0.1)
    left = found()
    for path in left:
        if path.is_file():
            path.unlink(missing_ok=True)
    return [path.name for path in left]

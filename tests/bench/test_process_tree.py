"""What a process tree used: short peaks are seen, copies are not counted, nothing stays behind."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest

from digitalmodel_optimizer.measuring.process_tree import Usage, ended, run_child

MARKED = sys.platform.startswith("linux") or os.name == "nt"
SHORT_PEAK = """
import subprocess, sys, time
SMALL = "import time; time.sleep(1.5)"
CHILD = "x = bytearray(300_000_000); del x; " + SMALL
x = bytearray(200_000_000)
del x
subprocess.run([sys.executable, "-c", CHILD if "child" in sys.argv else SMALL])
"""


def run(folder: Path, *words: str) -> Usage:
    command = [sys.executable, "-c", SHORT_PEAK, *words]
    return run_child(command, folder, dict(os.environ), folder / "log")


@pytest.mark.skipif(not MARKED, reason="the system keeps no mark of the most memory")
def test_a_peak_between_two_looks_is_seen(tmp_path: Path) -> None:
    used = run(tmp_path, "child")
    assert 200 < used.root_mb < 280
    assert 300 < used.child_mb < 380
    assert used.worker_mb == used.child_mb <= used.memory_mb
    assert used.status == 0
    assert used.samples


@pytest.mark.skipif(not MARKED, reason="the system keeps no mark of the most memory")
def test_a_small_helper_is_no_worker(tmp_path: Path) -> None:
    used = run(tmp_path)
    assert 0 < used.child_mb < 40
    assert used.worker_mb == used.root_mb


PARENT = """
import subprocess, sys, time
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print("there", flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("why", [KeyboardInterrupt, SystemExit, OSError])
def test_however_a_run_is_left_its_processes_end(
    why: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("digitalmodel_optimizer.measuring.process_tree._PATIENCE_S", 0.1)
    child = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE)
    assert child.stdout is not None
    with child.stdout, contextlib.suppress(why), ended(child):
        child.stdout.readline()
        below = psutil.Process(child.pid).children(recursive=True)
        assert below
        raise why
    assert child.returncode is not None
    _, alive = psutil.wait_procs(below, timeout=10)
    assert not alive


BENCH = "from digitalmodel_optimizer.commands import main; main()"


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX systems")
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_bench_that_is_asked_to_end_leaves_nothing_behind(tmp_path: Path, name: str) -> None:
    """Only the command gets the signal, not the processes that it has started."""
    pytest.importorskip("digitalmodel")
    number = getattr(signal, name)
    if signal.getsignal(number) is signal.SIG_IGN:
        pytest.skip("these tests run under nohup or the like, and so would the command")
    words = ["--suite", "guard", "--configurations", "plain_joblib_2", "--rounds", "50"]
    words += ["--no-counts", "--folder", str(tmp_path / "batches")]
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    child = subprocess.Popen(
        [sys.executable, "-c", BENCH, "bench", *words],
        env={**os.environ, "TMPDIR": str(temporary)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )
    below: list[psutil.Process] = []
    pause = threading.Event()
    while len(below) < 3:  # the host, joblib's helper, workers
        assert child.poll() is None
        pause.wait(0.05)
        below = psutil.Process(child.pid).children(recursive=True)
    child.send_signal(number)
    _, said = child.communicate(timeout=60)
    assert child.returncode == 128 + number
    assert "Traceback" not in said
    _, alive = psutil.wait_procs(below, timeout=20)
    assert not alive
    assert not list(temporary.iterdir())

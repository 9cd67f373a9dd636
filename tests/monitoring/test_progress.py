"""Progress: plain lines or a live display, whole lines above it, and the stream given back."""

from __future__ import annotations

import io
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pyte
import pytest

from digitalmodel_optimizer.plugin import Batch, Progress, SimulationFile
from digitalmodel_optimizer.report import live
from digitalmodel_optimizer.report.host_lines import HostLines
from digitalmodel_optimizer.report.progress import ProgressDisplay
from digitalmodel_optimizer.report.status import sentence

OpenTerminal = Callable[[], "FakeTerminal"]
FILES = tuple(SimulationFile(i, f"sim/lc{i:04d}.sim", 6_700_000) for i in range(20))
BATCH = Batch("x", FILES, "results")


def progress(done: int, failed: int = 0) -> Progress:
    return Progress(
        files_total=20,
        files_done=done,
        files_failed=failed,
        size_total_mb=134.0,
        size_done_mb=6.7 * done,
        elapsed_s=2.0,
        running=FILES[done : done + 5],
        upcoming=(),
        workers_limit=5,
        memory_available_mb=1000.0,
    )


class FakeTerminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def shown_by(terminal: FakeTerminal) -> list[str]:
    """The lines on a screen of 80 columns that has received all of it."""
    screen = pyte.Screen(80, 40)
    pyte.Stream(screen).feed(terminal.getvalue().replace("\n", "\r\n"))
    lines = [line.rstrip() for line in screen.display]
    return [line for line in lines if line and "of the host:" not in line]


@pytest.fixture(autouse=True)
def logs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("DIGITALMODEL_OPTIMIZER_LOGS", str(tmp_path / "logs"))
    return tmp_path / "logs"


class OldConsole(io.TextIOWrapper):
    def __init__(self) -> None:
        super().__init__(io.BytesIO(), encoding="cp1252", newline="")


@pytest.fixture
def open_terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[[], FakeTerminal]:
    """Put a terminal in place of both streams; called in the test, where pytest has put its own."""

    def put() -> FakeTerminal:
        stream = FakeTerminal()
        monkeypatch.setenv("TERM", "xterm-256color")
        monkeypatch.setenv("COLUMNS", "80")
        monkeypatch.setattr(sys, "stderr", stream)
        monkeypatch.setattr(sys, "stdout", stream)
        return stream

    return put


def drawn(terminal: FakeTerminal, times: int = 1) -> bool:
    """Whether the display has been drawn, and so often drawn anew."""
    deadline_s = time.monotonic() + 20
    while terminal.getvalue().count(" so far") < times:
        if time.monotonic() > deadline_s:
            return False
        time.sleep(0.01)
    return True


def test_plain_lines_are_throttled_with_first_and_last(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    display = ProgressDisplay()
    display.optimizer_batch_started(BATCH)
    for done in range(21):
        display.optimizer_progress(progress(done))
    display.optimizer_batch_finished()
    display.close()
    assert stream.getvalue().splitlines() == [
        "20 files, 134 MB to post-process",
        "20/20 files, 10 files/s, 67 MB/s, 2.00 s",
    ]


def test_a_plain_line_says_what_runs_and_how_long() -> None:
    said = sentence(progress(12, failed=1))
    assert said == (
        "12/20 files, 1 failed, 6 files/s, 40 MB/s, 1 s left, running: lc0012, lc0013, lc0014 +2"
    )


def test_old_encodings_do_not_raise(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = OldConsole()
    monkeypatch.setattr(sys, "stderr", stream)
    odd = tuple(SimulationFile(i, f"sim/\u6d77\u2192{i}.sim", 0) for i in range(3))
    display = ProgressDisplay(plain_interval_s=0.0)
    display.optimizer_batch_started(Batch("x", odd, "r"))
    display.optimizer_progress(Progress(3, 1, 0, 0.0, 0.0, 1.0, odd, (), 1, 1.0))
    display.close()
    stream.flush()
    assert b"1/3 files" in stream.buffer.getvalue()  # type: ignore[attr-defined]


def test_the_display_is_drawn_and_taken_away(open_terminal: OpenTerminal) -> None:
    terminal = open_terminal()
    display = ProgressDisplay()
    display.optimizer_batch_started(BATCH)
    display.optimizer_progress(progress(5, failed=2))
    assert drawn(terminal, times=2)
    display.optimizer_batch_finished()
    said = (
        "5/20 files, 2 failed, 2.5 files/s, 17 MB/s, 6 s left, running: lc0005, lc0006, lc0007 +2"
    )
    assert "".join(shown_by(terminal)) == said
    assert "write" not in vars(terminal)


def test_what_the_host_prints_is_kept_whole_in_a_file_and_named_at_the_end(
    open_terminal: OpenTerminal, logs: Path
) -> None:
    terminal = open_terminal()
    handler = logging.StreamHandler(sys.stderr)  # holds the stream, as log handlers do
    display = ProgressDisplay()
    display.optimizer_batch_started(BATCH)
    display.optimizer_progress(progress(5))

    def talk(name: str) -> None:
        for number in range(100):
            for piece in (f"{name} ", "says ", f"{number:03d}", "\n"):
                sys.stdout.write(piece)
            time.sleep(0.003)

    threads = [threading.Thread(target=talk, args=(name,)) for name in ("one", "two", "six")]
    for thread in threads:
        thread.start()
    handler.emit(logging.LogRecord("x", logging.ERROR, "", 0, "logged", None, None))
    for thread in threads:
        thread.join()
    sys.stdout.write("no end")
    assert drawn(terminal)
    display.close()
    (file,) = logs.iterdir()
    lines = file.read_text(encoding="utf-8").splitlines()
    for name in ("one", "two", "six"):
        assert [line for line in lines if line.startswith(name)] == [
            f"{name} says {number:03d}" for number in range(100)
        ]
    assert {"logged", "no end"} < set(lines)
    assert "302 lines of the host:" in terminal.getvalue()
    assert "says" not in "".join(shown_by(terminal))


def test_where_no_file_can_be_written_the_hosts_lines_are_printed(
    open_terminal: OpenTerminal, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("DIGITALMODEL_OPTIMIZER_LOGS", str(tmp_path / "file" / "logs"))
    terminal = open_terminal()
    display = ProgressDisplay()
    display.optimizer_batch_started(BATCH)
    print("a line of the host")
    display.close()
    assert "a line of the host" in terminal.getvalue()


def test_only_so_many_files_of_the_hosts_lines_stay(logs: Path) -> None:
    logs.mkdir()
    for number in range(30):
        (logs / f"host-20260101-0000{number:02d}-1.log").touch()
    lines = HostLines()
    assert lines.take("one\n")
    lines.close()
    assert len(list(logs.iterdir())) == 20
    assert lines.path is not None
    assert lines.path.read_text() == "one\n"


def test_without_colour_there_is_none(
    open_terminal: OpenTerminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    terminal = open_terminal()
    display = ProgressDisplay()
    display.optimizer_batch_started(BATCH)
    display.optimizer_progress(progress(5, failed=1))
    assert drawn(terminal)
    display.close()
    assert "\x1b[31" not in terminal.getvalue()
    assert "\x1b[1;31" not in terminal.getvalue()


def test_a_terminal_that_goes_away_does_not_cost_the_batch(open_terminal: OpenTerminal) -> None:
    terminal = open_terminal()
    display = ProgressDisplay()
    display.optimizer_batch_started(BATCH)
    display.optimizer_progress(progress(1))
    terminal.close()
    display._display._ticker.join(20)  # type: ignore[union-attr]
    assert not display._display._ticker.is_alive()  # type: ignore[union-attr]
    display.optimizer_progress(progress(2))
    display.optimizer_batch_finished()


def test_no_standard_error_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    display = ProgressDisplay()
    display.optimizer_batch_started(BATCH)
    display.optimizer_progress(progress(1))
    display.optimizer_batch_finished()


def test_nothing_is_drawn_for_an_update_or_a_line_of_the_engine(
    open_terminal: OpenTerminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However often they come: the display is drawn by the clock alone."""
    monkeypatch.setattr(live, "TICK_S", 1e6)
    terminal = open_terminal()
    display = ProgressDisplay()
    display.optimizer_batch_started(BATCH)
    before = terminal.getvalue()
    for _ in range(1000):
        display.optimizer_progress(progress(3))
        print("a line of the engine")
    assert terminal.getvalue() == before
    display.close()


def test_an_interrupted_batch_that_goes_on_shows_its_own_rate(
    open_terminal: OpenTerminal,
) -> None:
    """Ten were there; two more have taken two seconds."""
    terminal = open_terminal()
    display = ProgressDisplay()
    display.optimizer_batch_started(BATCH)
    resumed = replace(progress(12), files_resumed=10, size_resumed_mb=67.0)
    display.optimizer_progress(resumed)
    assert drawn(terminal)
    display.close()
    assert "12/20 files" in terminal.getvalue()
    assert "1 files/s, 6.7 MB/s" in terminal.getvalue()
    assert "12/20 files, 1 files/s, 6.7 MB/s, 8 s left" in terminal.getvalue()


def test_plain_lines_do_without_rich() -> None:
    """Its import takes as long as a small batch's files."""
    code = (
        "import sys\n"
        "from digitalmodel_optimizer.plugin import Batch\n"
        "from digitalmodel_optimizer.report.progress import ProgressDisplay\n"
        "display = ProgressDisplay()\n"
        "display.optimizer_batch_started(Batch('x', (), 'r'))\n"
        "print('rich' in sys.modules)\n"
    )
    told = {
        name: subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, **variables},
            capture_output=True,
            text=True,
            check=True,
        )
        for name, variables in {"plain": {}, "forced": {"TTY_COMPATIBLE": "1"}}.items()
    }
    assert told["plain"].stdout == "False\n"
    assert "0 files" in told["plain"].stderr
    assert told["forced"].stdout == "True\n"

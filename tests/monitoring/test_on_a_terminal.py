"""The live view of the real host's command on a pseudo-terminal: the screen, and keys."""

from __future__ import annotations

import contextlib
import os
import re
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import command
import pyte
import pytest
from batches import backend, column, write
from host_process import STAND_IN, environment
from picture import picture

from simulated_orcaflex import Faults

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are POSIX's")
COLUMNS, LINES = 100, 24


class Terminal:
    """A command on a terminal of its own, and the screen that it draws."""

    def __init__(self, config: Path, **variables: str) -> None:
        import fcntl
        import pty
        import struct
        import termios

        self.screen = pyte.Screen(COLUMNS, LINES)
        self._stream = pyte.ByteStream(self.screen)
        self._main, terminal = pty.openpty()
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
        self.process = subprocess.Popen(
            [sys.executable, "-m", "digitalmodel", config.name],
            cwd=config.parent,
            env=environment(**STAND_IN, TERM="xterm-256color", **variables),
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            preexec_fn=_own_terminal,  # noqa: PLW1509 - nothing else runs in this process
        )
        os.close(terminal)

    def press(self, key: str) -> None:
        os.write(self._main, key.encode())

    def text(self) -> str:
        return "\n".join(line.rstrip() for line in self.screen.display)

    def wait_for(self, met: Callable[[str], bool], seconds: float = 60.0) -> str:
        deadline = time.monotonic() + seconds
        while not met(self.text()):
            assert time.monotonic() < deadline, self.text()
            self._read()
        return self.text()

    def finish(self) -> int:
        deadline = time.monotonic() + 60.0
        while self.process.poll() is None:
            assert time.monotonic() < deadline, self.text()
            self._read()
        self._read()
        return self.process.returncode

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._main)

    def _read(self) -> None:
        ready, _, _ = select.select([self._main], [], [], 0.1)
        with contextlib.suppress(OSError):  # the other side is closed
            if ready:
                self._stream.feed(os.read(self._main, 65536))


def _own_terminal() -> None:
    import fcntl
    import termios

    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def keep_picture(view: Terminal, name: str) -> None:
    """For whoever wants to look at it: OPTIMIZER_TEST_PICTURES names a folder."""
    drawn = picture(view.screen, "python -m digitalmodel dm_fsts.yml", "/sim/")
    assert "pause" in drawn
    folder = os.environ.get("OPTIMIZER_TEST_PICTURES")
    if folder:
        Path(folder, f"{name}.svg").write_text(drawn, encoding="utf-8")


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Callable[[int], Terminal]]:
    opened: list[Terminal] = []

    def open_one(files: int) -> Terminal:
        for number in range(files):
            write(tmp_path / "sim", f"lc_{number:02d}", seed=number, faults=Faults(load_s=0.4))
        summary = [("main", [column("x", "FST1", "X")])]
        parallel = {"enabled": True, "threads": 2, **backend("loky")}
        config = command.prepare(
            tmp_path, command.user_configuration(tmp_path, summary, [], parallel=parallel)
        )
        opened.append(Terminal(config, DIGITALMODEL_OPTIMIZER_LOGS=str(tmp_path / "lines")))
        return opened[-1]

    yield open_one
    for item in opened:
        item.end()


def test_the_screen_shows_the_batch_and_the_host_is_in_a_file(
    terminal: Callable[[int], Terminal], tmp_path: Path
) -> None:
    view = terminal(16)
    wanted = (
        r"(9|1\d)/16 files .* files/s",
        r" so far, \d+ s left \(\d+ s to \d+ s\)",
        r"\d of at most 2 running, \d+ waiting; memory \d+ MB",
        r"^lc_\d\d +0.0 MB +load +0.\d\d s$",
        r"p pause   \+ more   - fewer   s stop after the running files",
    )
    view.wait_for(lambda text: all(re.search(words, text, re.MULTILINE) for words in wanted))
    keep_picture(view, "live")
    assert view.finish() == 0
    text = view.text()
    assert "16 files in" in text
    assert " so far" not in text
    assert text.count("lines of the host:") == 1
    (file,) = (tmp_path / "lines").iterdir()
    kept = file.read_text()
    assert kept.count("\n") >= 8
    assert "lc_03" in kept


def test_keys_hold_files_back_and_stop_the_batch(
    terminal: Callable[[int], Terminal], tmp_path: Path
) -> None:
    view = terminal(30)
    view.wait_for(lambda text: " so far" in text and "/30 files" in text and "lc_0" in text)
    view.press("p")
    view.wait_for(lambda text: "no more files start" in text and "waiting for a worker" in text)
    view.press("p")
    view.wait_for(lambda text: "no more files start" not in text and "load" in text)
    view.press("s")
    assert view.finish() != 0
    text = view.text()
    assert "digitalmodel-optimizer: stopped" in text
    assert "the same command goes on where this run stopped" in text
    done = command.run(tmp_path / "dm_fsts.yml")
    assert done.returncode == 0
    assert "already finished by an interrupted run" in done.stderr

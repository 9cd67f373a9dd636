"""The display on a terminal: two lines at the bottom, everything else that is printed above them.

Drawn four times a second and never for a line of the engine's: that one replaces the display,
which comes back at the next tick. Hundreds of lines at once so cost what they would cost alone.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from typing import TextIO

from rich.console import Console, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from digitalmodel_optimizer.plugin import Progress
from digitalmodel_optimizer.plugin.estimates import remaining_s, share_done
from digitalmodel_optimizer.report.console import is_terminal, standard_stream
from digitalmodel_optimizer.report.status import left, names, rate, sentence

TICK_S = 0.25
_WIDEST_BAR = 30


class LiveDisplay:
    """Owns the bottom of the terminal from its making until :meth:`close`."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress: Progress | None = None
        self._told_at = time.monotonic()
        self._lines_drawn = 0
        self._lock = threading.RLock()
        self._closing = threading.Event()
        self._streams = [WholeLines(stream, self) for stream in _terminal_streams()]
        for stream in self._streams:
            stream.start()
        self._ticker = threading.Thread(target=self._tick, name="progress", daemon=True)
        self._ticker.start()

    def update(self, progress: Progress) -> None:
        self._progress = progress
        self._told_at = time.monotonic()

    def close(self, progress: Progress | None) -> None:
        self._closing.set()
        self._ticker.join(timeout=1.0)
        with self._lock:
            self._erase()
            for stream in self._streams:
                stream.stop()
            if progress is not None:
                self._console.print(Text(sentence(progress)), soft_wrap=True)

    @contextlib.contextmanager
    def above(self) -> Iterator[None]:
        """While somebody else writes to the terminal: the display is not there."""
        with self._lock:
            self._erase()
            yield

    def _tick(self) -> None:
        while not self._closing.wait(TICK_S):
            try:
                self._draw()
            except Exception:  # the terminal has gone away; the batch goes on
                return
            if getattr(self._console.file, "gone", False):
                return

    def _draw(self) -> None:
        progress = self._progress
        if progress is None:
            return
        with self._lock, self._console.capture() as drawn:
            width = max(20, self._console.width - 1)
            self._console.print(self._drawn(progress), width=width)
        text = drawn.get()
        with self._lock:
            if self._closing.is_set():
                return
            self._erase()
            self._console.file.write(text)
            self._console.file.flush()
            self._lines_drawn = text.count("\n")

    def _erase(self) -> None:
        if self._lines_drawn:
            self._console.file.write(f"\r\x1b[{self._lines_drawn}A\x1b[J")
            self._console.file.flush()
            self._lines_drawn = 0

    def _drawn(self, progress: Progress) -> RenderableType:
        grid = Table.grid(expand=True)
        grid.add_column(overflow="ellipsis", no_wrap=True)
        grid.add_row(self._bar(progress))
        grid.add_row(Text(_running(progress), style="dim", overflow="ellipsis", no_wrap=True))
        return grid

    def _bar(self, progress: Progress) -> Table:
        bar = Table.grid(padding=(0, 2, 0, 0))
        width = min(_WIDEST_BAR, self._console.width // 4)
        cells: list[RenderableType] = [
            ProgressBar(total=1.0, completed=share_done(progress), width=width),
            f"{progress.files_done}/{progress.files_total} files",
        ]
        if progress.files_failed:
            cells.append(Text(f"{progress.files_failed} failed", style="bold red"))
        if progress.files_done > progress.files_resumed and progress.elapsed_s:
            cells.append(rate(progress))
        remaining = remaining_s(progress)
        if remaining and progress.files_done < progress.files_total:
            seconds = remaining - (time.monotonic() - self._told_at)
            cells.append(f"{left(seconds)} left")
        for _ in cells:
            bar.add_column(no_wrap=True)
        bar.add_row(*cells)
        return bar


def _running(progress: Progress) -> str:
    if progress.files_done == progress.files_total:
        return "all files are done; the summary tables are being written"
    now = names(progress.running, most=4) if progress.running else "waiting for a worker"
    return f"{len(progress.running)} of at most {progress.workers_limit} running: {now}"


def _terminal_streams() -> Iterator[TextIO]:
    for stream in (standard_stream("stdout"), standard_stream("stderr")):
        if stream is not None and is_terminal(stream):
            yield stream


class WholeLines:
    """Lets only whole lines through to a stream, above the display, whoever writes to it.

    Log handlers keep the stream that they were made with, so it is the stream itself that is
    changed (its ``write``) and not ``sys.stdout``. Each thread has a line of its own to finish.
    """

    def __init__(self, stream: TextIO, display: LiveDisplay) -> None:
        self._stream = stream
        self._display = display
        self._write = stream.write
        self._unfinished: dict[int, str] = {}

    def start(self) -> None:
        with contextlib.suppress(AttributeError):  # a stream that cannot be changed is left alone
            self._stream.write = self._take  # type: ignore[method-assign]

    def stop(self) -> None:
        """Give the stream back; a line without an end is printed as it is."""
        with contextlib.suppress(AttributeError):
            del self._stream.write
        self._write("".join(self._unfinished.values()))
        self._stream.flush()
        self._unfinished.clear()

    def _take(self, text: str) -> int:
        me = threading.get_ident()
        whole, end, rest = (self._unfinished.get(me, "") + text).rpartition("\n")
        self._unfinished[me] = rest
        if end:
            with self._display.above():
                self._write(whole + end)
                self._stream.flush()
        return len(text)

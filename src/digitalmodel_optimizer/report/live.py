"""The display on a terminal: where the batch stands, what each worker does, what was decided.

Drawn by rich's Live four times a second, at the bottom; what the host prints meanwhile goes to a
file (:mod:`~.host_lines`), every line of it, and comes back at the end as a path.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from typing import TextIO

from rich.console import Console
from rich.live import Live
from rich.text import Text

from digitalmodel_optimizer.plugin import FileResult, Progress
from digitalmodel_optimizer.report.console import is_terminal, standard_stream
from digitalmodel_optimizer.report.controls import Controls
from digitalmodel_optimizer.report.format import count
from digitalmodel_optimizer.report.host_lines import HostLines
from digitalmodel_optimizer.report.keys import Keys
from digitalmodel_optimizer.report.live_lines import View, live_lines
from digitalmodel_optimizer.report.status import sentence

TICK_S = 0.25
_FAILURES_KEPT = 3


class LiveDisplay:
    """Owns the bottom of the terminal from its making until :meth:`close`.

    :param controls: told of the keys that are pressed.
    """

    def __init__(self, console: Console, controls: Controls | None = None) -> None:
        self._console = console
        self._controls = controls or Controls()
        self._progress: Progress | None = None
        self._told_at = time.monotonic()
        self._failures: list[str] = []
        self._closing = threading.Event()
        self._host = HostLines()
        self._live = Live(
            console=console,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
            vertical_overflow="crop",
        )
        self._live.start()
        self._streams = [WholeLines(stream, self._host) for stream in _terminal_streams()]
        for stream in self._streams:
            stream.start()
        self._keys = Keys(self._controls.press)
        self._ticker = threading.Thread(target=self._tick, name="optimizer-live", daemon=True)
        self._ticker.start()

    def update(self, progress: Progress) -> None:
        self._progress = progress
        self._told_at = time.monotonic()

    def failed(self, result: FileResult) -> None:
        assert result.error is not None
        said = f"{result.file.stem}: {result.error.kind.value}: {result.error.message}"
        self._failures = [*self._failures, said][-_FAILURES_KEPT:]

    def close(self, progress: Progress | None) -> None:
        self._closing.set()
        self._ticker.join(timeout=1.0)
        self._keys.close()
        for stream in self._streams:
            stream.stop()
        self._host.close()
        with contextlib.suppress(Exception):  # the terminal has gone
            self._live.stop()
        if progress is not None:
            self._console.print(Text(sentence(progress)), soft_wrap=True)
        if self._host.path is not None:
            lines = count(self._host.count, "line")
            self._console.print(Text(f"{lines} of the host: {self._host.path}"), soft_wrap=True)

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
        view = View(
            progress,
            since_told_s=time.monotonic() - self._told_at,
            failures=tuple(self._failures),
            host_line=self._host.last,
            controls=self._controls.words,
            keys=self._keys.works,
        )
        width, height = max(20, self._console.width - 1), self._console.height
        self._live.update(live_lines(view, width, height), refresh=True)


def _terminal_streams() -> Iterator[TextIO]:
    for stream in (standard_stream("stdout"), standard_stream("stderr")):
        if stream is not None and is_terminal(stream):
            yield stream


class WholeLines:
    """Keeps whole lines from a stream, whoever writes to it; where they cannot be kept, they go on.

    Log handlers keep the stream that they were made with, so it is the stream itself that is
    changed (its ``write``) and not ``sys.stdout``. Each thread has a line of its own to finish.
    """

    def __init__(self, stream: TextIO, lines: HostLines) -> None:
        self._stream = stream
        self._lines = lines
        self._write = stream.write
        self._unfinished: dict[int, str] = {}

    def start(self) -> None:
        with contextlib.suppress(AttributeError):  # a stream that cannot be changed is left alone
            self._stream.write = self._take  # type: ignore[method-assign]

    def stop(self) -> None:
        """Give the stream back; a line without an end is kept as it is."""
        with contextlib.suppress(AttributeError):
            del self._stream.write
        rest = "".join(text + "\n" for text in self._unfinished.values() if text)
        self._unfinished.clear()
        if rest and not self._lines.take(rest):
            self._write(rest)
            self._stream.flush()

    def _take(self, text: str) -> int:
        me = threading.get_ident()
        whole, end, rest = (self._unfinished.get(me, "") + text).rpartition("\n")
        self._unfinished[me] = rest
        if end and not self._lines.take(whole + end):
            self._write(whole + end)
            self._stream.flush()
        return len(text)

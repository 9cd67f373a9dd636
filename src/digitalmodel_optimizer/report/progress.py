"""Progress while a batch runs: a live display on a terminal, plain lines elsewhere."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from digitalmodel_optimizer.plugin import Adjustment, Batch, FileResult, Progress, hookimpl
from digitalmodel_optimizer.report.console import is_terminal, make_console, standard_stream
from digitalmodel_optimizer.report.controls import Controls
from digitalmodel_optimizer.report.format import amount, count
from digitalmodel_optimizer.report.status import sentence

if TYPE_CHECKING:
    from rich.console import Console

PLAIN_INTERVAL_S = 5.0
# What rich takes for a word of the user that his output understands a terminal's language.
TERMINAL_VARIABLES = ("FORCE_COLOR", "TTY_COMPATIBLE")


class Display(Protocol):
    """What shows a progress; called under a lock."""

    def update(self, progress: Progress) -> None: ...

    def failed(self, result: FileResult) -> None: ...

    def close(self, progress: Progress | None) -> None: ...


class ProgressDisplay:
    """The plugin: starts with a batch and is gone after it; :meth:`close` when a batch breaks off.

    Writes to standard error only, and never raises: a display must not cost a batch.
    """

    def __init__(self, plain_interval_s: float = PLAIN_INTERVAL_S) -> None:
        self._plain_interval_s = plain_interval_s
        self._lock = threading.RLock()
        self._display: Display | None = None
        self._last: Progress | None = None
        self._controls = Controls()

    @hookimpl(trylast=True)
    def optimizer_batch_started(self, batch: Batch) -> None:
        with self._lock:
            self._last = None
            try:
                self._display = self._suitable_display(batch)
            except Exception:  # a display must not cost a batch
                self._display = None

    def _suitable_display(self, batch: Batch) -> Display | None:
        stream = standard_stream("stderr")
        if stream is None:
            return None
        # rich costs more to import than many a batch of few files takes.
        if is_terminal(stream) or any(os.environ.get(name) for name in TERMINAL_VARIABLES):
            console = make_console(stream)
            if console is not None and _can_be_drawn_on(console):
                from digitalmodel_optimizer.report.live import LiveDisplay

                return LiveDisplay(console, self._controls)
        return PlainDisplay(batch, self._plain_interval_s)

    @hookimpl
    def optimizer_progress(self, progress: Progress) -> None:
        with self._lock:
            self._last = progress
            self._show(lambda display: display.update(progress))

    @hookimpl
    def optimizer_file_finished(self, result: FileResult) -> None:
        if result.error is not None:
            with self._lock:
                self._show(lambda display: display.failed(result))

    @hookimpl(tryfirst=True)
    def optimizer_adjust(self, progress: Progress) -> Adjustment | None:
        """Asked twice a second: shows what has changed, does what the user wants."""
        self.optimizer_progress(progress)
        return self._controls.adjustment(progress)

    def _show(self, show: Callable[[Display], None]) -> None:
        if self._display is None:
            return
        try:
            show(self._display)
        except Exception:  # a display must not cost a batch
            self.close()

    @hookimpl(tryfirst=True)
    def optimizer_batch_finished(self) -> None:
        self.close()

    def close(self) -> None:
        """Give the terminal back as it was; may be called more than once."""
        with self._lock:
            display, self._display = self._display, None
            if display is not None:
                try:
                    display.close(self._last)
                except Exception:  # the terminal is gone: nothing to tidy up
                    return


def _can_be_drawn_on(console: Console) -> bool:
    return console.is_terminal and not console.is_dumb_terminal and not console.legacy_windows


class PlainDisplay:
    """A line at the start, one every few seconds at most, one at the end."""

    def __init__(self, batch: Batch, interval_s: float) -> None:
        self._interval_s = interval_s
        self._said_at = time.monotonic()
        self._said = ""
        line = f"{count(len(batch.files), 'file')}, {amount(batch.size_mb)} to post-process"
        if batch.files_resumed:
            line += f"; {batch.files_resumed} already finished by an interrupted run"
        if batch.files_reused:
            line += f"; {batch.files_reused} unchanged"
        self._print(line)

    def update(self, progress: Progress) -> None:
        now = time.monotonic()
        if now - self._said_at >= self._interval_s:
            self._said_at = now
            self._print(sentence(progress))

    def failed(self, result: FileResult) -> None:
        """The report names them all."""

    def close(self, progress: Progress | None) -> None:
        if progress is not None:
            self._print(sentence(progress))

    def _print(self, line: str) -> None:
        if line == self._said or sys.stderr is None:
            return
        self._said = line
        encoding = getattr(sys.stderr, "encoding", None) or "ascii"
        sys.stderr.write(line.encode(encoding, "replace").decode(encoding) + "\n")
        sys.stderr.flush()

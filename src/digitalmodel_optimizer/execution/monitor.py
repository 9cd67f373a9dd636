"""A thread that looks at the machine while a batch runs and lets the plugins act on it."""

from __future__ import annotations

import logging
import threading
import time
from types import TracebackType
from typing import Any

from digitalmodel_optimizer.contract import Settings
from digitalmodel_optimizer.execution.control import BatchControl, Tracker
from digitalmodel_optimizer.machine import measure_machine, tree_memory_mb

INTERVAL_S = 1.0
SAMPLE_S = 0.25
SAMPLING_SHARE = 0.02
_log = logging.getLogger(__name__)


class Monitor:
    """A context manager; samples memory from enter to exit, adjusts while a control is watched."""

    def __init__(self, hook: Any, settings: Settings, tracker: Tracker) -> None:
        self._hook = hook
        self._settings = settings
        self._tracker = tracker
        self._control: BatchControl | None = None
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="optimizer-monitor", daemon=True)
        self.memory_peak_mb = 0.0

    def watch(self, control: BatchControl | None) -> None:
        self._control = control

    def __enter__(self) -> Monitor:
        self._thread.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._sample()
        self._end.set()
        self._thread.join()

    def _watch(self) -> None:
        adjusted = time.monotonic()
        pause_s = SAMPLE_S
        while not self._end.wait(pause_s):
            start = time.monotonic()
            self._sample()
            # Looking at all processes of a busy machine takes long; spend little time on it.
            pause_s = max(SAMPLE_S, (time.monotonic() - start) / SAMPLING_SHARE)
            if start - adjusted >= INTERVAL_S:
                adjusted = start
                self._adjust()

    def _sample(self) -> None:
        self.memory_peak_mb = max(self.memory_peak_mb, tree_memory_mb())

    def _adjust(self) -> None:
        control = self._control
        if control is None:
            return
        progress = self._tracker.progress()
        try:
            adjustment = self._hook.optimizer_adjust(
                progress=progress, machine=measure_machine(), settings=self._settings
            )
        except Exception:  # a plugin's fault must not end the watch over memory
            _log.exception("optimizer_adjust failed")
            return
        if adjustment is not None and adjustment.workers != progress.workers_limit:
            control.adjust(adjustment)

"""A thread that looks at the machine while a batch runs and lets the plugins act on it."""

from __future__ import annotations

import logging
import threading
from types import TracebackType
from typing import Any

from digitalmodel_optimizer.contract import Settings
from digitalmodel_optimizer.execution.control import BatchControl, Tracker
from digitalmodel_optimizer.machine import measure_machine, tree_memory_mb

INTERVAL_S = 1.0
SAMPLE_S = 0.25
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
        passed_s = 0.0
        while not self._end.wait(SAMPLE_S):
            self._sample()
            passed_s += SAMPLE_S
            if passed_s >= INTERVAL_S:
                passed_s = 0.0
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

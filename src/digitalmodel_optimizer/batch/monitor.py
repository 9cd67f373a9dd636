"""A thread that looks at the machine while a batch runs and lets the plugins act on it."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import replace
from types import TracebackType

from digitalmodel_optimizer.batch.control import BatchControl, Tracker
from digitalmodel_optimizer.batch.machine import measure_machine, tree_usage
from digitalmodel_optimizer.plugin import Adjustment, PluginError, Settings
from digitalmodel_optimizer.plugin.manager import Manager

INTERVAL_S = 0.5
SAMPLE_S = 0.25
SAMPLING_SHARE = 0.02
_log = logging.getLogger(__name__)


class Monitor:
    """A context manager; samples memory from enter to exit, adjusts while a control is watched."""

    def __init__(self, manager: Manager, settings: Settings, tracker: Tracker) -> None:
        self._manager = manager
        self._settings = settings
        self._tracker = tracker
        self._control: BatchControl | None = None
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="optimizer-monitor", daemon=True)
        self._cpu_s = 0.0
        self._told_faults: set[str] = set()
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
        self._sample()
        adjusted, cpu_s = time.monotonic(), self._cpu_s
        pause_s = SAMPLE_S
        while not self._end.wait(pause_s):
            start = time.monotonic()
            self._sample()
            self._tell()
            # Looking at all processes of a busy machine takes long; spend little time on it.
            pause_s = max(SAMPLE_S, (time.monotonic() - start) / SAMPLING_SHARE)
            if start - adjusted >= INTERVAL_S:
                self._adjust(busy_cores=max(0.0, self._cpu_s - cpu_s) / (start - adjusted))
                adjusted, cpu_s = start, self._cpu_s

    def _tell(self) -> None:
        try:
            self._tracker.catch_up()
        except Exception:  # as in _adjust
            _log.exception("optimizer_progress failed")

    def _sample(self) -> None:
        memory_mb, self._cpu_s = tree_usage()
        self.memory_peak_mb = max(self.memory_peak_mb, memory_mb)

    def _adjust(self, busy_cores: float) -> None:
        control = self._control
        if control is None:
            return
        progress = replace(self._tracker.progress(), busy_cores=busy_cores)
        try:
            adjustment = self._manager.hook.optimizer_adjust(
                progress=progress, machine=measure_machine(), settings=self._settings
            )
            if not isinstance(adjustment, (Adjustment, type(None))):
                raise self._manager.wrong_answer("optimizer_adjust", adjustment, "an Adjustment")
        except Exception as error:  # a plugin's fault must not end the watch over memory
            self._tell_once(control, error)
            return
        if adjustment is not None and adjustment.workers != progress.workers_limit:
            control.adjust(adjustment)

    def _tell_once(self, control: BatchControl, error: Exception) -> None:
        """Asked twice a second, a plugin would fill the log with the same fault."""
        said = str(error)
        if not isinstance(error, PluginError):
            who = self._manager.culprit(error) or "optimizer_adjust"
            said = f"{who}: {type(error).__name__}: {error}"
        if said not in self._told_faults:
            self._told_faults.add(said)
            control.decide(f"no adjustment of the workers, since {said}")
            _log.error("%s", said, exc_info=error)

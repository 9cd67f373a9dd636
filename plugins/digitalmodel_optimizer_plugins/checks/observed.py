"""What a worker observes of one file: its model, and its results that are read."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from digitalmodel_optimizer.plugin import Request, RequestKind
from digitalmodel_optimizer_plugins.checks.limits import NO_NUMBER

# Times in files and settings are decimal, sample times are multiples.
_TOLERANCE = 1e-6
_MOST_NAMES = 20


class Observed:
    """One file; a provider that lacks a native call, or whose call fails, leaves a gap."""

    def __init__(self) -> None:
        self._status: dict[str, Any] = {}
        self._columns: dict[str, dict[str, str]] = {"outside": {}, "nan": {}, "flat": {}}

    def look_at_model(self, model: Any, path: str) -> None:
        """State, times and version of what was loaded; of several loads the last one counts."""
        times = _asked(lambda: model.simulationTimeStatus)
        self._status = {
            "state": _asked(lambda: str(model.state.name)),
            "start_s": _asked(lambda: float(times.StartTime)),
            "stop_s": _asked(lambda: float(times.StopTime)),
            "current_s": _asked(lambda: float(times.CurrentTime)),
            "version": _asked(lambda: str(_api().FileCreatorVersion(path))),
        }

    def look_at_results(self, requests: Sequence[Request], answers: Sequence[Any] | None) -> None:
        """Whatever was read; what the host reads by itself is not seen."""
        for request, answer in zip(requests, answers or [None] * len(requests), strict=False):
            period = self._outside(request.period)
            if period:
                self._note("outside", request, period)
            odd = None if answer is None else _odd(request.kind, answer)
            if odd is not None:
                self._note(odd[0], request, odd[1])

    def data(self) -> dict[str, Any]:
        """Plain data for the parent."""
        columns = {kind: list(found.items()) for kind, found in self._columns.items()}
        return {**self._status, **columns}

    def _note(self, kind: str, request: Request, detail: str) -> None:
        found = self._columns[kind]
        if len(found) < _MOST_NAMES:
            name = _asked(lambda: str(request.model_object.name)) or "an object"
            found.setdefault(f"{name}, {request.variable}", detail)

    def _outside(self, period: Any) -> str:
        """How a period that is given by its times leaves what was simulated; empty if it does not.

        A provider's own periods tell by their fields, as OrcFxAPI's do.
        """
        start_s, current_s = self._status.get("start_s"), self._status.get("current_s")
        specified = _asked(lambda: _api().PeriodNum.SpecifiedPeriod)
        if start_s is None or current_s is None or specified is None:
            return ""
        if getattr(period, "PeriodNum", None) != specified:
            return ""
        slack_s = _TOLERANCE * max(1.0, abs(current_s - start_s))
        if start_s - slack_s <= period.FromTime and period.ToTime <= current_s + slack_s:
            return ""
        return (
            f"{period.FromTime:g} to {period.ToTime:g} s asked for, {start_s:g} to {current_s:g} s "
            "simulated"
        )


def _odd(kind: RequestKind, answer: Any) -> tuple[str, str] | None:
    """``nan`` or ``flat``, and a word on it; None for results as they should be."""
    import numpy as np

    curves: Iterable[Any] = [answer]
    if kind is RequestKind.RANGE_GRAPH:
        curves = [getattr(answer, name, None) for name in ("Min", "Max", "Mean")]
    arrays = [curve for curve in curves if isinstance(curve, np.ndarray) and curve.size]
    for values in arrays:
        gaps = int(np.count_nonzero(~(np.abs(values) < NO_NUMBER)))
        if gaps:
            return "nan", f"{gaps} of {values.size} values are no number"
    if kind is RequestKind.TIME_HISTORY and arrays and arrays[0].size > 1:
        values = arrays[0]
        if values.min() == values.max():
            return "flat", f"{values[0]:g} in all {values.size} samples"
    return None


def _api() -> Any:
    """OrcFxAPI, which is there once a model is."""
    return sys.modules.get("OrcFxAPI")


def _asked(question: Callable[[], Any]) -> Any:
    try:
        return question()
    except Exception:  # another provider, an older library, a file that is being moved
        return None

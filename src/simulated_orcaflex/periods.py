"""Which rows of the log a period means."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .model import Model
from .runtime import structure
from .status import NativeError, Status

SPECIFIED, LATEST_WAVE, WHOLE_SIMULATION, STATIC_STATE, INSTANTANEOUS = range(32001, 32006)
_TOLERANCE = 1e-6
"""In samples: times in files and settings are decimal, sample times are multiples."""


@dataclass(frozen=True)
class Rows:
    """Rows `first` to `last` (not included) of the log; the static state is row 0."""

    first: int
    last: int

    @property
    def count(self) -> int:
        return self.last - self.first

    @property
    def is_static(self) -> bool:
        return self.first == 0


def rows_of_period(model: Model, argument: Any) -> Rows:
    """The rows that a Period structure names; NativeError if it has none."""
    period = structure(argument, "Period")
    if period is None:
        raise NativeError(Status.INVALID_PERIOD, "No period was given")
    if model.state < 2:
        raise NativeError(Status.INVALID_MODEL_STATE, "The model has no results: nothing is loaded")
    number = int(period.PeriodNum)
    if number == STATIC_STATE:
        return Rows(0, 1)
    if model.samples == 0:
        raise NativeError(Status.PERIOD_NOT_YET_STARTED, "The simulation has not started")
    if number == WHOLE_SIMULATION:
        return Rows(1, model.samples + 1)
    if number == INSTANTANEOUS:
        return Rows(model.samples, model.samples + 1)
    begin, end = _times(model, number, float(period.FromTime), float(period.ToTime))
    return _rows_between(model, begin, end)


def sample_times(model: Model, rows: Rows) -> NDArray[np.float64]:
    """The times of some rows in seconds; that of the static state is the start time."""
    if rows.is_static:
        return np.array([model.start_time_s])
    indices = np.arange(rows.first - 1, rows.last - 1, dtype=np.float64)
    return model.start_time_s + model.sample_interval_s * indices


def _times(model: Model, number: int, begin: float, end: float) -> tuple[float, float]:
    if number == SPECIFIED:
        if begin > end:
            raise NativeError(
                Status.INVALID_PERIOD, f"Invalid period: it begins at {begin} and ends at {end}"
            )
        return begin, end
    if number == LATEST_WAVE:
        return model.current_time_s - model.wave_period_s, model.current_time_s
    stages = model.general.data.get("StageDuration") or ()
    if not 0 <= number < len(stages):
        raise NativeError(Status.INVALID_PERIOD, f"Invalid period number {number}")
    begin = model.start_time_s + sum(stages[:number])
    return begin, begin + stages[number]


def _rows_between(model: Model, begin: float, end: float) -> Rows:
    if begin > model.current_time_s + _TOLERANCE * model.sample_interval_s:
        raise NativeError(
            Status.PERIOD_NOT_YET_STARTED,
            f"The period begins at {begin} s, the simulation got to {model.current_time_s} s",
        )
    if end < model.start_time_s:
        raise NativeError(
            Status.INVALID_PERIOD, f"The period ends at {end} s, before the simulation starts"
        )
    begin_sample = (begin - model.start_time_s) / model.sample_interval_s
    end_sample = (end - model.start_time_s) / model.sample_interval_s
    first = max(0, math.ceil(begin_sample - _TOLERANCE))
    last = min(model.samples - 1, math.floor(end_sample + _TOLERANCE))
    if last < first:
        # Shorter than the sample interval: the nearest sample.
        first = last = min(model.samples - 1, max(0, round(begin_sample)))
    return Rows(first + 1, last + 2)

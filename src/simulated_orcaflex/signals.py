"""Signals that look like results: a few shared components, combined by one matrix product."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_LOW_PERIODS_S = (97.0, 61.0, 43.0)
_WAVE_RATIOS = (0.72, 0.84, 0.93, 1.0, 1.08, 1.21)
_NOISE_COUNT = 4
COMPONENTS = 1 + 2 * len(_LOW_PERIODS_S) + 2 * len(_WAVE_RATIOS) + _NOISE_COUNT

FloatArray = NDArray[np.float32]


@dataclass(frozen=True)
class ColumnPart:
    """The columns of one result: one for a point, one for each node of a line.

    Mean, static value and standard deviations are in the result's units.
    """

    count: int
    mean: float
    static: float
    low_frequency_std: float
    wave_frequency_std: float
    noise_std: float


def component_values(
    times_s: NDArray[np.float64], peak_period_s: float, ramp_end_s: float, start_s: float, seed: int
) -> FloatArray:
    """The shared components at some times, shape (times, COMPONENTS), each of unit deviation.

    The first is one throughout and carries the mean. The others grow from zero at `start_s` to
    full size at `ramp_end_s` (the build-up). The same times and seed give the same values.
    """
    values = np.empty((times_s.size, COMPONENTS))
    values[:, 0] = 1.0
    periods = [*_LOW_PERIODS_S, *(peak_period_s * ratio for ratio in _WAVE_RATIOS)]
    for index, period in enumerate(periods):
        angle = times_s * (2.0 * np.pi / period)
        values[:, 1 + 2 * index] = np.cos(angle)
        values[:, 2 + 2 * index] = np.sin(angle)
    first_noise = 1 + 2 * len(periods)
    for index in range(_NOISE_COUNT):
        # A hash of the time, so that chunks of any size give the same noise.
        phase = np.sin(times_s * (12.9898 + 3.7 * index) + seed % 977) * 43758.5453
        values[:, first_noise + index] = (phase - np.floor(phase) - 0.5) * np.sqrt(12.0)
    if ramp_end_s > start_s:
        ramp = np.clip((times_s - start_s) / (ramp_end_s - start_s), 0.0, 1.0)
        values[:, 1:] *= ramp[:, None]
    return values.astype(np.float32)


def column_weights(parts: list[ColumnPart], seed: int) -> tuple[FloatArray, FloatArray]:
    """How the components make each column, shape (COMPONENTS, columns); and the static row.

    Columns of one part share their shape and change gently along the part, as along a line.
    """
    generator = np.random.default_rng(seed)
    columns = sum(part.count for part in parts)
    weights = np.empty((COMPONENTS, columns), dtype=np.float32)
    static = np.empty(columns, dtype=np.float32)
    low, wave = len(_LOW_PERIODS_S), len(_WAVE_RATIOS)
    start = 0
    for part in parts:
        here = slice(start, start + part.count)
        start += part.count
        along = np.linspace(0.0, 1.0, part.count) if part.count > 1 else np.zeros(1)
        tilt, shift = generator.uniform(-0.3, 0.3), generator.uniform(-0.1, 0.1)
        offset = part.mean * (tilt * along + shift)
        weights[0, here] = part.mean + offset
        static[here] = part.static + offset
        scale = 1.0 + 0.4 * along
        weights[1 : 1 + 2 * low, here] = _random_phases(
            generator, low, part.low_frequency_std, along, scale
        )
        weights[1 + 2 * low : 1 + 2 * (low + wave), here] = _random_phases(
            generator, wave, part.wave_frequency_std, along, scale
        )
        noise = generator.normal(size=(_NOISE_COUNT, part.count)) * (part.noise_std / 2.0)
        weights[1 + 2 * (low + wave) :, here] = noise
    return weights, static


def background_weights(columns: int, seed: int) -> FloatArray:
    """Weights for columns that only fill the log, shape (COMPONENTS, columns)."""
    generator = np.random.default_rng(seed + 1)
    return generator.standard_normal((COMPONENTS, columns), dtype=np.float32)


def _random_phases(
    generator: np.random.Generator,
    count: int,
    std: float,
    along: NDArray[np.float64],
    scale: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Cosine and sine weights of `count` waves of random size and phase, for each column."""
    sizes = generator.uniform(0.4, 1.0, size=count)
    sizes *= std * np.sqrt(2.0) / np.sqrt(np.sum(sizes**2))
    phases = generator.uniform(0.0, 2.0 * np.pi, size=count)[:, None] + 0.8 * along[None, :]
    result = np.empty((2 * count, along.size))
    result[0::2] = sizes[:, None] * np.cos(phases) * scale
    result[1::2] = sizes[:, None] * np.sin(phases) * scale
    return result

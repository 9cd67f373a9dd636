"""Each numeric path as it is and compiled by numba.

``python benchmarks/hot_paths/candidates.py``

Needs numba (``pip install numba``) and the host. Times are CPU milliseconds, the best of several.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from digitalmodel_optimizer_plugins.io_buffering.csv_writer import exact_csv

SAMPLES, CHANNELS = 36_000, 70
ROWS = 512
START = (
    "import numpy, time; s = time.process_time(); import kernels{}; print(time.process_time() - s)"
)


def cpu_s(function: Callable[[], Any], repeats: int = 7) -> tuple[float, Any]:
    best, result = float("inf"), None
    for _ in range(repeats):
        start = time.process_time()
        result = function()
        best = min(best, time.process_time() - start)
    return best, result


def table(near_zero: bool) -> pd.DataFrame:
    """Channels of slowly varying signals, rounded as the engine rounds them."""
    random = np.random.default_rng(1)
    scales = random.choice([1e-3] if near_zero else [0.1, 1.0, 10.0, 100.0], CHANNELS)
    signals = {f"c{n}": scale * signal(random) for n, scale in enumerate(scales)}
    return pd.DataFrame({"time": np.arange(SAMPLES) * 0.1, **signals}, copy=False).round(6)


def signal(random: np.random.Generator) -> Any:
    phase = random.uniform(0.0, 6.0)
    wave = np.sin(np.arange(SAMPLES) * random.uniform(0.05, 0.2) + phase)
    return wave + 0.1 * random.normal(size=SAMPLES)


def text_by_numba(whole: pd.DataFrame) -> bytes | None:
    import kernels

    columns = [whole.iloc[:, place].to_numpy() for place in range(whole.shape[1])]
    block = np.empty((ROWS, len(columns)))
    out = np.empty(block.size * 20, np.uint8)
    pieces = [",".join(whole.columns).encode() + b"\n"]
    for start in range(0, len(whole), ROWS):
        parts = [column[start : start + ROWS] for column in columns]
        rows = np.stack(parts, axis=1, out=block[: len(parts[0])])
        size = kernels.rows_text(rows, out, kernels.FOUR_DIGITS)
        if size < 0:
            return None
        pieces.append(out[:size].tobytes())
    return b"".join(pieces)


def show(words: str, now: Callable[[], Any], compiled: Callable[[], Any]) -> tuple[float, float]:
    now_s, expected = cpu_s(now)
    compiled_s, found = cpu_s(compiled)
    same = expected == found if isinstance(expected, bytes) else np.array_equal(expected, found)
    ratio = now_s / compiled_s
    print(f"{words:32}{now_s * 1e3:10.3f}{compiled_s * 1e3:10.3f}{ratio:8.1f}   {same}")
    return now_s, compiled_s


def main() -> None:
    with tempfile.TemporaryDirectory() as cache:
        os.environ["NUMBA_CACHE_DIR"] = cache
        measure()


def measure() -> None:
    try:
        import kernels
    except ModuleNotFoundError as error:
        sys.exit(f"{error}; this needs numba: pip install numba")
    import rainflow

    kernels.warm_up()
    one = signal(np.random.default_rng(2))
    print(f"{'CPU ms':32}{'now':>10}{'numba':>10}{'times':>8}   equal")
    plain, near_zero = table(near_zero=False), table(near_zero=True)
    index = {"index": False}
    by_pandas_s, _ = cpu_s(lambda: plain.to_csv(None, **index), repeats=1)
    print(f"{f'text, {SAMPLES} x {CHANNELS + 1}, by pandas':32}{by_pandas_s * 1e3:10.3f}")
    old_s, new_s = show(
        f"text, {SAMPLES} x {CHANNELS + 1}",
        lambda: exact_csv(plain, index),
        lambda: text_by_numba(plain),
    )
    show("text, near zero", lambda: exact_csv(near_zero, index), lambda: text_by_numba(near_zero))
    show(
        "Min, Max, Mean", lambda: (one.min(), one.max(), one.mean()), lambda: kernels.extremes(one)
    )
    show("rounding", lambda: np.round(one, 6), lambda: kernels.rounded(one))
    show(
        "histogram of 64 bins",
        lambda: np.histogram(one, bins=64, range=(-1.0, 1.0))[0],
        lambda: kernels.histogram(one, 64, -1.0, 1.0),
    )
    show(
        "rainflow count",
        lambda: np.array(list(rainflow.extract_cycles(one))),
        lambda: kernels.rainflow(one),
    )
    import_s, ready_s = started(""), started("; kernels.warm_up()")
    print(f"\nnumba in each process: import {import_s:.2f} s, kernels {ready_s - import_s:.2f} s")
    tracemalloc.start()
    size_mb = len(exact_csv(plain, index) or b"") / 1e6
    peak_mb = tracemalloc.get_traced_memory()[1] / 1e6
    tracemalloc.stop()
    print(f"a text of {size_mb:.0f} MB takes {peak_mb:.0f} MB at the peak while it is made")
    if old_s > new_s:
        needed_mb = size_mb * ready_s / (old_s - new_s)
        print(f"won back by {needed_mb:,.0f} MB of time series in each process")


def started(more: str) -> float:
    """CPU seconds that a new process takes for numba, beyond numpy."""
    command = [sys.executable, "-c", START.format(more)]
    folder = Path(__file__).parent
    texts = [subprocess.check_output(command, cwd=folder, text=True) for _ in range(3)]
    return min(map(float, texts))


if __name__ == "__main__":
    main()

"""The summaries of the floor: rows, the engine's statistics of them, and their text."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

FIXED = ["fe_filename", "fe_filename_stem", "run_status", "start_time", "stop_time"]
FIXED += ["description", "statistic"]


def write_summary(
    group: Mapping[str, Any], rows: list[list[Any]], plan: Mapping[str, Any], results: Path
) -> None:
    head = [*FIXED, *(column["label"] for column in group["columns"])]
    if plan["statistics"]:
        # The engine adds statistics to the table, and statistics of that table to it once more.
        for _ in range(2):
            rows = [*rows, *statistics(rows)]
    decimals = plan["summary_decimals"]
    lines = [",".join(head), *(",".join(_texts(row, decimals)) for row in rows), ""]
    path = results / f"{plan['name']}_{group['label']}.csv"
    path.write_text("\n".join(lines), encoding="utf-8")


def statistics(rows: list[list[Any]]) -> Iterator[list[Any]]:
    numeric = [3, 4, *range(len(FIXED), len(rows[0]))]
    values = np.array([[row[place] for place in numeric] for row in rows], dtype=float)
    # As pandas has it: what is missing does not count, and one value alone has no deviation.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        made = [ask(values, axis=0) for ask in (np.nanmin, np.nanmax, np.nanmean)]
        made.append(np.nanstd(values, axis=0, ddof=1))
    for name, numbers in zip(("min", "max", "mean", "stdev"), made, strict=True):
        row: list[Any] = [None] * len(rows[0])
        row[len(FIXED) - 1] = name
        for place, number in zip(numeric, numbers.tolist(), strict=True):
            row[place] = number
        yield row


def _texts(row: Sequence[Any], decimals: int) -> Iterator[str]:
    for value in row:
        if value is None or value != value:  # noqa: PLR0124 - what is not a number
            yield ""
        else:
            yield repr(round(value, decimals)) if isinstance(value, float) else str(value)

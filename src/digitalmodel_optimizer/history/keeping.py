"""A run and the history: what comparable runs took before it, and keeping it for those to come."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from digitalmodel_optimizer.history.store import (
    BASELINE,
    History,
    HistoryError,
    comparable,
    default_path,
)

# Reports (samples and files) of so many runs are kept; of older ones the row of figures stays.
KEPT_REPORTS = 200
_LOOKED_AT = 50
# A median of fewer says nothing.
LEAST_RUNS = 3


def look_back(facts: Mapping[str, Any]) -> dict[str, Any] | None:
    """What comparable runs of the same batch took: ``runs`` (how many), ``median_s``, ``least_s``
    and ``most_s`` of their loops, ``median_mb_per_s``, ``median_memory_mb``; ``baseline_s``: what
    the engine's own loop took, None where that is not known. None where there is neither.
    """
    from statistics import median

    path = default_path()
    if path is None or not facts["files_read"]:
        return None
    try:
        runs = History(path).runs(facts["source"] or facts["results_folder"], last=_LOOKED_AT)
    except HistoryError:  # keeping the run meets the same, and says so
        return None
    baselines = comparable(runs, facts, BASELINE)
    baseline_s = baselines[-1].elapsed_s if baselines else None
    found = comparable(runs, facts)
    if len(found) < LEAST_RUNS:
        return None if baseline_s is None else {"runs": 0, "baseline_s": baseline_s}
    seconds = [run.elapsed_s for run in found]
    return {
        "runs": len(found),
        "baseline_s": baseline_s,
        "median_s": median(seconds),
        "least_s": min(seconds),
        "most_s": max(seconds),
        "median_mb_per_s": median(run.mb_per_s or 0.0 for run in found),
        "median_memory_mb": median(run.memory_peak_mb for run in found),
    }


def keep(facts: dict[str, Any]) -> None:
    """Keep the run; its number is ``facts["run"]``. Why it could not be is a warning in them."""
    path = default_path()
    if path is None:
        return
    history = History(path)
    try:
        facts["run"] = history.add(facts)
        if facts["run"] % KEPT_REPORTS == 0:
            history.prune(reports=KEPT_REPORTS)
    except HistoryError as error:
        facts["warnings"].append(str(error))

"""The host's own command, with clocks on its numeric paths: ``python -m clocked_host CLOCKS.json``.

What stands behind CLOCKS.json is :mod:`digitalmodel_optimizer.measuring.timed_host`'s. Clocks count
CPU seconds of the thread that calls; the loop's are those of the whole process. A path that is
inside another one counts for both.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import wrapt

from digitalmodel_optimizer.measuring.timed_host import run

_ORCAFLEX = "digitalmodel.modules.orcaflex"
_SERIES = f"{_ORCAFLEX}.opp_time_series"
LOOP = "loop"
# What a path is, in words; where it begins.
PATHS = (
    (LOOP, f"{_ORCAFLEX}.opp", ("OrcaFlexPostProcess.post_process_router",)),
    ("text of tables", "digitalmodel_optimizer_plugins.io_buffering", ("_rendered",)),
    ("rounding of tables", "pandas", ("DataFrame.round",)),
    ("Min, Max, Mean of a result", f"{_ORCAFLEX}.opp_summary", ("OPPSummary.get_additional_data",)),
    (
        "statistics of summaries",
        "assetutilities.modules.data_exploration.data_exploration",
        ("DataExploration.get_df_with_basic_statistics",),
    ),
    (
        "  of which arithmetic",
        "pandas",
        tuple(f"Series.{s}" for s in ("min", "max", "mean", "std")),
    ),
    ("histories to columns", "digitalmodel_optimizer_plugins.result_extraction", ("_read",)),
    ("  of which OrcaFlex's part", "OrcFxAPI", ("GetMultipleTimeHistories",)),
    ("range graphs, native", f"{_ORCAFLEX}.opp_range_graph", ("OPPRangeGraph.get_RangeGraph",)),
    ("histograms", _SERIES, ("OPPTimeSeries.post_process_histograms",)),
    ("cumulative histograms", _SERIES, ("OPPTimeSeries.generate_cummulative_histograms",)),
    ("RAOs", _SERIES, ("OPPTimeSeries.post_process_RAOs",)),
    (
        "spectra",
        "digitalmodel.modules.time_series.time_series_components",
        ("TimeSeriesComponents.fft_analysis",),
    ),
    ("rainflow counts", "rainflow", ("extract_cycles",)),
)


def _clock(
    words: str, names: tuple[str, ...], spent: dict[str, Any]
) -> Callable[[ModuleType], None]:
    now = time.process_time if words == LOOP else time.thread_time

    def measured(wrapped: Any, _instance: Any, args: Any, kwargs: Any) -> Any:
        start = now()
        try:
            return wrapped(*args, **kwargs)
        finally:
            calls, cpu_s = spent[words]
            spent[words] = (calls + 1, cpu_s + now() - start)

    def set_up(module: ModuleType) -> None:
        for name in names:
            wrapt.wrap_function_wrapper(module, name, measured)

    return set_up


def main() -> None:
    clocks = Path(sys.argv[1])
    spent: dict[str, Any] = {words: (0, 0.0) for words, _, _ in PATHS}
    for words, module, names in PATHS:
        wrapt.register_post_import_hook(_clock(words, names, spent), module)
    try:
        run(Path(sys.argv[2]), sys.argv[5:])
    finally:
        clocks.write_text(json.dumps(spent), encoding="utf-8")


if __name__ == "__main__":
    main()

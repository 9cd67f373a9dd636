"""The real host's loop on the stand-in, in a process of its own."""

from __future__ import annotations

import csv
import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from stand_in import run_child

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("digitalmodel") is None
    or importlib.util.find_spec("OrcFxAPI") is None,
    reason="needs digitalmodel and OrcFxAPI",
)

HOST_RUN = """
import json, sys
from assetutilities.common.update_deep import AttributeDict
from digitalmodel.modules.orcaflex.opp import OrcaFlexPostProcess
cfg = AttributeDict(json.loads(sys.argv[1]))
OrcaFlexPostProcess().post_process(cfg)
"""


def column(label: str, name: str, variable: str, **settings: Any) -> dict[str, Any]:
    return {
        "Label": label,
        "ObjectName": name,
        "Variable": variable,
        "Command": "TimeHistory",
        "Statistic_Type": "Max",
        "SimulationPeriod": [0, 30],
        **settings,
    }


def host_configuration(files: list[Path], results: Path) -> dict[str, Any]:
    end_a = {"objectExtra": ["End A"]}
    summary = [
        column("tension_max", "Mooring 1", "Effective Tension", **end_a),
        column("tension_min", "Mooring 1", "Effective Tension", Statistic_Type="Min", **end_a),
        column("vessel_x", "Vessel 1", "X", Position=[10, 0, 5], Statistic_Type="Mean"),
        column("static_tension", "Mooring 2", "Effective Tension", Command="StaticResult", **end_a),
        column(
            "range_moment", "Mooring 1", "Bend Moment", Command="Range Graph", ArcLength=[20, 80]
        ),
        column("current", "Environment", ["RefCurrentSpeed"], Command="GetData"),
        column("hs", "Environment", ["WaveHs", 0], Command="GetData"),
    ]
    series = [
        column("tension", "Mooring 1", "Effective Tension", **end_a),
        column("hawser", "Hawser 1", "Tension", SimulationPeriod=[0, None]),
    ]
    flags = ("linked_statistics", "RangeGraph", "cummulative_histograms", "visualization")
    return {
        "meta": {"basename": "orcaflex"},
        "basename": "orcaflex",
        "file_management": {"input_files": {"sim": [str(path) for path in files]}},
        "orcaflex": {
            "postprocess": {
                "summary": {
                    "flag": True,
                    "statistics": dict.fromkeys(("Minimum", "Maximum", "Mean", "StdDev"), False),
                },
                "time_series": {"flag": True},
                **{name: {"flag": False} for name in flags},
            }
        },
        "summary_settings": {"groups": [{"Label": "main", "Columns": summary}]},
        "time_series_settings": {
            "data": True,
            "groups": [{"Label": "lines", "Columns": series}],
        },
        "Analysis": {
            "result_folder": str(results),
            "file_name": "batch",
            "file_name_for_overwrite": "batch",
        },
    }


def test_the_host_writes_its_summary_and_time_series(
    write: Callable[..., Path], tmp_path: Path
) -> None:
    results, logs = tmp_path / "results", tmp_path / "logs"
    results.mkdir()
    logs.mkdir()
    files = [write(f"case_{seed}.sim", seed=seed) for seed in (1, 2)]
    configuration = json.dumps(host_configuration(files, results))
    run_child(HOST_RUN, configuration, SIMULATED_ORCAFLEX_LOG=str(logs))

    with (results / "batch_main.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [row["fe_filename_stem"] for row in rows] == ["case_1", "case_2"]
    for row in rows:
        assert row["run_status"] == "SimulationStopped"
        assert float(row["tension_max"]) > float(row["tension_min"])
        for label in ("vessel_x", "static_tension", "range_moment", "current", "hs"):
            assert float(row[label]) == float(row[label]), label
    assert float(rows[0]["hs"]) == 1.25
    assert rows[0]["tension_max"] != rows[1]["tension_max"]

    for path in files:
        with (results / f"{path.stem}_lines.csv").open() as stream:
            lines = list(csv.DictReader(stream))
        assert len(lines) == 301
        assert float(lines[5]["time"]) == 0.5
        assert lines[5]["tension"] != lines[6]["tension"]
        assert float(lines[5]["hawser"])

    from simulated_orcaflex import read_log

    (record,) = read_log(logs)
    assert (record.created, record.alive, record.leaked) == (2, 0, 0)
    assert record.affinity_breaches == 0
    assert record.ended

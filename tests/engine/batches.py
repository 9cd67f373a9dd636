"""Batches to run: columns of every kind, configurations of the host, small simulation files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from simulated_orcaflex import (
    CurrentDescription,
    EnvironmentDescription,
    ObjectDescription,
    SimulationDescription,
    write_simulation,
)

BASENAME = "orcaflex_post_process"
OFF = {"flag": False}
NO_STATISTICS = dict.fromkeys(("Minimum", "Maximum", "Mean", "StdDev"), False)
ALL_STATISTICS = dict.fromkeys(NO_STATISTICS, True)


def simulation(**changes: Any) -> SimulationDescription:
    """A quick description: two vessels, a line of three sections, one object of each other kind.

    ``without`` leaves objects out by name; ``sea`` goes to the environment.
    """
    left_out = changes.pop("without", ())
    sea = changes.pop("sea", {})
    objects = (
        ObjectDescription("FST1", "Vessel"),
        ObjectDescription("FST2", "Vessel"),
        ObjectDescription(
            "Mooring1",
            "Line",
            nodes=5,
            section_lengths_m=(50.0, 100.0, 50.0),
            touchdown_arc_length_m=150.0,
        ),
        ObjectDescription("Mooring2", "Line", nodes=3),
        ObjectDescription("Strut1", "Constraint"),
        ObjectDescription("Hawser1", "Link"),
        ObjectDescription("Chain1", "Line Type"),
    )
    currents = (
        CurrentDescription("Current 1yr", 0.6, 30.0),
        CurrentDescription("Current 10yr", 0.9, 60.0),
    )
    environment = EnvironmentDescription(
        **{"currents": currents, "active_current": "Current 10yr", **sea}
    )
    return SimulationDescription(
        **{
            "objects": tuple(item for item in objects if item.name not in left_out),
            "environment": environment,
            "start_time_s": -5.0,
            "stop_time_s": 20.0,
            "sample_interval_s": 0.5,
            **changes,
        }
    )


def write(folder: Path, name: str, **changes: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.sim"
    write_simulation(path, simulation(**changes))
    return path


def write_bad(folder: Path, name: str, kind: str) -> Path:
    """A file that cannot be post-processed: missing, empty, text, truncated or corrupt."""
    path = folder / f"{name}.sim"
    if kind == "missing":
        return path
    whole = write(folder, name, seed=99).read_bytes()
    content = {
        "empty": b"",
        "text": b"this is no simulation\n" * 40,
        "truncated": whole[: len(whole) // 2],
        "corrupt": b"\0" * 64 + whole[64:],
    }[kind]
    path.write_bytes(content)
    return path


def column(
    label: str, name: str, variable: Any, command: str = "TimeHistory", **settings: Any
) -> dict[str, Any]:
    """A summary column; ``Max`` over [0, None] unless said otherwise."""
    entry = {"Label": label, "ObjectName": name, "Command": command, "Variable": variable}
    if command not in ("GetData", "Get Data"):
        entry |= {"Statistic_Type": "Max", "SimulationPeriod": [0, None]}
    return entry | settings


def series(label: str, name: str, variable: str, **settings: Any) -> dict[str, Any]:
    """A time-series column over [0, None] unless said otherwise."""
    return {
        "Label": label,
        "ObjectName": name,
        "Variable": variable,
        "SimulationPeriod": [0, None],
        **settings,
    }


def configuration(
    root: Path,
    files: Sequence[Path | str],
    summary: Sequence[tuple[str, list[dict[str, Any]]]] = (),
    time_series: Sequence[tuple[str, list[dict[str, Any]]]] = (),
    **changes: Any,
) -> dict[str, Any]:
    """What the host's ``engine(cfg=..., config_flag=False)`` takes, as JSON has it.

    ``parallel`` goes to ``orcaflex.parallel``; other ``changes`` replace keys of the whole.
    """
    parallel = changes.pop("parallel", {})
    statistics = changes.pop("statistics", NO_STATISTICS)
    results = root / "results"
    postprocess = {
        "summary": {"flag": bool(summary), "statistics": dict(statistics)},
        "time_series": {"flag": bool(time_series)},
        **{
            name: dict(OFF)
            for name in ("linked_statistics", "RangeGraph", "cummulative_histograms")
        },
        "visualization": dict(OFF),
    }
    return {
        "meta": {"library": "digitalmodel", "basename": BASENAME},
        "basename": BASENAME,
        "file_management": {"flag": True, "input_files": {"sim": [str(path) for path in files]}},
        "orcaflex": {
            "parallel": {"enabled": True, "progress": False, **parallel},
            "postprocess": postprocess,
        },
        "summary_settings": {"groups": _groups(summary)},
        "time_series_settings": {"data": True, "groups": _groups(time_series)},
        "Analysis": {
            "basename": BASENAME,
            "analysis_root_folder": str(root),
            "result_folder": str(results),
            "file_name": "batch",
            "file_name_for_overwrite": "batch",
        },
        **changes,
    }


def _groups(groups: Sequence[tuple[str, list[dict[str, Any]]]]) -> list[dict[str, Any]]:
    return [{"Label": label, "Columns": columns} for label, columns in groups]


def backend(name: str, workers: int = 2, **blocks: Any) -> dict[str, Any]:
    """``orcaflex.parallel`` for ``workers`` workers on the backend ``name``."""
    executor: dict[str, Any] = {"backend": name}
    if name == "hybrid":
        executor |= {"processes": 1, "threads_inside": 2}
    allocation = {"size_classes": f"{workers}", "worker_start_s": 0.0, "assumed_mb_per_s": 0.1}
    return {
        "threads": workers,
        "plugins": {"hybrid-executor": executor, "thread-allocation": allocation, **blocks},
    }


END_A: dict[str, Any] = {"objectExtra": ["End A"]}


def every_summary() -> list[tuple[str, list[dict[str, Any]]]]:
    """Summary columns of every command, period, extra and statistic."""
    tension, moment = "Effective Tension", "Bend Moment"
    histories = [
        column("t_max", "Mooring1", tension, **END_A),
        column("t_min", "Mooring1", tension, Statistic_Type="Min", **END_A),
        column("t_mean", "Mooring1", tension, Statistic_Type="Mean", objectExtra=["End B"]),
        column("t_touch", "Mooring1", tension, objectExtra=["Touchdown"]),
        column("t_arc", "Mooring1", tension, ArcLength=[75]),
        column("x_default", "FST1", "X"),
        column("x_position", "FST1", "X", Position=[10, 0, 5]),
        column("strut", "Strut1", "Connection Force", SimulationPeriod=[2, 10]),
        column("hawser_point", "Hawser1", "Tension", SimulationPeriod=[4]),
        column("hawser_open", "Hawser1", "Tension", SimulationPeriod=[None, None]),
        column("hawser_whole", "Hawser1", "Tension", SimulationPeriod="WholeSimulation"),
        column("hawser_wave", "Hawser1", "Tension", SimulationPeriod="LatestWave"),
        column("hawser_static", "Hawser1", "Tension", SimulationPeriod="StaticState"),
        column("unknown", "Hawser1", "No Such Result"),
        column("elevation", "Environment", "Elevation"),
    ]
    statics = [
        column("s_strut", "Strut1", "Connection Force", "Static Result"),
        column("s_end", "Mooring1", tension, "StaticResult", **END_A),
        column("s_unknown", "Mooring1", "No Such Result", "StaticResult"),
        column("s_again", "Strut1", "Connection Force", "Static Result"),
        column("s_again", "Strut1", "Connection Moment", "Static Result"),
    ]
    ranges = [
        column("r_max", "Mooring1", moment, "Range Graph"),
        column("r_min", "Mooring1", moment, "Range Graph", Statistic_Type="Min"),
        column("r_mean", "Mooring1", moment, "Range Graph", Statistic_Type="Mean"),
        column("r_arc", "Mooring1", tension, "Range Graph", ArcLength=[20, 120]),
        column("r_section", "Mooring1", tension, "Range Graph", objectExtra=["Section", [2]]),
        column("r_sections", "Mooring1", tension, "Range Graph", objectExtra=["Section", [1, 2]]),
        column("r_part", "Mooring2", moment, "Range Graph", SimulationPeriod=[1, 9]),
    ]
    data = [
        column("hs", "Environment", ["WaveHs", 0], "GetData"),
        column("hs_one", "Environment", ["WaveHs"], "GetData"),
        column("current", "Environment", ["RefCurrentSpeed"], "Get Data"),
        column("direction", "Environment", ["RefCurrentDirection", 0], "GetData"),
    ]
    return [("histories", histories), ("statics", statics), ("ranges", ranges), ("data", data)]


def every_time_series() -> list[tuple[str, list[dict[str, Any]]]]:
    """Time-series columns: open and closed periods, a missing object, an unknown result."""
    motions = [
        series("x", "FST1", "X"),
        series("y", "FST2", "Y", Position=[0, 1, 2]),
        series("y", "FST1", "Y"),
    ]
    forces = [
        series("strut", "Strut1", "Connection Force", SimulationPeriod=[1, 8]),
        series("end", "Mooring1", "Effective Tension", SimulationPeriod=[1, 8], **END_A),
    ]
    gaps = [
        series("absent", "No Such Object", "X"),
        series("unknown", "Hawser1", "No Such Result"),
    ]
    mixed = [series("b", "Hawser1", "No Such Result"), series("a", "Hawser1", "Tension")]
    return [("motions", motions), ("forces", forces), ("gaps", gaps), ("mixed", mixed)]

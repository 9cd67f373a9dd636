"""Made-up studies in the shape of real ones: two moored terminals, with and without carrier.

``dm_fsts`` has many small simulation files, ``dm_fsts_lngc`` fewer and larger ones, as real
batches of these names have. The models are named alike and asked alike: static tensions, extremes
of motions and of connection forces, bend moments along mooring lines, some time series.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from digitalmodel_optimizer.config.configuration import TEST_DATA
from simulated_orcaflex import (
    CurrentDescription,
    EnvironmentDescription,
    ObjectDescription,
    SimulationDescription,
    VariableDescription,
    write_simulation,
)

BASENAME = "orcaflex_post_process"
_WHOLE = [0, None]
_LINE_RESULTS = (
    VariableDescription("Effective Tension", "kN", 1200.0, 80.0, 110.0, 3.0),
    VariableDescription("Bend Moment", "kN.m", 35.0, 3.0, 8.0, 0.4),
    VariableDescription("Declination", "deg", 120.0, 1.0, 2.5),
)


@dataclass(frozen=True)
class Study:
    """A batch to make: its configuration's name, how many files, how large each (decimal MB)."""

    name: str
    files: int
    file_mb: float
    duration_s: float = 600.0
    sample_interval_s: float = 0.1
    vessels: tuple[str, ...] = ("FST1", "FST2")
    mooring_lines: int = 8
    struts: int = 8
    hawsers: int = 10
    line_types: int = 60


DM_FSTS = Study("dm_fsts", files=60, file_mb=6.7)
DM_FSTS_LNGC = Study(
    "dm_fsts_lngc",
    files=4,
    file_mb=140.0,
    duration_s=3600.0,
    vessels=("FST1", "FST2", "LNGC"),
    hawsers=9,
)


def describe_file(study: Study, number: int) -> SimulationDescription:
    """The simulation of load case ``number``: same objects, another sea."""
    heading = 30.0 * (number % 12)
    sea = EnvironmentDescription(
        wave_hs_m=1.0 + 0.25 * (number % 9),
        wave_tp_s=6.0 + 0.5 * (number % 13),
        wave_direction_deg=heading,
        water_depth_m=32.0,
        currents=(
            CurrentDescription("Current 1yr", 0.6, heading),
            CurrentDescription("Current 10yr", 0.9, heading),
        ),
        active_current="Current 10yr",
    )
    return SimulationDescription(
        objects=tuple(_objects(study)),
        environment=sea,
        start_time_s=-10.0,
        stop_time_s=study.duration_s,
        sample_interval_s=study.sample_interval_s,
        size_mb=study.file_mb,
        seed=1000 + number,
    )


def _objects(study: Study) -> Iterator[ObjectDescription]:
    for vessel in study.vessels:
        yield ObjectDescription(vessel, "Vessel")
    for number in range(1, study.mooring_lines + 1):
        yield ObjectDescription(f"Mooring{number}", "Line", _LINE_RESULTS, nodes=5)
    for number in range(1, study.struts + 1):
        yield ObjectDescription(f"Strut{number}", "Constraint")
    for number in range(1, study.hawsers + 1):
        yield ObjectDescription(f"Hawser{number}", "Link")
    for number in range(1, study.line_types + 1):
        yield ObjectDescription(f"Chain{number}", "Line Type")


def write_files(study: Study, folder: Path) -> Iterator[Path]:
    """Write the study's simulation files one after the other."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(1, study.files + 1):
        path = folder / f"{study.name}_lc{number:04d}.sim"
        write_simulation(path, describe_file(study, number))
        yield path


def base_configuration() -> dict[str, Any]:
    """A base configuration of our own: the host's wheel brings none, and it will not do without."""
    off = {"flag": False}
    statistics = {"Minimum": True, "Maximum": True, "Mean": True, "StdDev": True}
    return {
        "meta": {"library": "digitalmodel", "basename": BASENAME},
        "default": {"log_level": "ERROR", "config": {"overwrite": {"output": True}}},
        "orcaflex": {
            "postprocess": {
                "visualization": dict(off),
                "summary": {"flag": False, "statistics": statistics},
                "linked_statistics": dict(off),
                "RangeGraph": dict(off),
                "time_series": dict(off),
                "cummulative_histograms": dict(off),
                "RAOs": dict(off),
            }
        },
        "file_management": {"flag": True, "input_directory": None, "output_directory": None},
    }


def configuration(study: Study, enabled: bool, files: str = "sim") -> dict[str, Any]:
    """The user's ``<name>.yml``: what to read of each model, and the block that enables us."""
    statistics = {"Minimum": True, "Maximum": True, "Mean": True, "StdDev": True}
    return {
        "meta": {"library": "digitalmodel", "basename": BASENAME},
        "orcaflex": {
            "parallel": {"enabled": enabled, "threads": "auto"},
            "postprocess": {
                "summary": {"flag": True, "statistics": statistics},
                "time_series": {"flag": True},
            },
        },
        "file_management": {
            "flag": True,
            "input_directory": files,
            "output_directory": "results",
            "filename": {"extension": ["sim"], "pattern": None},
        },
        "summary_settings": {"groups": list(_summary_groups(study))},
        "time_series_settings": {"data": True, "groups": list(_time_series_groups(study))},
    }


def _summary_groups(study: Study) -> Iterator[dict[str, Any]]:
    yield {
        "Label": "vessel_motions",
        "Columns": [
            history_column(vessel, variable, statistic)
            for vessel in study.vessels[:2]
            for variable in ("X", "Y", "Rotation 1", "Rotation 2")
            for statistic in ("Min", "Max")
        ],
    }
    yield {
        "Label": "struts",
        "Columns": [
            *(_static(f"Strut{number}", "Connection Force") for number in _first(study.struts, 8)),
            *(
                history_column(f"Strut{number}", "Connection Force", statistic)
                for number in _first(study.struts, 8)
                for statistic in ("Min", "Max")
            ),
        ],
    }
    yield {
        "Label": "moorings",
        "Columns": [
            *(
                _static(f"Mooring{n}", "Effective Tension", ["End A"])
                for n in _first(study.mooring_lines, 8)
            ),
            *(
                history_column(f"Mooring{n}", "Effective Tension", "Max", ["End A"])
                for n in _first(study.mooring_lines, 8)
            ),
            *(_range(f"Mooring{n}", "Bend Moment", "Max") for n in _first(study.mooring_lines, 4)),
            *(
                _range(f"Mooring{n}", "Effective Tension", statistic)
                for n in _first(study.mooring_lines, 2)
                for statistic in ("Min", "Max")
            ),
            *(history_column(f"Hawser{n}", "Tension", "Max") for n in _first(study.hawsers, 8)),
        ],
    }
    yield {
        "Label": "environment",
        "Columns": [
            _data("wave_hs", ["WaveHs", 0]),
            _data("current_speed", ["RefCurrentSpeed"]),
        ],
    }


def _time_series_groups(study: Study) -> Iterator[dict[str, Any]]:
    yield {
        "Label": "motions",
        "Columns": [
            series_column(vessel, variable)
            for vessel in study.vessels[:2]
            for variable in ("X", "Y")
        ],
    }
    yield {
        "Label": "forces",
        "Columns": [
            series_column(f"Strut{number}", "Connection Force")
            for number in _first(study.struts, 4)
        ],
    }


def _first(count: int, most: int) -> range:
    return range(1, min(count, most) + 1)


def _label(name: str, variable: str, ending: str) -> str:
    return f"{name}_{variable.replace(' ', '_')}_{ending}"


def _static(name: str, variable: str, extra: list[str] | None = None) -> dict[str, Any]:
    column = {
        "ObjectName": name,
        "Command": "Static Result",
        "Variable": variable,
        "Label": _label(name, variable, "static"),
    }
    return column if extra is None else {**column, "objectExtra": extra}


def history_column(
    name: str, variable: str, statistic: str, extra: list[str] | None = None
) -> dict[str, Any]:
    column = {
        "ObjectName": name,
        "Command": "TimeHistory",
        "Variable": variable,
        "SimulationPeriod": list(_WHOLE),
        "Statistic_Type": statistic,
        "Label": _label(name, variable, statistic),
    }
    return column if extra is None else {**column, "objectExtra": extra}


def _range(name: str, variable: str, statistic: str) -> dict[str, Any]:
    return {
        "ObjectName": name,
        "Command": "Range Graph",
        "Variable": variable,
        "SimulationPeriod": list(_WHOLE),
        "Statistic_Type": statistic,
        "Label": _label(name, variable, f"range_{statistic}"),
    }


def _data(label: str, variable: list[Any]) -> dict[str, Any]:
    return {
        "ObjectName": "Environment",
        "Command": "GetData",
        "Variable": variable,
        "Label": label,
    }


def series_column(name: str, variable: str) -> dict[str, Any]:
    return {
        "ObjectName": name,
        "Variable": variable,
        "SimulationPeriod": list(_WHOLE),
        "Label": _label(name, variable, "series"),
    }


def write_configuration(folder: Path, study: Study, enabled: bool, files: str = "sim") -> Path:
    """Write ``<name>.yml`` and the base configuration where the host looks for it."""
    from ruamel.yaml import YAML

    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    base = folder / TEST_DATA / f"{BASENAME}.yml"
    base.parent.mkdir(parents=True, exist_ok=True)
    with base.open("w", encoding="utf-8") as stream:
        yaml.dump(base_configuration(), stream)
    path = folder / f"{study.name}.yml"
    with path.open("w", encoding="utf-8") as stream:
        yaml.dump(configuration(study, enabled, files), stream)
    return path

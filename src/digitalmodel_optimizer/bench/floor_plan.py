"""What the floor has to read and write: taken from the configuration that the engine saves.

The saved configuration is the merged one, its files in the engine's order and its open periods
closed as the engine's loop left them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson

DEFAULT_DECIMALS = 6
_COMMANDS = {
    "TimeHistory": "history",
    "Static Result": "static",
    "StaticResult": "static",
    "Range Graph": "range",
    "GetData": "data",
    "Get Data": "data",
}


class NotForTheFloorError(Exception):
    """The batch asks for something that the floor does not know how to read."""


def write_plan(saved: Path, name: str, path: Path) -> None:
    """Write the plan of the floor for the batch ``name``, whose configuration was ``saved``.

    :raises NotForTheFloorError: in words what it cannot read.
    """
    import yaml  # the host's own reader: others take the variable Y for a boolean

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    with saved.open("rb") as stream:
        content = yaml.load(stream, Loader=loader)  # noqa: S506 - a safe loader, both of them
    path.write_bytes(orjson.dumps(make_plan(content, name)))


def make_plan(saved: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Files, groups of columns with the names of their tables, decimals, statistics."""
    wanted = saved["orcaflex"]["postprocess"]
    for part in ("linked_statistics", "RangeGraph", "cummulative_histograms", "visualization"):
        if (wanted.get(part) or {}).get("flag"):
            raise NotForTheFloorError(f"{part} is switched on")
    summary, series = wanted["summary"], wanted["time_series"]
    shown = bool(series.get("flag")) and bool(saved.get("time_series_settings", {}).get("data"))
    return {
        "files": [str(file) for file in saved["file_management"]["input_files"]["sim"]],
        "name": saved.get("Analysis", {}).get("file_name", name),
        "summary": list(_groups(saved, "summary_settings")) if summary.get("flag") else [],
        "series": list(_groups(saved, "time_series_settings")) if shown else [],
        "summary_decimals": summary.get("csv_decimal", DEFAULT_DECIMALS),
        "series_decimals": series.get("csv_decimal", DEFAULT_DECIMALS),
        "statistics": any((summary.get("statistics") or {}).values()),
    }


def _groups(saved: Mapping[str, Any], section: str) -> Iterator[dict[str, Any]]:
    for group in saved[section]["groups"]:
        columns = [_column(column) for column in group["Columns"]]
        if len({column["label"] for column in columns}) < len(columns):
            raise NotForTheFloorError(f"group {group['Label']} has two columns of one name")
        yield {"label": group["Label"], "columns": columns}


def _column(column: Mapping[str, Any]) -> dict[str, Any]:
    """One column, in words that need no further thought."""
    where = f"column {column['Label']}"
    command = column.get("Command", "TimeHistory")
    if command not in _COMMANDS or "transform" in column:
        raise NotForTheFloorError(f"{where}: {command}, or a transform")
    variable = column["Variable"]
    if "Support" in variable or variable in ("Rigid Pipe", "Line"):
        raise NotForTheFloorError(f"{where}: {variable}")
    period = column.get("SimulationPeriod")
    if isinstance(period, list) and len(period) == 1:
        period = period * 2
    return {
        "label": column["Label"],
        "kind": _COMMANDS[command],
        "object": column["ObjectName"],
        "variable": variable,
        "period": period,
        "statistic": column.get("Statistic_Type"),
        "extra": column.get("objectExtra"),
        "arc_length": column.get("ArcLength"),
        "position": column.get("Position") or [0, 0, 0],
    }

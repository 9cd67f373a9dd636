"""Foreseeing what the engine will ask a model for, from the columns of its configuration.

Each column is put through the engine's own ``get_orcaflex_objects``, which gives object, period,
object extra and range; the answer is kept for the moment when the engine asks for it itself. A
column that cannot be foreseen is left to the engine.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from typing import Any

from digitalmodel_optimizer.file.context import FileContext
from digitalmodel_optimizer.file.keys import NotUnderstoodError
from digitalmodel_optimizer.file.reader import request_key
from digitalmodel_optimizer.plugin import Request, RequestKind

TIME_HISTORY = ("TimeHistory",)
STATIC_RESULT = ("Static Result", "StaticResult")
RANGE_GRAPH = ("Range Graph",)
GetObjects = Callable[[Any, Any], tuple[Any, ...]]


def column_key(column: Any) -> Hashable:
    """A column as it stands now: the engine changes a column's period between two questions."""
    period = column.get("SimulationPeriod")
    return (id(column), tuple(period) if isinstance(period, list) else period)


# What a time-series column is read by, whatever command it names.
SERIES = "time series"


def columns_to_read(cfg: Any) -> Iterator[tuple[str, Any]]:
    """(command, column) of every summary and time-series column that this batch asks for."""
    wanted = cfg["orcaflex"]["postprocess"]
    if _flag(wanted, "summary"):
        for column in _columns(cfg, "summary_settings"):
            yield str(column.get("Command")), column
    if _flag(wanted, "time_series") and cfg.get("time_series_settings", {}).get("data"):
        for column in _columns(cfg, "time_series_settings"):
            yield SERIES, column


def _flag(wanted: Any, name: str) -> bool:
    part = wanted.get(name)
    return isinstance(part, Mapping) and bool(part.get("flag"))


def _columns(cfg: Any, section: str) -> Iterator[Any]:
    for group in (cfg.get(section) or {}).get("groups") or ():
        for column in group.get("Columns") or ():
            if isinstance(column, Mapping):
                yield column


def objects_lacking(model: Any, cfg: Any) -> list[str]:
    """Names of the objects that columns ask for and ``model`` does not have."""
    lacking: dict[str, None] = {}
    for _, column in columns_to_read(cfg):
        name = column.get("ObjectName")
        try:
            model[name]
        except Exception:  # of whatever kind the binding's is
            lacking[str(name)] = None
    return list(lacking)


def plan_requests(
    context: FileContext, cfg: Any, get_objects: GetObjects
) -> list[tuple[Hashable, Request]]:
    """The requests of one file in the order of its columns, with their keys."""
    plan: list[tuple[Hashable, Request]] = []
    for command, column in columns_to_read(cfg):
        if command not in (SERIES, *TIME_HISTORY, *STATIC_RESULT, *RANGE_GRAPH):
            continue
        try:
            entry = _foresee(context, command, column, get_objects)
        except Exception:  # the engine will meet the same error, and it is the engine's to tell
            continue
        if entry is not None:
            plan.append(entry)
    return plan


def _foresee(
    context: FileContext, command: str, column: Any, get_objects: GetObjects
) -> tuple[Hashable, Request] | None:
    asked = _with_closed_period(column, context.model_dict) if command == SERIES else column
    parts = get_objects(context.model_dict, asked)
    owner, period, arclength_range, extra, variable = parts[:5]
    context.column_memo[(id(column), column_key(asked)[1])] = parts  # type: ignore[index]
    if owner is None:
        return None
    ranges = command in RANGE_GRAPH
    kind = RequestKind.RANGE_GRAPH if ranges else RequestKind.TIME_HISTORY
    asked_for = (
        variable,
        context.static_state if command in STATIC_RESULT else period,
        None if ranges else extra,
        arclength_range if ranges else None,
    )
    assert context.model is not None
    try:
        key = request_key(context.model._self_freezer, kind, id(owner), *asked_for)
    except NotUnderstoodError:
        return None
    return key, Request(kind, owner.__wrapped__, *asked_for)


def _with_closed_period(column: Any, model_dict: Any) -> Any:
    """The column with an open period closed at the stop time, as the time-series loop does."""
    period = column.get("SimulationPeriod")
    if isinstance(period, list) and len(period) == 2 and period[1] is None:
        return {**column, "SimulationPeriod": [period[0], model_dict["stop_time"]]}
    return column

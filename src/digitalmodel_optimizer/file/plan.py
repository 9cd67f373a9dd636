"""Planning what the engine will ask a model for, from the columns of its configuration.

Each column is put through the engine's own ``get_orcaflex_objects``, which gives object, period,
object extra and range; the answer is kept for the moment when the engine asks for it itself. A
column that cannot be planned is left to the engine.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

from digitalmodel_optimizer.file.context import FileContext
from digitalmodel_optimizer.file.keys import UncacheableArgumentError
from digitalmodel_optimizer.file.reader import request_key
from digitalmodel_optimizer.host.config import (
    RANGE_GRAPH,
    READ_AS_SERIES,
    STATIC_RESULT,
    TIME_HISTORY,
    HostConfig,
    column_key,
    object_name,
    with_closed_period,
)
from digitalmodel_optimizer.plugin import Request, RequestKind

GetObjects = Callable[[Any, Any], tuple[Any, ...]]
_PLANNED = (READ_AS_SERIES, *TIME_HISTORY, *STATIC_RESULT, *RANGE_GRAPH)


def objects_lacking(model: Any, cfg: Any) -> list[str]:
    """Names of the objects that columns ask for and ``model`` does not have."""
    lacking: dict[str, None] = {}
    for _, _, column in HostConfig(cfg).columns_to_read():
        name = object_name(column)
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
    for command, _, column in HostConfig(cfg).columns_to_read():
        if command not in _PLANNED:
            continue
        try:
            entry = _planned(context, command, column, get_objects)
        except Exception:  # noqa: S112 - the engine will meet the same error, and it is the engine's to tell
            continue
        if entry is not None:
            plan.append(entry)
    return plan


def _planned(
    context: FileContext, command: str, column: Any, get_objects: GetObjects
) -> tuple[Hashable, Request] | None:
    asked = column
    if command == READ_AS_SERIES:
        asked = with_closed_period(column, context.model_dict["stop_time"])
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
    except UncacheableArgumentError:
        return None
    return key, Request(kind, owner.__wrapped__, *asked_for)

"""Native functions on lines: their nodes and their range graphs."""

from __future__ import annotations

from typing import Any

import numpy as np

from .model import ModelObject, object_from_handle, owning_model
from .periods import rows_of_period
from .range_graphs import nodes_in_range, range_graph
from .results import nearest_node, variable_of
from .runtime import assign, native, number, store_array, structure
from .status import NativeError, Status

_CURVES = ("X", "Min", "Max", "Mean", "StdDev")


def _line(handle: Any) -> ModelObject:
    item = object_from_handle(handle)
    if not item.is_line:
        raise NativeError(Status.RANGE_GRAPH_ERROR, f"{item.name} is no line: no range graphs")
    return item


@native("C_GetRangeGraphNumOfPoints")
def get_range_graph_num_of_points(handle: Any, identifier: Any) -> int:
    return _point_count(handle, None, identifier)


@native("C_GetRangeGraphNumOfPoints2")
def get_range_graph_num_of_points_2(handle: Any, arc_length_range: Any, identifier: Any) -> int:
    return _point_count(handle, arc_length_range, identifier)


@native("C_GetRangeGraphNumOfPoints3")
def get_range_graph_num_of_points_3(
    handle: Any, period: Any, arc_length_range: Any, identifier: Any
) -> int:
    rows_of_period(owning_model(handle), period)
    return _point_count(handle, arc_length_range, identifier)


def _point_count(handle: Any, arc_length_range: Any, identifier: Any) -> int:
    item = _line(handle)
    variable_of(item, int(number(identifier)))
    nodes = nodes_in_range(item, arc_length_range)
    return int(nodes.stop - nodes.start)


@native("C_GetRangeGraphCurveNamesW")
def get_range_graph_curve_names(
    handle: Any, extra: Any, period: Any, identifier: Any, names: Any
) -> None:
    item = _line(handle)
    structure(extra, "ObjectExtra")
    rows_of_period(item.model, period)
    variable_of(item, int(number(identifier)))
    target = structure(names, "RangeGraphCurveNames")
    target.Min, target.Max = "Minimum", "Maximum"
    target.Mean, target.StdDev = "Mean", "Std Dev"
    target.Upper = target.Lower = ""


@native("C_GetRangeGraph3W")
def get_range_graph_3(handle: Any, extra: Any, period: Any, identifier: Any, *curves: Any) -> None:
    _range_graph(handle, extra, period, None, identifier, curves)


@native("C_GetRangeGraph4W")
def get_range_graph_4(
    handle: Any, extra: Any, period: Any, arc_length_range: Any, identifier: Any, *curves: Any
) -> None:
    _range_graph(handle, extra, period, arc_length_range, identifier, curves)


def _range_graph(
    handle: Any,
    extra: Any,
    period: Any,
    arc_length_range: Any,
    identifier: Any,
    curves: tuple[Any, ...],
) -> None:
    item = _line(handle)
    structure(extra, "ObjectExtra")
    nodes = nodes_in_range(item, arc_length_range)
    rows = rows_of_period(item.model, period)
    graph = range_graph(item, int(number(identifier)), rows, nodes)
    for name, target in zip(_CURVES, curves, strict=False):
        store_array(target, graph[name])
    for limit in curves[len(_CURVES) :]:
        # Upper and lower limits: no result here has any.
        store_array(limit, np.full(graph["X"].size, np.nan))


@native("C_GetNodeArclengths")
def get_node_arclengths(handle: Any, values: Any, count: Any) -> None:
    arc_lengths = _line(handle).arc_lengths
    assert arc_lengths is not None
    store_array(values, arc_lengths)
    assign(count, arc_lengths.size)


@native("C_GetNearestNodeArclength")
def get_nearest_node_arclength(handle: Any, wanted: Any, result: Any) -> None:
    item = _line(handle)
    assert item.arc_lengths is not None
    assign(result, float(item.arc_lengths[nearest_node(item, float(number(wanted)))]))

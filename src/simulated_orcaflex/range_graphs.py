"""Range graphs: statistics of a line's result at each of its nodes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .model import ModelObject
from .periods import Rows
from .results import nearest_node, variable_of
from .runtime import structure
from .status import NativeError, Status

ENTIRE_RANGE, SPECIFIED_ARC_LENGTHS, SPECIFIED_SECTIONS = range(3)


def nodes_in_range(item: ModelObject, argument: Any) -> slice:
    """The nodes that an ArclengthRange structure means; None is the whole line."""
    chosen = structure(argument, "ArclengthRange")
    arc_lengths = item.arc_lengths
    if arc_lengths is None:
        raise NativeError(Status.RANGE_GRAPH_ERROR, f"{item.name} has no range graphs")
    if chosen is None or chosen.Mode == ENTIRE_RANGE:
        return slice(0, arc_lengths.size)
    begin, end = _limits(item, chosen)
    tolerance = 1e-6 * float(arc_lengths[-1])
    inside = np.flatnonzero((arc_lengths >= begin - tolerance) & (arc_lengths <= end + tolerance))
    if not inside.size:
        # Shorter than a segment: the nearest node.
        node = nearest_node(item, 0.5 * (begin + end))
        return slice(node, node + 1)
    return slice(int(inside[0]), int(inside[-1]) + 1)


def _limits(item: ModelObject, chosen: Any) -> tuple[float, float]:
    length = item.section_ends[-1]
    if chosen.Mode == SPECIFIED_ARC_LENGTHS:
        begin, end = float(chosen.FromArclength), float(chosen.ToArclength)
        if begin > end or begin > length or end < 0:
            raise NativeError(
                Status.INVALID_ARCLENGTH_RANGE,
                f"No arc length of {item.name} is from {begin} m to {end} m; it is {length} m long",
            )
        return begin, end
    if chosen.Mode == SPECIFIED_SECTIONS:
        first, last = int(chosen.FromSection), int(chosen.ToSection)
        if not 1 <= first <= last <= len(item.section_ends):
            raise NativeError(
                Status.INVALID_ARCLENGTH_RANGE,
                f"{item.name} has no sections {first} to {last}; it has {len(item.section_ends)}",
            )
        return (0.0, *item.section_ends)[first - 1], item.section_ends[last - 1]
    raise NativeError(Status.INVALID_PARAMETER, f"Unknown arc length range mode {chosen.Mode}")


def range_graph(
    item: ModelObject, identifier: int, rows: Rows, nodes: slice
) -> dict[str, NDArray[np.float64]]:
    """X (arc length in m) and the statistics over the rows, one value for each node.

    The minimum and maximum at a node are those of its time history, exactly.
    """
    arc_lengths = item.arc_lengths
    assert arc_lengths is not None
    first = variable_of(item, identifier).column
    block = item.model.log[rows.first : rows.last, first + nodes.start : first + nodes.stop]
    values = block.astype(np.float64)
    return {
        "X": arc_lengths[nodes],
        "Min": values.min(axis=0),
        "Max": values.max(axis=0),
        "Mean": values.mean(axis=0),
        "StdDev": values.std(axis=0),
    }

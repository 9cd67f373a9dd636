"""Reading results: which columns a result needs, and how its values come from them."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .catalogue import ENVIRONMENT, NAME_OF_NUMBER, RIGID_BODIES
from .model import Model, ModelObject, Variable
from .periods import Rows
from .runtime import structure
from .status import NativeError, Status
from .striking import strike

END_A, END_B, TOUCHDOWN, NODE_NUMBER, ARC_LENGTH = range(5)
_GRAVITY = 9.81
_AXES = {"X": 0, "Y": 1, "Z": 2}
FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Reading:
    """One result at one place.

    `columns` starts with the result's own column. With `offset_m` it is a coordinate of a point
    on a rigid body, and three rotations follow. `delay_samples` is how much later than at the
    origin a wave is seen.
    """

    columns: tuple[int, ...]
    axis: int = 0
    offset_m: tuple[float, float, float] | None = None
    delay_samples: int = 0


def variable_of(item: ModelObject, identifier: int) -> Variable:
    """The result with this number; NativeError if the object has none, or if it shall fail."""
    variable = item.variables.get(identifier)
    if variable is None:
        raise NativeError(
            Status.UNRECOGNISED_VAR_NUM, f"{item.name} has no result with number {identifier}"
        )
    strike(item.model.faults, "read")
    for faults in item.model.faults:
        if faults.result_s:
            time.sleep(faults.result_s)
        fault = faults.variable
        if fault and fault.variable == variable.name and fault.object_name in ("", item.name):
            raise NativeError(fault.status, f"{item.name}, {variable.name}: failed as asked for")
    item.model.count_result()
    return variable


def reading_of(item: ModelObject, identifier: int, extra_argument: Any) -> Reading:
    """What to read for a result; the object extra says where on the object."""
    extra = structure(extra_argument, "ObjectExtra")
    variable = variable_of(item, identifier)
    if item.is_line:
        return Reading((variable.column + _node(item, variable, extra),))
    if extra is None:
        return Reading((variable.column,))
    if item.type_number == ENVIRONMENT:
        delay = _wave_delay_s(item.model, extra.EnvironmentPos)
        return Reading(
            (variable.column,), delay_samples=round(delay / item.model.sample_interval_s)
        )
    if NAME_OF_NUMBER.get(item.type_number) in RIGID_BODIES and variable.name in _AXES:
        x, y, z = extra.RigidBodyPos
        rotations = [item.variable_named(f"Rotation {number}") for number in (1, 2, 3)]
        if any((x, y, z)) and all(rotations):
            columns = (variable.column, *(item.column for item in rotations if item))
            return Reading(columns, _AXES[variable.name], (x, y, z))
    return Reading((variable.column,))


def read(model: Model, rows: Rows, reading: Reading) -> FloatArray:
    """The values of one result, float64 of the float32 in the log."""
    block = model.log[rows.first : rows.last]
    if reading.delay_samples and not rows.is_static:
        return _delayed(model, rows, reading)
    own = [block[:, column].astype(np.float64) for column in reading.columns]
    return _combine(own, reading)


def read_many(model: Model, rows: Rows, readings: list[Reading]) -> FloatArray:
    """The values of several results, shape (rows, readings), gathered in one pass over the log.

    Each column is bit for bit what `read` gives.
    """
    columns = sorted({column for reading in readings for column in reading.columns})
    place = {column: index for index, column in enumerate(columns)}
    gathered = np.take(model.log[rows.first : rows.last], columns, axis=1)
    result = np.empty((rows.count, len(readings)))
    for index, reading in enumerate(readings):
        if reading.delay_samples and not rows.is_static:
            result[:, index] = _delayed(model, rows, reading)
        else:
            own = [gathered[:, place[column]].astype(np.float64) for column in reading.columns]
            result[:, index] = _combine(own, reading)
    return result


def _node(item: ModelObject, variable: Variable, extra: Any) -> int:
    """The node, from 0, that an object extra means on a line."""
    arc_lengths = item.arc_lengths
    assert arc_lengths is not None
    if extra is None:
        raise NativeError(
            Status.INVALID_OBJECT_EXTRA,
            f"{item.name}, {variable.name}: a line's result needs an object extra that says where",
        )
    point = int(extra.LinePoint)
    if point == END_A:
        return 0
    if point == END_B:
        return arc_lengths.size - 1
    if point == NODE_NUMBER:
        if not 1 <= extra.NodeNum <= arc_lengths.size:
            raise NativeError(
                Status.NO_SUCH_NODE_NUM, f"{item.name} has no node number {extra.NodeNum}"
            )
        return int(extra.NodeNum) - 1
    if point not in (TOUCHDOWN, ARC_LENGTH):
        raise NativeError(Status.INVALID_OBJECT_EXTRA, f"Unknown line point {point}")
    arc_length = item.touchdown_m if point == TOUCHDOWN else float(extra.ArcLength)
    return nearest_node(item, arc_length)


def nearest_node(item: ModelObject, arc_length_m: float) -> int:
    """The node, from 0, nearest to an arc length; NativeError beyond the line's ends."""
    arc_lengths = item.arc_lengths
    assert arc_lengths is not None
    length = float(arc_lengths[-1])
    if not -1e-6 * length <= arc_length_m <= (1 + 1e-6) * length:
        raise NativeError(
            Status.INVALID_OBJECT_EXTRA,
            f"Arc length {arc_length_m} m is outside {item.name}, which is {length} m long",
        )
    return int(np.argmin(np.abs(arc_lengths - arc_length_m)))


def _wave_delay_s(model: Model, position: Any) -> float:
    """How much later a deep-water wave of the peak period gets to a position, in seconds."""
    heading = math.radians(float(model.environment.data.get("WaveDirection") or 0.0))
    distance: float = position[0] * math.cos(heading) + position[1] * math.sin(heading)
    phase_speed = _GRAVITY * model.wave_period_s / (2.0 * math.pi)
    return distance / phase_speed


def _delayed(model: Model, rows: Rows, reading: Reading) -> FloatArray:
    wanted = np.arange(rows.first, rows.last) - reading.delay_samples
    # What came before the first sample is not logged: the first (or last) one stands for it.
    wanted = np.clip(wanted, 1, model.samples)
    values: FloatArray = model.log[wanted, reading.columns[0]].astype(np.float64)
    return values


def _combine(values: list[FloatArray], reading: Reading) -> FloatArray:
    if reading.offset_m is None:
        return values[0]
    x, y, z = (np.full(values[0].shape, item) for item in reading.offset_m)
    roll, pitch, yaw = (np.radians(item) for item in values[1:])
    # Rotations applied in the order roll, pitch, yaw.
    y, z = y * np.cos(roll) - z * np.sin(roll), y * np.sin(roll) + z * np.cos(roll)
    x, z = x * np.cos(pitch) + z * np.sin(pitch), z * np.cos(pitch) - x * np.sin(pitch)
    x, y = x * np.cos(yaw) - y * np.sin(yaw), x * np.sin(yaw) + y * np.cos(yaw)
    moved: FloatArray = values[0] + (x, y, z)[reading.axis]
    return moved

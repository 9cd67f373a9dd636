"""Native functions on results: time histories, what they need, linked statistics."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

from .catalogue import ENVIRONMENT, NAME_OF_NUMBER, RIGID_BODIES
from .model import Model, ModelObject, model_from_handle, object_from_handle, owning_model
from .periods import Rows, rows_of_period, sample_times
from .results import read, read_many, reading_of, variable_of
from .runtime import (
    assign,
    callback_structure,
    handle_value,
    native,
    number,
    store_array,
    structure,
    text,
)
from .status import NativeError, Status

_ENVIRONMENT_POSITION, _LINE_POINT, _RIGID_BODY_POSITION = 0, 1, 7
_RANGE_GRAPH_RESULTS = 1
_NODES = 2


@native("C_GetVarIDW")
def get_var_id(handle: Any, name: Any, identifier: Any) -> None:
    item = object_from_handle(handle)
    wanted = text(name) or ""
    for number_, variable in item.variables.items():
        if variable.name == wanted:
            assign(identifier, number_)
            return
    raise NativeError(
        Status.UNRECOGNISED_VAR_NAME, f"Unrecognised variable name: {item.name} has no {wanted}"
    )


@native("C_EnumerateVars2W")
def enumerate_vars(handle: Any, extra: Any, result_type: Any, callback: Any, count: Any) -> None:
    item = object_from_handle(handle)
    structure(extra, "ObjectExtra")
    variables = dict(item.variables)
    if int(number(result_type)) == _RANGE_GRAPH_RESULTS and not item.is_line:
        variables = {}
    if callback is not None:
        info = callback_structure(callback, 0)
        info.ObjectHandle = item.handle
        for identifier, variable in variables.items():
            info.VarID = identifier
            info.VarName = variable.name
            info.VarUnits = variable.units
            info.FullName = f"{item.name} {variable.name} ({variable.units})"
            callback(ctypes.pointer(info))
    assign(count, len(variables))


@native("C_GetNumOfSamples")
def get_num_of_samples(handle: Any, period: Any) -> int:
    return rows_of_period(owning_model(handle), period).count


@native("C_GetSampleTimes")
def get_sample_times(handle: Any, period: Any, values: Any) -> None:
    model = owning_model(handle)
    store_array(values, sample_times(model, rows_of_period(model, period)))


@native("C_GetTimeHistory2W")
def get_time_history(handle: Any, extra: Any, period: Any, identifier: Any, values: Any) -> None:
    item = object_from_handle(handle)
    reading = reading_of(item, int(number(identifier)), extra)
    store_array(values, read(item.model, rows_of_period(item.model, period), reading))


@native("C_GetMultipleTimeHistoriesW")
def get_multiple_time_histories(count: Any, wanted: Any, period: Any, values: Any) -> None:
    model: Model | None = None
    readings = []
    for index in range(int(number(count))):
        item = object_from_handle(wanted[index].ObjectHandle)
        if model is not None and item.model is not model:
            raise NativeError(Status.INVALID_PARAMETER, "All results must be of one model")
        model = item.model
        extra = wanted[index].ObjectExtra
        readings.append(reading_of(item, int(wanted[index].VarID), extra or None))
    if model is None:
        raise NativeError(Status.NOT_ENOUGH_VARS, "No results were asked for")
    store_array(values, read_many(model, rows_of_period(model, period), readings))


@native("C_GetLineResultPoints")
def get_line_result_points(handle: Any, identifier: Any, result: Any) -> None:
    item = object_from_handle(handle)
    variable_of(item, int(number(identifier)))
    assign(result, _NODES if item.is_line else 0)


def _required_fields(item: ModelObject) -> tuple[int, ...]:
    if item.is_line:
        return (_LINE_POINT,)
    if item.type_number == ENVIRONMENT:
        return (_ENVIRONMENT_POSITION,)
    named = NAME_OF_NUMBER.get(item.type_number)
    return (_RIGID_BODY_POSITION,) if named in RIGID_BODIES else ()


@native("C_GetObjectExtraFieldRequired")
def get_object_extra_field_required(
    handle: Any, identifier: Any, field: Any, required: Any
) -> None:
    item = object_from_handle(handle)
    variable_of(item, int(number(identifier)))
    assign(required, int(int(number(field)) in _required_fields(item)))


@native("C_GetRequiredObjectExtraFields")
def get_required_object_extra_fields(handle: Any, identifier: Any, fields: Any) -> None:
    item = object_from_handle(handle)
    variable_of(item, int(number(identifier)))
    assign(fields, sum(1 << field for field in _required_fields(item)))


@native("C_OpenLinkedStatistics2W")
def open_linked_statistics(
    handle: Any, extra: Any, period: Any, count: Any, identifiers: Any, result: Any
) -> None:
    item = object_from_handle(handle)
    wanted = [int(identifiers[index]) for index in range(int(number(count)))]
    if not wanted:
        raise NativeError(Status.NOT_ENOUGH_VARS, "Linked statistics need a variable")
    readings = [reading_of(item, identifier, extra) for identifier in wanted]
    rows = rows_of_period(item.model, period)
    values = read_many(item.model, rows, readings)
    columns = {identifier: values[:, place] for place, identifier in enumerate(wanted)}
    identity = item.model.new_handle()
    item.model.statistics[identity] = (rows, columns)
    assign(result, identity)


def _statistics(handle: Any) -> tuple[Model, Rows, dict[int, Any]]:
    model = owning_model(handle)
    held = model.statistics.get(handle_value(handle))
    if held is None:
        raise NativeError(Status.INVALID_HANDLE, "Invalid linked statistics handle")
    return model, held[0], held[1]


@native("C_QueryLinkedStatistics")
def query_linked_statistics(handle: Any, identifier: Any, linked: Any, result: Any) -> None:
    model, rows, columns = _statistics(handle)
    try:
        values, others = columns[int(number(identifier))], columns[int(number(linked))]
    except KeyError:
        raise NativeError(Status.INVALID_VARS, "A variable was not opened") from None
    times = sample_times(model, rows)
    highest, lowest = int(np.argmax(values)), int(np.argmin(values))
    answer = structure(result, "StatisticsQuery")
    answer.Mean, answer.StdDev = float(values.mean()), float(values.std())
    answer.TimeOfMax, answer.ValueAtMax = float(times[highest]), float(values[highest])
    answer.TimeOfMin, answer.ValueAtMin = float(times[lowest]), float(values[lowest])
    answer.LinkedValueAtMax = float(others[highest])
    answer.LinkedValueAtMin = float(others[lowest])


@native("C_CloseLinkedStatistics")
def close_linked_statistics(handle: Any) -> None:
    model, _rows, _columns = _statistics(handle)
    del model.statistics[handle_value(handle)]


@native("C_AnalyseExtrema")
def analyse_extrema(
    values: Any, count: Any, highest: Any, lowest: Any, index_highest: Any, index_lowest: Any
) -> None:
    given = values[: int(number(count))]
    assign(highest, float(given.max()))
    assign(lowest, float(given.min()))
    assign(index_highest, int(given.argmax()))
    assign(index_lowest, int(given.argmin()))


@native("C_GetSimulationDrawTime")
def get_simulation_draw_time(handle: Any) -> float:
    return model_from_handle(handle).current_time_s

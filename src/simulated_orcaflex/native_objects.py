"""Native functions on objects: finding them, and their data items."""

from __future__ import annotations

import ctypes
from typing import Any

from . import data_items
from .catalogue import NAME_OF_NUMBER
from .model import (
    Model,
    ModelObject,
    model_from_handle,
    object_from_handle,
    owning_model,
)
from .runtime import (
    assign,
    assign_text,
    callback_structure,
    handle_value,
    native,
    number,
    structure,
    text,
)
from .status import NativeError, Status
from .striking import strike

_NAME_LIMIT = 49


def _fill_object_info(info: Any, item: ModelObject) -> None:
    info.ObjectHandle = item.handle
    info.ObjectType = item.type_number
    info.ObjectName = item.name[:_NAME_LIMIT]


@native("C_ObjectCalledW")
def object_called(handle: Any, name: Any, info: Any) -> None:
    model = model_from_handle(handle)
    wanted = text(name) or ""
    item = model.by_name.get(wanted.casefold())
    if item is None:
        raise NativeError(Status.NO_SUCH_OBJECT, f"No such object: {wanted}")
    _fill_object_info(structure(info, "ObjectInfo"), item)


@native("C_EnumerateObjectsW")
def enumerate_objects(handle: Any, callback: Any, count: Any) -> None:
    model = model_from_handle(handle)
    strike(model.faults, "enumerate")
    if callback is not None:
        info = callback_structure(callback, 1)
        for item in list(model.objects.values()):
            _fill_object_info(info, item)
            callback(model.handle, ctypes.pointer(info))
    assign(count, len(model.objects))


@native("C_GetObjectTypeFromHandle")
def get_object_type_from_handle(handle: Any, object_type: Any) -> None:
    assign(object_type, object_from_handle(handle).type_number)


@native("C_GetObjectTypeNameW")
def get_object_type_name(handle: Any, object_type: Any, buffer: Any) -> int:
    model_from_handle(handle)
    name = NAME_OF_NUMBER.get(int(number(object_type)))
    if name is None:
        raise NativeError(Status.INVALID_OBJECT_TYPE, f"Invalid object type {number(object_type)}")
    return assign_text(buffer, name)


def _owner(handle: Any) -> ModelObject | Model:
    """The object, or the model itself, whose data items a handle gives."""
    model = owning_model(handle)
    return model if handle_value(handle) == model.handle else object_from_handle(handle)


@native("C_DataRequiresIndexW")
def data_requires_index(handle: Any, name: Any, required: Any) -> None:
    assign(required, int(data_items.indexed(_owner(handle), text(name) or "")))


@native("C_GetDataTypeW")
def get_data_type(handle: Any, name: Any, data_type: Any) -> None:
    assign(data_type, data_items.data_type(_owner(handle), text(name) or ""))


@native("C_GetVariableDataTypeW")
def get_variable_data_type(handle: Any, name: Any, _index: Any, data_type: Any) -> None:
    assign(data_type, data_items.data_type(_owner(handle), text(name) or ""))


@native("C_GetDataRowCountW")
def get_data_row_count(handle: Any, name: Any, count: Any) -> None:
    value = data_items.value_of(_owner(handle), text(name) or "")
    assign(count, len(value) if isinstance(value, list) else -1)


@native("C_SetDataRowCountW")
def set_data_row_count(handle: Any, name: Any, count: Any) -> None:
    data_items.set_row_count(_owner(handle), text(name) or "", int(number(count)))


@native("C_GetDataDoubleW")
def get_data_double(handle: Any, name: Any, index: Any, result: Any) -> None:
    value = data_items.get(_owner(handle), text(name) or "", int(number(index)))
    if isinstance(value, str):
        raise NativeError(Status.INVALID_DATA_TYPE, f"{text(name)} is not a number")
    assign(result, float(value))


@native("C_GetDataIntegerW")
def get_data_integer(handle: Any, name: Any, index: Any, result: Any) -> None:
    value = data_items.get(_owner(handle), text(name) or "", int(number(index)))
    if not isinstance(value, int):
        raise NativeError(Status.INVALID_DATA_TYPE, f"{text(name)} is not an integer")
    assign(result, int(value))


@native("C_GetDataStringW")
def get_data_string(handle: Any, name: Any, index: Any, buffer: Any) -> int:
    value = data_items.get(_owner(handle), text(name) or "", int(number(index)))
    if isinstance(value, bool):
        value = "Yes" if value else "No"
    return assign_text(buffer, str(value))


@native("C_SetDataDoubleW")
def set_data_double(handle: Any, name: Any, index: Any, value: Any) -> None:
    _set(handle, name, index, float(number(value)), (data_items.DOUBLE,))


@native("C_SetDataIntegerW")
def set_data_integer(handle: Any, name: Any, index: Any, value: Any) -> None:
    types = (data_items.INTEGER, data_items.INTEGER_INDEX, data_items.BOOLEAN)
    _set(handle, name, index, int(number(value)), types)


@native("C_SetDataStringW")
def set_data_string(handle: Any, name: Any, index: Any, value: Any) -> None:
    _set(handle, name, index, text(value) or "", (data_items.STRING,))


def _set(handle: Any, name: Any, index: Any, value: Any, types: tuple[int, ...]) -> None:
    owner, item = _owner(handle), text(name) or ""
    if data_items.data_type(owner, item) not in types:
        raise NativeError(
            Status.INVALID_DATA_TYPE, f"{item} does not take a {type(value).__name__}"
        )
    data_items.put(owner, item, int(number(index)), value)

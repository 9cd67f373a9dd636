"""Data items of objects: reading and changing them by name and index."""

from __future__ import annotations

from typing import Any

from .catalogue import ENVIRONMENT
from .model import Model, ModelObject
from .status import NativeError, Status

DOUBLE, INTEGER, STRING, VARIABLE, INTEGER_INDEX, BOOLEAN = range(6)
_CURRENT_ITEMS = {"RefCurrentSpeed": 0, "RefCurrentDirection": 1}
_DERIVED = {"NumberOfCurrents", "SelectedCurrentIndex", "CurrentName", *_CURRENT_ITEMS}
_SPELLINGS = {name.casefold(): name for name in ("Name", *_DERIVED)}


def model_data(model: Model) -> dict[str, Any]:
    """The data items that a model handle has."""
    return {
        "LatestFileName": model.file_name,
        "LicenceStatus": "Simulated",
        "LicenceFileLocation": "",
        "DongleName": "Simulated",
        "DongleAccessMode": "Simulated",
        "DonglePort": "",
        "DongleServer": "",
    }


def spelled(owner: ModelObject | Model, name: str) -> str:
    """The data name as it is spelled in the table: names may come in any case."""
    folded = name.casefold()
    if isinstance(owner, ModelObject):
        own = owner.data_spellings.get(folded)
        if own is not None:
            return own
    return _SPELLINGS.get(folded, name)


def value_of(owner: ModelObject | Model, data_name: str) -> Any:
    """The value of a data item, a list if it requires an index; NativeError if unknown."""
    name = spelled(owner, data_name)
    if isinstance(owner, Model):
        items = model_data(owner)
        if name in items:
            return items[name]
    elif name == "Name":
        return owner.name
    elif owner.type_number == ENVIRONMENT and name in _DERIVED:
        return _value_of_currents(owner, name)
    elif name in owner.data:
        return owner.data[name]
    raise NativeError(Status.INVALID_DATA_NAME, f"Invalid data name: {name}")


def _value_of_currents(item: ModelObject, name: str) -> Any:
    """The data items that depend on which current is selected."""
    names = list(item.currents)
    if name == "NumberOfCurrents":
        return len(names)
    if name == "CurrentName":
        return names
    selected = item.data.get("SelectedCurrent")
    if selected not in item.currents:
        return None
    if name == "SelectedCurrentIndex":
        return names.index(selected) + 1
    return item.currents[selected][_CURRENT_ITEMS[name]]


def indexed(owner: ModelObject | Model, name: str) -> bool:
    """Whether a data item requires an index."""
    return isinstance(value_of(owner, name), list)


def data_type(owner: ModelObject | Model, data_name: str) -> int:
    """The API's number for the type of a data item."""
    value = value_of(owner, data_name)
    if spelled(owner, data_name) == "SelectedCurrentIndex":
        return INTEGER_INDEX
    if isinstance(value, list):
        value = next((entry for entry in value if entry is not None), None)
    if isinstance(value, bool):
        return BOOLEAN
    if isinstance(value, int):
        return INTEGER
    return STRING if isinstance(value, str) else DOUBLE


def get(owner: ModelObject | Model, data_name: str, index: int) -> Any:
    """One value; `index` counts from 1 and is ignored unless the item requires it."""
    name = spelled(owner, data_name)
    if isinstance(owner, ModelObject):
        for faults in owner.model.faults:
            fault = faults.variable
            if fault and fault.variable == name and fault.object_name in ("", owner.name):
                raise NativeError(fault.status, f"{owner.name}, {name}: failed as asked for")
    value = value_of(owner, name)
    if isinstance(value, list):
        if not 1 <= index <= len(value):
            raise NativeError(
                Status.INVALID_INDEX, f"Invalid index {index} for {name}, which has {len(value)}"
            )
        value = value[index - 1]
    if value is None:
        raise NativeError(Status.VALUE_NOT_AVAILABLE, f"The value of {name} is not available")
    return value


def put(owner: ModelObject | Model, data_name: str, index: int, value: Any) -> None:
    """Change one value. Results stay: the stand-in does not reset a model whose data change."""
    name = spelled(owner, data_name)
    old = value_of(owner, name)
    if isinstance(owner, Model):
        if name != "LatestFileName":
            raise NativeError(Status.INVALID_DATA_ACCESS, f"{name} cannot be set")
        owner.file_name = str(value)
        return
    if name == "Name":
        _rename(owner, str(value))
    elif owner.type_number == ENVIRONMENT and name in _DERIVED:
        _put_current(owner, name, value)
    elif isinstance(old, list):
        if not 1 <= index <= len(old):
            raise NativeError(Status.INVALID_INDEX, f"Invalid index {index} for {name}")
        changed = list(old)
        changed[index - 1] = value
        owner.data[name] = changed
    else:
        if name in ("SelectedCurrent", "ActiveCurrent") and value not in owner.currents:
            raise NativeError(Status.INVALID_VALUE, f"There is no current named {value}")
        owner.data[name] = bool(value) if isinstance(old, bool) else value


def set_row_count(owner: ModelObject | Model, data_name: str, count: int) -> None:
    """Make an indexed data item shorter, or longer by repeating its last value."""
    name = spelled(owner, data_name)
    old = value_of(owner, name)
    if isinstance(owner, Model) or not isinstance(old, list) or name in _DERIVED:
        raise NativeError(Status.INVALID_DATA_ACCESS, f"The rows of {name} cannot be set")
    if count < 0:
        raise NativeError(Status.INVALID_PARAMETER, f"Invalid row count {count}")
    last = old[-1:] or [0.0]
    owner.data[name] = (old + last * count)[:count]


def _rename(item: ModelObject, name: str) -> None:
    taken = item.model.by_name.get(name.casefold())
    if taken is not None and taken is not item:
        raise NativeError(Status.INVALID_VALUE, f"There is an object named {name} already")
    item.model.by_name.pop(item.name.casefold(), None)
    item.name = name
    item.model.by_name[name.casefold()] = item


def _put_current(item: ModelObject, name: str, value: Any) -> None:
    if name == "SelectedCurrentIndex":
        names = list(item.currents)
        if not 1 <= value <= len(names):
            raise NativeError(Status.INVALID_INDEX, f"There is no current number {value}")
        item.data["SelectedCurrent"] = names[value - 1]
    elif name in _CURRENT_ITEMS and item.data.get("SelectedCurrent") in item.currents:
        item.currents[item.data["SelectedCurrent"]][_CURRENT_ITEMS[name]] = float(value)
    else:
        raise NativeError(Status.INVALID_DATA_ACCESS, f"{name} cannot be set")

"""Models and their objects behind handles, and to which thread they belong."""

from __future__ import annotations

import itertools
import os
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import licences, records
from .catalogue import ENVIRONMENT, GENERAL, LINE, MODEL_STATES
from .faults import Faults, faults_for_file
from .runtime import ThreadState, current_thread_state, handle_value
from .status import NativeError, Status
from .writing import released

_MODEL_SHIFT = 24
_GENERAL_SERIAL, _ENVIRONMENT_SERIAL = 1, 2
_EMPTY_OBJECTS: tuple[dict[str, Any], ...] = (
    {"name": "General", "type": GENERAL, "data": {}, "variables": []},
    {"name": "Environment", "type": ENVIRONMENT, "data": {}, "variables": []},
)


@dataclass(frozen=True)
class Variable:
    """One logged result: its first column, one for each node of a line."""

    name: str
    units: str
    column: int


@dataclass
class ModelObject:
    """One object of a loaded model; `data` is what data items read and write."""

    model: Model
    handle: int
    name: str
    type_number: int
    variables: dict[int, Variable]
    data: dict[str, Any]
    currents: dict[str, list[float]] = field(default_factory=dict)
    arc_lengths: NDArray[np.float64] | None = None
    section_ends: tuple[float, ...] = ()
    touchdown_m: float = 0.0

    def __post_init__(self) -> None:
        self.data_spellings = {name.casefold(): name for name in self.data}

    @property
    def is_line(self) -> bool:
        return self.type_number == LINE

    def variable_named(self, name: str) -> Variable | None:
        return next((item for item in self.variables.values() if item.name == name), None)


class Model:
    """What lies behind a model handle."""

    def __init__(self, identity: int, thread_count: int) -> None:
        self.identity = identity
        self.handle = identity << _MODEL_SHIFT
        self.owner: ThreadState | None = current_thread_state()
        self.thread_count = thread_count
        self.progress_handler: Any = None
        self.file_name = ""
        self.faults: tuple[Faults, ...] = faults_for_file("")
        self.statistics: dict[int, Any] = {}
        self._licence_loss: licences.Loss | None = None
        self._serials = itertools.count(_ENVIRONMENT_SERIAL + 1)
        self._memory: NDArray[np.uint8] | None = None
        self.clear()

    def clear(self) -> None:
        """Go back to an empty model; the handles of General and Environment stay good."""
        self.release_memory()
        self._fill({"objects": _EMPTY_OBJECTS, "state": "Reset"}, np.zeros((1, 0), np.float32))

    def load(
        self, header: Mapping[str, Any], log: NDArray[np.float32], memory: NDArray[np.uint8]
    ) -> None:
        """Take over what a file holds; object handles of before become invalid."""
        self.release_memory()
        self._memory = memory
        self._fill(header, log)
        records.model_loaded(memory.nbytes)

    def release_memory(self) -> None:
        """Let the log go."""
        if self._memory is not None:
            records.memory_released(self._memory.nbytes)
        self._memory = None
        self.log = np.zeros((1, 0), np.float32)

    def _fill(self, header: Mapping[str, Any], log: NDArray[np.float32]) -> None:
        self.log = log
        self.state = MODEL_STATES[header["state"]]
        self.start_time_s = float(header.get("start_time_s", 0.0))
        self.stop_time_s = float(header.get("stop_time_s", 0.0))
        self.current_time_s = float(header.get("current_time_s", 0.0))
        self.sample_interval_s = float(header.get("sample_interval_s", 0.1))
        self.wave_period_s = float(header.get("wave_period_s", 10.0))
        self.samples = log.shape[0] - 1
        self.objects: dict[int, ModelObject] = {}
        self.by_name: dict[str, ModelObject] = {}
        identifiers = self._variable_identifiers(header)
        for index, entry in enumerate(header["objects"]):
            serial = (_GENERAL_SERIAL, _ENVIRONMENT_SERIAL)[index] if index < 2 else None
            self._add_object(entry, identifiers, next(self._serials) if serial is None else serial)

    @staticmethod
    def _variable_identifiers(header: Mapping[str, Any]) -> dict[str, int]:
        """A number for each result name of this file: callers must not carry it to another."""
        names: dict[str, int] = {}
        for entry in header["objects"]:
            for name, _units, _column in entry["variables"]:
                names.setdefault(name, len(names) + 1)
        return names

    def _add_object(
        self, entry: Mapping[str, Any], identifiers: Mapping[str, int], serial: int
    ) -> None:
        item = ModelObject(
            model=self,
            handle=self.handle + serial,
            name=entry["name"],
            type_number=entry["type"],
            variables={
                identifiers[name]: Variable(name, units, column)
                for name, units, column in entry["variables"]
            },
            data=dict(entry["data"]),
        )
        for name, speed, direction in entry.get("currents", ()):
            item.currents[name] = [speed, direction]
        if item.is_line:
            item.arc_lengths = np.linspace(0.0, entry["length_m"], entry["nodes"])
            item.section_ends = tuple(itertools.accumulate(entry["sections_m"]))
            item.touchdown_m = entry["touchdown_m"]
        self.objects[item.handle] = item
        self.by_name[item.name.casefold()] = item

    @property
    def general(self) -> ModelObject:
        return self.objects[self.handle + _GENERAL_SERIAL]

    @property
    def environment(self) -> ModelObject:
        return self.objects[self.handle + _ENVIRONMENT_SERIAL]

    def new_handle(self) -> int:
        """A handle that no object of this model has had."""
        return self.handle + next(self._serials)

    def check(self) -> None:
        """What every call on a model begins with: the calling thread has it, and a licence."""
        self.check_thread()
        if self._licence_loss is not None:
            self._licence_loss.check()

    def count_result(self) -> None:
        """A result is being read; raise NativeError if that is when the licence gets lost."""
        if self._licence_loss is None:
            losses = (faults.licence_loss for faults in self.faults if faults.licence_loss)
            self._licence_loss = next(map(licences.Loss, losses), None)
        if self._licence_loss is not None:
            self._licence_loss.result_read()

    def check_thread(self) -> None:
        """Raise ThreadAffinityError unless the calling thread has the model; add slow time."""
        if self.owner is not current_thread_state():
            records.affinity_breached()
            whose = "another thread" if self.owner is not None else "no thread"
            raise NativeError(
                Status.THREAD_AFFINITY_ERROR,
                f"Thread affinity error: {current_thread_state().function} was called on "
                f"{threading.current_thread().name!r}, but the model belongs to {whose}",
            )
        for faults in self.faults:
            if faults.call_s:
                time.sleep(faults.call_s)


_models: dict[int, Model] = {}
_identities = itertools.count(1)


def create_model(thread_count: int) -> Model:
    """A new model of the calling thread, or NativeError if the licence is refused."""
    licences.take_licence()
    count = thread_count if thread_count > 0 else os.cpu_count() or 1
    model = Model(next(_identities), count)
    _models[model.identity] = model
    records.model_created()
    return model


def destroy_model(argument: Any) -> None:
    """Free a model. On a foreign thread it is not freed, and counts as leaked from then on."""
    model = _model(argument)
    try:
        model.check_thread()
    except NativeError:
        records.model_leaked(model.handle)
        raise
    del _models[model.identity]
    model.release_memory()
    model.objects.clear()
    model.by_name.clear()
    licences.give_licence_back()
    released()
    records.model_destroyed(model.handle)


def _model(argument: Any) -> Model:
    handle = handle_value(argument)
    model = _models.get(handle >> _MODEL_SHIFT)
    if model is None or model.handle != handle:
        raise NativeError(Status.MODEL_HANDLE_ERROR, "Invalid model handle")
    return model


def any_thread_model(argument: Any) -> Model:
    """The model behind a handle, without asking for the thread."""
    return _model(argument)


def model_from_handle(argument: Any) -> Model:
    """The model behind a handle, checked for the thread."""
    model = _model(argument)
    model.check()
    return model


def owning_model(argument: Any) -> Model:
    """The model that a handle of any kind belongs to, checked for the thread."""
    model = _models.get(handle_value(argument) >> _MODEL_SHIFT)
    if model is None:
        raise NativeError(Status.INVALID_HANDLE, "Invalid handle")
    model.check()
    return model


def object_from_handle(argument: Any) -> ModelObject:
    """The object behind a handle, checked for the thread."""
    handle = handle_value(argument)
    model = _models.get(handle >> _MODEL_SHIFT)
    if model is None:
        raise NativeError(Status.OBJECT_HANDLE_ERROR, "Invalid object handle")
    model.check()
    item = model.objects.get(handle)
    if item is None:
        raise NativeError(Status.OBJECT_HANDLE_ERROR, "Invalid object handle")
    return item


def _in_forked_child() -> None:
    # The parent's models are not the child's: their handles are invalid there.
    _models.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_forked_child)

"""Native functions on models: making, loading, asking, destroying."""

from __future__ import annotations

import ctypes
import os
from typing import Any

from . import loading
from .container import MAGIC, open_file, read_head
from .model import (
    any_thread_model,
    create_model,
    destroy_model,
    model_from_handle,
    owning_model,
)
from .native_library import VERSION
from .records import affinity_breached
from .runtime import (
    assign,
    assign_text,
    current_thread_state,
    native,
    number,
    structure,
    text,
)
from .status import NativeError, Status

_DATA_FILE, _STATIC_FILE, _DYNAMIC_FILE = range(3)
_STOPPED = 4


@native("C_CreateModel2")
def create_model_2(handle: Any, parameters: Any) -> None:
    given = structure(parameters, "CreateModelParams")
    model = create_model(-1 if given is None else int(given.ThreadCount))
    assign(handle, model.handle)


@native("C_CreateModel")
def create_model_1(handle: Any, _parent_window: Any = None) -> None:
    assign(handle, create_model(-1).handle)


@native("C_DestroyModel")
def destroy(handle: Any) -> None:
    destroy_model(handle)


@native("C_AttachToThread")
def attach_to_thread(handle: Any) -> None:
    model = any_thread_model(handle)
    if model.owner is not None and model.owner is not current_thread_state():
        affinity_breached()
        raise NativeError(
            Status.THREAD_AFFINITY_ERROR,
            "The model belongs to another thread, which must detach it first",
        )
    model.owner = current_thread_state()


@native("C_DetachFromThread")
def detach_from_thread(handle: Any) -> None:
    model_from_handle(handle).owner = None


@native("C_ClearModel")
def clear_model(handle: Any) -> None:
    model_from_handle(handle).clear()


@native("C_GetModelHandle")
def get_model_handle(handle: Any, model_handle: Any) -> None:
    assign(model_handle, owning_model(handle).handle)


@native("C_GetModelProperty")
def get_model_property(handle: Any, identifier: Any, value: Any) -> None:
    model = owning_model(handle)
    target = getattr(value, "_obj", value)
    answers = {
        0: 1,  # time domain
        1: 0,
        2: 0,
        3: model.general.handle,
        4: model.environment.handle,
        10: 0,  # a line's payout rate
        11: 0,  # resuming
        12: 1,  # stage zero is the build-up
        15: 0,  # Euler buckling limit exceeded
        16: 0,
    }
    if number(identifier) not in answers:
        raise NativeError(Status.INVALID_PARAMETER, f"Unknown model property {identifier}")
    target.value = answers[number(identifier)]


@native("C_GetModelThreadCount")
def get_model_thread_count(handle: Any) -> int:
    return model_from_handle(handle).thread_count


@native("C_SetModelThreadCount")
def set_model_thread_count(handle: Any, count: Any) -> None:
    wanted = number(count)
    model = model_from_handle(handle)
    model.thread_count = wanted if wanted > 0 else os.cpu_count() or 1


@native("C_ModuleEnabled")
def module_enabled(handle: Any, _module: Any) -> int:
    model_from_handle(handle)
    return 1


@native("C_GetNumOfWarnings")
def get_num_of_warnings(handle: Any) -> int:
    model_from_handle(handle)
    return 0


@native("C_GetWarningTextW")
def get_warning_text(handle: Any, index: Any, _length: Any, _buffer: Any) -> int:
    model_from_handle(handle)
    raise NativeError(Status.INVALID_INDEX, f"There is no warning number {number(index)}")


@native("C_SetProgressHandler")
def set_progress_handler(handle: Any, callback: Any) -> None:
    model_from_handle(handle).progress_handler = callback


@native("C_SetCorrectExternalFileReferencesHandler")
def set_correct_external_file_references_handler(handle: Any, _callback: Any) -> None:
    model_from_handle(handle)


@native("C_GetBinaryFileTypeW")
def get_binary_file_type(name: Any, file_type: Any) -> None:
    path = text(name) or ""
    with open_file(path) as stream:
        start = stream.read(len(MAGIC))
        if start != MAGIC:
            raise NativeError(Status.INVALID_FILE_FORMAT, f"{path} is not a stand-in's file")
        stream.seek(0)
        try:
            static = read_head(stream, path)[0].get("state") == "InStaticState"
        except NativeError:
            static = False  # damaged further on, which loading will report
    assign(file_type, _STATIC_FILE if static else _DYNAMIC_FILE)


@native("C_GetFileCreatorVersionW")
def get_file_creator_version(name: Any, buffer: Any) -> int:
    path = text(name) or ""
    with open_file(path) as stream:
        header, _ = read_head(stream, path)
    return assign_text(buffer, header.get("creator_version") or VERSION)


@native("C_LoadSimulationW")
def load_simulation(handle: Any, name: Any) -> None:
    loading.load_simulation(model_from_handle(handle), text(name) or "")


@native("C_LoadSimulationMem")
def load_simulation_mem(handle: Any, buffer: Any, _length: Any) -> None:
    if not isinstance(buffer, bytes | bytearray | memoryview):
        raise ctypes.ArgumentError(f"expected bytes, got {type(buffer).__name__}")
    loading.load_simulation_from_memory(model_from_handle(handle), buffer)


@native("C_LoadDataW")
def load_data(handle: Any, name: Any) -> None:
    model_from_handle(handle)
    path = text(name) or ""
    with open_file(path) as stream:
        read_head(stream, path)
    raise NativeError(
        Status.INVALID_FILE_TYPE, f"{path} is a simulation file, and the stand-in reads no others"
    )


@native("C_LoadDataMem")
def load_data_mem(handle: Any, _file_type: Any, _buffer: Any, _length: Any) -> None:
    model_from_handle(handle)
    raise NativeError(Status.INVALID_FILE_TYPE, "The stand-in reads simulation files only")


@native("C_GetModelState")
def get_model_state(handle: Any, state: Any) -> None:
    assign(state, model_from_handle(handle).state)


@native("C_GetSimulationTimeStatus")
def get_simulation_time_status(handle: Any, argument: Any) -> None:
    model = model_from_handle(handle)
    times = structure(argument, "SimulationTimeStatus")
    times.StartTime = model.start_time_s
    times.StopTime = model.stop_time_s
    times.CurrentTime = model.current_time_s


@native("C_GetSimulationTimeToGo")
def get_simulation_time_to_go(handle: Any) -> float:
    model = model_from_handle(handle)
    return max(0.0, model.stop_time_s - model.current_time_s)


@native("C_GetSimulationComplete")
def get_simulation_complete(handle: Any, complete: Any) -> None:
    model = model_from_handle(handle)
    finished = model.state == _STOPPED and model.current_time_s >= model.stop_time_s
    assign(complete, int(finished))

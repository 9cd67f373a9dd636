"""Loading a file into a model, with the faults that were asked for."""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import os
import time
from typing import Any, BinaryIO

from .container import Progress, open_file, open_memory, read_head, read_log
from .faults import Faults, faults_for_file, happens
from .model import Model
from .status import NativeError, Status
from .striking import strike
from .writing import loaded

_leaked: list[bytearray] = []


def load_simulation(model: Model, path: str) -> None:
    """Load a stand-in's file; on failure the model is left empty."""
    model.clear()
    loaded(path)
    with contextlib.closing(open_file(path)) as stream:
        _load(model, stream, path)
    model.file_name = os.path.abspath(path)


def load_simulation_from_memory(model: Model, buffer: bytes | bytearray | memoryview) -> None:
    """Load a file that is in memory; the model holds its own copy."""
    model.clear()
    _load(model, open_memory(buffer), "the buffer")


def _load(model: Model, stream: BinaryIO, path: str) -> None:
    # Faults of the environment come before the first byte is read: a broken file may hang too.
    faults = faults_for_file(path)
    _misbehave(faults)
    header, layout = read_head(stream, path)
    if header.get("faults"):
        folder = os.path.dirname(os.path.abspath(path))
        in_file = Faults.from_mapping(header["faults"]).counted_in(folder)
        _misbehave((in_file,))
        faults = (*faults, in_file)
    log, memory = read_log(stream, layout, path, _progress(model, faults))
    model.load(header, log, memory)
    model.faults = faults


def _misbehave(faults: tuple[Faults, ...]) -> None:
    for fault in faults:
        if fault.leak_mb:
            # Filled with something other than zeros, so that the memory is really taken.
            _leaked.append(bytearray(b"\xa5") * int(fault.leak_mb * 1e6))
        if fault.load_s:
            time.sleep(fault.load_s)
        if fault.load_cpu_s:
            _be_busy(fault.load_cpu_s)
        strike((fault,), "load")
        failure = fault.fail_load
        if failure and happens(failure.times, failure.counter):
            raise NativeError(failure.status, "Error loading the file, as its fault asks for")


def _be_busy(seconds: float) -> None:
    """Use one core for a while; hashing a large buffer does not hold the GIL."""
    block = bytes(1024 * 1024)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        hashlib.sha256(block).digest()


def _progress(model: Model, faults: tuple[Faults, ...]) -> Progress:
    """What to do between reads: keep to the speed limit, tell the progress handler."""
    limits = [fault.load_mb_per_s for fault in faults if fault.load_mb_per_s]
    seconds_per_byte = 1.0 / (min(limits) * 1e6) if limits else 0.0
    begin = time.monotonic()

    def progress(done: int, total: int) -> None:
        ahead = begin + done * seconds_per_byte - time.monotonic()
        if ahead > 0:
            time.sleep(ahead)
        if model.progress_handler is not None:
            cancel: Any = type(model.progress_handler)._argtypes_[2]._type_()
            model.progress_handler(model.handle, 100 * done // total, ctypes.pointer(cancel))
            if cancel.value:
                raise NativeError(Status.OPERATION_CANCELLED, "Loading was cancelled")

    return progress

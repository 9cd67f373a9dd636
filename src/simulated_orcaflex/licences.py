"""The licence: refusing models, and counting the processes that hold one."""

from __future__ import annotations

import os
import sys
import threading
from typing import BinaryIO

from .faults import LicenceFault, LicenceLoss, faults_from_environment, happens
from .status import NativeError, Status

_lock = threading.Lock()
_models = 0
_seat: BinaryIO | None = None


def take_licence() -> None:
    """Let this process make one more model, or raise NativeError (status 25).

    The first model of a process takes a seat, which all its models share.
    """
    global _models, _seat
    fault = _licence_fault()
    with _lock:
        if fault is not None:
            if fault.refuse_first and happens(fault.refuse_first, fault.counter):
                raise _refused("the licence server did not answer")
            if fault.licences is not None and _seat is None:
                _seat = _free_seat(fault.folder, fault.licences)
                if _seat is None:
                    raise _refused(f"all {fault.licences} licences are in use")
        _models += 1


def give_licence_back() -> None:
    """Count one model of this process less; the last one frees the seat."""
    global _models, _seat
    with _lock:
        _models -= 1
        if _models == 0 and _seat is not None:
            _seat.close()
            _seat = None


class Loss:
    """What becomes of one model's licence, as its :class:`LicenceLoss` has it."""

    def __init__(self, fault: LicenceLoss) -> None:
        self._fault = fault
        self._reads = 0
        self._refused: int | None = None

    def result_read(self) -> None:
        """Count a result; NativeError (status 25) if the licence is lost by now."""
        self._reads += 1
        fault = self._fault
        if self._reads == fault.after_reads + 1 and happens(fault.times, fault.counter):
            self._refused = 0
            self.check()

    def check(self) -> None:
        """NativeError (status 25) while the licence is lost."""
        if self._refused is None:
            return
        if self._fault.calls is not None and self._refused >= self._fault.calls:
            self._refused = None
            return
        self._refused += 1
        raise _refused("it was lost")


def _licence_fault() -> LicenceFault | None:
    for faults in faults_from_environment():
        if faults.licence is not None:
            return faults.licence
    return None


def _refused(reason: str) -> NativeError:
    return NativeError(Status.LICENSING_ERROR, f"Licensing error: no OrcaFlex licence ({reason})")


def _free_seat(folder: str, count: int) -> BinaryIO | None:
    """An open, locked seat file, or None if other processes hold them all."""
    for index in range(count):
        # Closing the file, or the end of the process in any way, lets the lock go.
        seat = open(os.path.join(folder, f"licence.{index}"), "a+b")  # noqa: SIM115
        if _try_lock(seat):
            return seat
        seat.close()
    return None


if sys.platform == "win32":
    import msvcrt

    def _try_lock(file: BinaryIO) -> bool:
        file.seek(0)
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
else:
    import fcntl

    def _try_lock(file: BinaryIO) -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True


def _in_forked_child() -> None:
    # A forked child owns none of its parent's models. The seat's lock stays with the parent, but
    # our copy of the open file would keep it after the parent let go.
    global _models, _seat, _lock
    _lock = threading.Lock()
    _models = 0
    if _seat is not None:
        _seat.close()
        _seat = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_forked_child)

"""How a Python function becomes a native one: arguments, status, last error, counting."""

from __future__ import annotations

import ctypes
import functools
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from .status import NativeError, Status

FUNCTIONS: dict[str, Callable[..., Any]] = {}
"""Every native function by its exported name. What is not here is absent, as from an older DLL."""


class ThreadState:
    """What belongs to one thread. Its identity is the thread's: identifiers may be used again."""

    __slots__ = ("calls", "function", "last_error")

    def __init__(self) -> None:
        self.calls: dict[str, int] = {}
        self.function = ""
        self.last_error = ""


class _Threads(threading.local):
    state: ThreadState | None = None


_threads = _Threads()
_all_states: list[ThreadState] = []


def current_thread_state() -> ThreadState:
    """The state of the calling thread, made at its first native call."""
    state = _threads.state
    if state is None:
        state = _threads.state = ThreadState()
        _all_states.append(state)
    return state


def native_calls() -> dict[str, int]:
    """How often each native function was called in this process, over all threads."""
    total: dict[str, int] = {}
    for state in _all_states:
        for name, count in list(state.calls.items()):
            total[name] = total.get(name, 0) + count
    return dict(sorted(total.items()))


def forget_native_calls() -> None:
    """Start counting anew (a forked child does)."""
    for state in _all_states:
        state.calls.clear()


def native(name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Export a function under `name`, without its last parameter, the status.

    The function gets the other arguments as the wrapper passes them. What it returns is returned,
    NativeError becomes its status, any other exception UnexpectedError with the exception's text.
    Two go through: ctypes.ArgumentError, which a real ctypes function raises before it calls, and
    MemoryError, which the wrapper meets when it makes the arrays for results.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def call(*arguments: Any) -> Any:
            thread = current_thread_state()
            thread.calls[name] = thread.calls.get(name, 0) + 1
            thread.function = name
            status = arguments[-1]
            status = getattr(status, "_obj", status)
            try:
                result = function(*arguments[:-1])
            except NativeError as error:
                thread.last_error = error.text
                status.value = error.status
                return 0
            except (ctypes.ArgumentError, MemoryError):
                raise
            except Exception as error:
                thread.last_error = f"{name}: {type(error).__name__}: {error}"
                status.value = int(Status.UNEXPECTED_ERROR)
                return 0
            status.value = 0
            return result

        FUNCTIONS[name] = call
        return call

    return decorate


def native_without_status(name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Export a function that has no status parameter."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def call(*arguments: Any) -> Any:
            thread = current_thread_state()
            thread.calls[name] = thread.calls.get(name, 0) + 1
            return function(*arguments)

        FUNCTIONS[name] = call
        return call

    return decorate


def handle_value(argument: Any) -> int:
    """The integer behind a handle argument; 0 for a null handle."""
    argument = getattr(argument, "_obj", argument)
    value = getattr(argument, "value", argument)
    return 0 if value is None else int(value)


def number(argument: Any) -> Any:
    """The Python number behind an int, an enum member or a ctypes scalar."""
    argument = getattr(argument, "_obj", argument)
    return argument.value if isinstance(argument, ctypes._SimpleCData) else argument


def text(argument: Any) -> str | None:
    """The string behind a wide-string argument; None stays None."""
    if argument is None or isinstance(argument, str):
        return argument
    value = getattr(argument, "value", argument)
    if value is None or isinstance(value, str):
        return value
    raise ctypes.ArgumentError(f"expected a string, got {type(argument).__name__}")


def structure(argument: Any, type_name: str) -> Any:
    """The structure behind an argument, or None for a null pointer.

    Another structure than `type_name` raises ctypes.ArgumentError, as ctypes itself would.
    """
    if argument is None:
        return None
    argument = getattr(argument, "_obj", argument)
    if isinstance(argument, ctypes._Pointer):
        if not argument:
            return None
        argument = argument.contents
    if type(argument).__name__ != type_name:
        raise ctypes.ArgumentError(
            f"expected a {type_name} instance instead of {type(argument).__name__}"
        )
    return argument


def assign(target: Any, value: Any) -> None:
    """Store `value` in an out parameter; a null one is skipped."""
    if target is not None:
        target = getattr(target, "_obj", target)
        target.value = value


def assign_text(buffer: Any, value: str) -> int:
    """Store a string in a buffer if there is one; the length with its terminator either way."""
    if buffer is not None:
        buffer.value = value
    return len(value) + 1


def callback_structure(callback: Any, index: int) -> Any:
    """A new instance of the structure that parameter `index` of a callback points to."""
    instance = type(callback)._argtypes_[index]._type_()
    if hasattr(instance, "Size"):
        instance.Size = ctypes.sizeof(instance)
    return instance


def store_array(target: Any, values: Any) -> None:
    """Fill an output array; a null one is skipped, one that is too small is refused."""
    if target is None:
        return
    flat = np.ravel(values)
    if target.size < flat.size:
        raise NativeError(
            Status.INVALID_PARAMETER, f"{flat.size} values do not fit in {target.size}"
        )
    target.reshape(-1)[: flat.size] = flat

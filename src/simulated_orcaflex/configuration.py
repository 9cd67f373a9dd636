"""What the wrapper finds while it is being imported: its configuration, and Windows' ctypes."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType, SimpleNamespace
from typing import Any

LOCATION = "simulated OrcaFlex (simulated_orcaflex)"


def fill(module: ModuleType) -> None:
    """Give `module` the functions of OrcFxAPIConfig, with our library behind them."""

    def lib() -> object:
        from .library import native_library

        return native_library()

    def get_lib_handle() -> None:
        """No handle: there is no DLL."""

    def set_lib_handle(value: object) -> None:
        """Ignored: there is no DLL."""

    def get_lib_path() -> str:
        """Where the library is said to be."""
        return LOCATION

    def set_lib_path(value: object, childProcessInherit: bool | None = False) -> None:
        """Ignored: there is no DLL."""

    functions: dict[str, Callable[..., object]] = {
        "lib": lib,
        "getLibHandle": get_lib_handle,
        "setLibHandle": set_lib_handle,
        "getLibPath": get_lib_path,
        "setLibPath": set_lib_path,
    }
    module.__dict__.update(functions)
    module.__dict__["simulated"] = True


@contextmanager
def windows_parts_of_ctypes() -> Iterator[None]:
    """Provide `ctypes.windll` and `ctypes.WINFUNCTYPE` inside the block, where they are missing.

    They go away again at once: libraries such as colorama take `ctypes.windll` for Windows.
    """
    added = [name for name in ("windll", "WINFUNCTYPE") if not hasattr(ctypes, name)]
    values: dict[str, object] = {"windll": _windll(), "WINFUNCTYPE": callback_type}
    for name in added:
        setattr(ctypes, name, values[name])
    try:
        yield
    finally:
        for name in added:
            delattr(ctypes, name)


def callback_type(restype: Any, *argtypes: Any, **_flags: bool) -> type:
    """A new callback class, as WINFUNCTYPE makes them.

    Not CFUNCTYPE, whose classes are shared by all callers: the wrapper changes what it gets.
    """
    return type(
        "StandInCallback",
        (ctypes._CFuncPtr,),  # type: ignore[attr-defined]
        {"_argtypes_": argtypes, "_restype_": restype, "_flags_": 1},
    )


def _windll() -> SimpleNamespace:
    def module_file_name(_handle: object, buffer: Any, size: int) -> int:
        buffer.value = LOCATION[: size - 1]
        return len(LOCATION)

    # A function that is missing here becomes one that says so when it is called.
    return SimpleNamespace(
        gdi32=SimpleNamespace(),
        kernel32=SimpleNamespace(GetModuleFileNameW=module_file_name),
        winmm=SimpleNamespace(),
        OleAut32=SimpleNamespace(),
    )

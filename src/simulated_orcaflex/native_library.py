"""Native functions on the library itself: version, last error, special numbers, policies."""

from __future__ import annotations

import re
from typing import Any

from .runtime import (
    assign,
    assign_text,
    current_thread_state,
    native,
    native_without_status,
    text,
)

VERSION = "11.6c"
"""The version that the stand-in says it is; the wrapper asks which features it may use."""


@native("C_GetDLLVersionW")
def get_dll_version(required: Any, version: Any, is_new_enough: Any) -> None:
    assign_text(version, VERSION)
    wanted = text(required)
    assign(is_new_enough, int(not wanted or _version_key(wanted) <= _version_key(VERSION)))


def _version_key(version: str) -> tuple[tuple[int, str], ...]:
    """Comparable parts of a version such as 11.5a2."""
    parts = re.findall(r"(\d+)|([a-z]+)", version)
    return tuple((int(digits or 0), letters) for digits, letters in parts)


@native_without_status("C_GetDLLBuildDate")
def get_dll_build_date() -> int:
    return 1_735_689_600


@native_without_status("C_GetLastErrorStringW")
def get_last_error_string(buffer: Any) -> int:
    return assign_text(buffer, current_thread_state().last_error)


@native_without_status("OrcinaDefaultReal")
def orcina_default_real() -> float:
    return -1.0e307


@native_without_status("OrcinaDittoReal")
def orcina_ditto_real() -> float:
    return -2.0e307


@native_without_status("OrcinaInfinity")
def orcina_infinity() -> float:
    return 1.0e308


@native_without_status("OrcinaUndefinedReal")
def orcina_undefined_real() -> float:
    return -3.0e307


@native_without_status("OrcinaNullReal")
def orcina_null_real() -> float:
    return -4.0e307


@native("C_RegisterLicenceNotFoundHandler")
def register_licence_not_found_handler(_callback: Any) -> None:
    return None


@native("C_SetLibraryPolicyW")
def set_library_policy(name: Any, _value: Any) -> None:
    text(name)


@native("C_DisableModule")
def disable_module(_module: Any) -> None:
    return None

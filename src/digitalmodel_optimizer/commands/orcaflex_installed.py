"""Where OrcFxAPI looks for OrcaFlex on Windows, and what to do where it does not find it."""

from __future__ import annotations

import os
import sys
from typing import Any

REGISTRY_KEY = r"Software\Orcina\OrcaFlex\Installation Directory"
_VALUE = "Normal"
ELSEWHERE = "it needs OrcaFlex and Windows; set SIMULATED_ORCAFLEX=1 for the stand-in"


def advice() -> str:
    """What to do where OrcFxAPI cannot be imported, in a sentence."""
    if sys.platform != "win32":
        return ELSEWHERE
    import winreg

    return windows_advice(winreg, sys.maxsize > 2**32)


def windows_advice(registry: Any, is_64_bit: bool) -> str:
    """:func:`advice` on Windows.

    :param registry: the module ``winreg``, or what stands for it.
    """
    entry = rf"HKEY_LOCAL_MACHINE\{REGISTRY_KEY}"
    access = registry.KEY_READ | registry.KEY_WOW64_32KEY
    try:
        with registry.OpenKey(registry.HKEY_LOCAL_MACHINE, REGISTRY_KEY, 0, access) as key:
            folder = str(registry.QueryValueEx(key, _VALUE)[0])
    except OSError:
        return f"OrcaFlex is not installed: there is no entry {entry}; install it"
    platform = "Win64" if is_64_bit else "Win32"
    library = os.path.join(folder, "OrcFxAPI", platform, "OrcFxAPI.dll")
    if not os.path.isfile(library):
        return (
            f"the entry {entry} leads to {folder}, where there is no {library}; "
            "repair the installation of OrcaFlex, or install it again"
        )
    return (
        f"{library} is there and cannot be loaded; it may be damaged, or of another release than "
        "the OrcFxAPI of this Python: repair OrcaFlex, and install the OrcFxAPI of its release"
    )

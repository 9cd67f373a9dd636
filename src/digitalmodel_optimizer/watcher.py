"""The watcher that the ``.pth`` file puts in place, and the switch that turns everything off.

Standard library only: imported wherever somebody asks whether this interpreter waits for the host.
"""

import os
import sys

ENVIRONMENT_VARIABLE = "DIGITALMODEL_OPTIMIZER"
# Holds the process id of a process that runs the host's command though it was started otherwise.
RUN_VARIABLE = "DIGITALMODEL_OPTIMIZER_RUN"
LEAN_VARIABLE = "DIGITALMODEL_OPTIMIZER_LEAN"
WATCHER_NAME = "DigitalmodelOptimizerWatcher"
_OFF_WORDS = ("off", "0", "false", "no")


def switched_off() -> bool:
    """Whether the user has switched us off for this process and its children."""
    return _says_off(ENVIRONMENT_VARIABLE)


def imports_everything() -> bool:
    """Whether the user wants all of the host imported at its start, as it does by itself."""
    return _says_off(LEAN_VARIABLE)


def _says_off(variable: str) -> bool:
    return os.environ.get(variable, "").strip().lower() in _OFF_WORDS


def watching() -> bool:
    """Whether this interpreter waits for the host, as the ``.pth`` file has it."""
    return any(_is_watcher(finder) for finder in sys.meta_path)


def stop_watching() -> None:
    """Leave the host alone when it is imported from now on."""
    sys.meta_path[:] = [finder for finder in sys.meta_path if not _is_watcher(finder)]


def _is_watcher(finder: object) -> bool:
    return getattr(finder, "__name__", None) == WATCHER_NAME

"""What the installed ``.pth`` file calls when ``digitalmodel`` is imported for the first time.

Python's ``site`` module reads ``digitalmodel_optimizer.pth`` at every interpreter start; its one
line puts a watcher on ``sys.meta_path`` that imports nothing and finds nothing. Only when somebody
imports ``digitalmodel`` does it come here. Standard library only.
"""

import os
import sys

ENVIRONMENT_VARIABLE = "DIGITALMODEL_OPTIMIZER"
WATCHER_NAME = "DigitalmodelOptimizerWatcher"
_OFF_WORDS = ("off", "0", "false", "no")


def switched_off() -> bool:
    """Whether the user has switched us off for this process and its children."""
    return os.environ.get(ENVIRONMENT_VARIABLE, "").strip().lower() in _OFF_WORDS


def watching() -> bool:
    """Whether this interpreter waits for the host, as the ``.pth`` file has it."""
    return any(_is_watcher(finder) for finder in sys.meta_path)


def stop_watching() -> None:
    sys.meta_path[:] = [finder for finder in sys.meta_path if not _is_watcher(finder)]


def host_is_wanted() -> None:
    """Get ready, or stand aside for good; the import itself goes on to other finders."""
    stop_watching()
    if not switched_off():
        from digitalmodel_optimizer.engine.activation import host_is_being_imported

        host_is_being_imported()


def _is_watcher(finder: object) -> bool:
    return getattr(finder, "__name__", None) == WATCHER_NAME

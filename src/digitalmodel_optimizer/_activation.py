"""What runs at every interpreter start: watch for the host, cost nothing otherwise.

Python's ``site`` module imports this from ``digitalmodel_optimizer.pth``. It puts one finder on
``sys.meta_path`` that waits for the first import of ``digitalmodel`` and then hands over to
:mod:`digitalmodel_optimizer.engine.activation`. Set ``DIGITALMODEL_OPTIMIZER=off`` and nothing is
put anywhere. Standard library only, nothing imported that is not loaded already.
"""

import os
import sys

ENVIRONMENT_VARIABLE = "DIGITALMODEL_OPTIMIZER"
_OFF_WORDS = ("off", "0", "false", "no")


def switched_off() -> bool:
    return os.environ.get(ENVIRONMENT_VARIABLE, "").strip().lower() in _OFF_WORDS


class HostWatcher:
    """A finder that finds nothing: it only notices that ``digitalmodel`` is being imported."""

    def find_spec(self, name, path=None, target=None):  # type: ignore[no-untyped-def]
        if name == "digitalmodel":
            stop_watching()
            if not switched_off():
                from digitalmodel_optimizer.engine.activation import host_is_being_imported

                host_is_being_imported()
        return None


def watch() -> None:
    """Start watching, unless switched off or watching already."""
    if switched_off() or any(isinstance(finder, HostWatcher) for finder in sys.meta_path):
        return
    sys.meta_path.insert(0, HostWatcher())  # type: ignore[arg-type]


def stop_watching() -> None:
    sys.meta_path[:] = [item for item in sys.meta_path if not isinstance(item, HostWatcher)]


watch()

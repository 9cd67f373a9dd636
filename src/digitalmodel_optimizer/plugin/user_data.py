"""A file that is kept for the user across batches; the environment may move it or switch it off."""

from __future__ import annotations

import os
from pathlib import Path

OFF = ("off", "0", "no", "false")


def user_file(name: str, variable: str) -> Path | None:
    """``name`` in the user's data folder, or what the environment variable ``variable`` names; None
    where that says off.
    """
    import platformdirs

    named = os.environ.get(variable, "")
    if named.lower() in OFF:
        return None
    if named:
        return Path(named).expanduser().absolute()
    return platformdirs.user_data_path("digitalmodel-optimizer", appauthor=False) / name

"""Importing the host once before anything is timed, so that no run pays for a cold start.

A fresh installation has no bytecode yet: the first process that imports the host's two hundred
packages compiles them, which takes several times as long as the import itself.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

from digitalmodel_optimizer.watcher import ENVIRONMENT_VARIABLE

_IMPORTS = "import digitalmodel.engine, digitalmodel_optimizer.batch.entry, loky, joblib"


def bytecode_environment(folder: Path) -> dict[str, str]:
    """What to add to the environment: a place of our own for bytecode where none may be written.

    Where ``PYTHONDONTWRITEBYTECODE`` is set and there is no bytecode, every process would compile
    everything again.
    """
    host = importlib.util.find_spec("digitalmodel")
    cached = host is not None and host.origin and importlib.util.cache_from_source(host.origin)
    if not sys.dont_write_bytecode or sys.pycache_prefix or (cached and os.path.exists(cached)):
        return {}
    return {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(folder / "bytecode")}


def start_warm_up(folder: Path, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    """A process that imports what the runs will import, and ends; its output goes nowhere."""
    return subprocess.Popen(  # noqa: S603 - this very interpreter
        [sys.executable, "-c", _IMPORTS],
        cwd=folder,
        env={**os.environ, **environment, ENVIRONMENT_VARIABLE: "off"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )

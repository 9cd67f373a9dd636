"""Small files for the stand-in, and processes of their own that run on it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import simulated_orcaflex
from simulated_orcaflex import SimulationDescription, typical_simulation

SOURCE = Path(simulated_orcaflex.__file__).resolve().parents[1]


def small(**changes: Any) -> SimulationDescription:
    """A quick description: two ships, two lines, one of each other kind."""
    settings: dict[str, Any] = {
        "vessels": 2,
        "lines": 2,
        "constraints": 1,
        "links": 1,
        "plain_objects": 3,
        "nodes": 11,
        "stop_time_s": 30.0,
    }
    return typical_simulation(**{**settings, **changes})


def run_child(
    code: str, *arguments: object, check: bool = True, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run Python code in a process of its own, with the stand-in switched on by its variable."""
    start = "import simulated_orcaflex; simulated_orcaflex.activate_from_environment()\n"
    path = os.pathsep.join(filter(None, [str(SOURCE), os.environ.get("PYTHONPATH", "")]))
    settings = {"SIMULATED_ORCAFLEX": "1", "DIGITALMODEL_OPTIMIZER": "off", "PYTHONPATH": path}
    return subprocess.run(
        [sys.executable, "-c", start + code, *map(str, arguments)],
        env={**os.environ, **settings, **environment},
        capture_output=True,
        text=True,
        check=check,
        timeout=120,
    )

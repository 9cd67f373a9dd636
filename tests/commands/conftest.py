"""The command as users call it: in a process of its own, its text read afterwards."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

FIXED = {
    "COLUMNS": "80",
    "SIMULATED_ORCAFLEX": "1",
    "DIGITALMODEL_OPTIMIZER_HISTORY": "off",
}
Dmo = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def dmo(tmp_path: Path) -> Dmo:
    """Run ``digitalmodel-optimizer`` with words in ``tmp_path``; 80 columns, the stand-in on."""

    def run(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        command = "from digitalmodel_optimizer.commands import main; main()"
        base = {k: v for k, v in os.environ.items() if not k.startswith("DIGITALMODEL_OPTIMIZER")}
        return subprocess.run(
            [sys.executable, "-c", command, *words],
            cwd=tmp_path,
            env={**base, **FIXED, **environment},
            capture_output=True,
            encoding="utf-8",
            timeout=300,
            check=False,
        )

    return run

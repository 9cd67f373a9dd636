"""Running some configurations on a tiny batch once more."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from digitalmodel_optimizer.bench.batches import Batch
from digitalmodel_optimizer.bench.configurations import chosen
from digitalmodel_optimizer.bench.results import Result, new_result
from digitalmodel_optimizer.bench.rounds import Wish, run_batch


def again(tiny: Batch, work: Path, names: str = "workers_2", **wish: object) -> Result:
    """The first of ``names`` makes the reference; rounds and counts are by ``wish``."""
    wanted = replace(Wish(chosen(names), rounds=0), **wish)
    return new_result("tests", [run_batch(tiny, wanted, work, lambda _: None)], stand_in=True)


def dmo(folder: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    command = "from digitalmodel_optimizer.commands import main; main()"
    return subprocess.run(
        [sys.executable, "-c", command, "bench", *words],
        cwd=folder,
        env={**os.environ, "COLUMNS": "80", "SIMULATED_ORCAFLEX": "1", **variables},
        capture_output=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )


def snapshot(folder: Path) -> dict[str, tuple[str, int]]:
    return {
        str(path): (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file()
    }

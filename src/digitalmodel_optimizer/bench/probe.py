"""The benchmarks' own plugin: hands out exactly so many workers, and notes what each file took.

It comes in by the same door as anyone's: an entry point, in a distribution that is put on the
PYTHONPATH of one run (:func:`installed_in`). Users never see it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

from digitalmodel_optimizer.contract import (
    Allocation,
    Batch,
    BatchReport,
    Group,
    Machine,
    Option,
    PluginOptions,
    Settings,
    SimulationFile,
    hookimpl,
)

NAME = "bench-probe"
FILES_VARIABLE = "DIGITALMODEL_OPTIMIZER_BENCH_FILES"
_MODULE = __name__
_METADATA = "Metadata-Version: 2.1\nName: digitalmodel-optimizer-bench\nVersion: 0\n"


@hookimpl
def optimizer_options() -> PluginOptions:
    return PluginOptions(
        "Hands out a number of workers, for benchmarks.",
        (Option("workers", int, 1, "Exactly so many workers.", minimum=1),),
    )


@hookimpl(tryfirst=True)
def optimizer_allocate(
    group: Group, files: Sequence[SimulationFile], machine: Machine, settings: Settings
) -> Allocation:
    workers = min(settings.plugin(NAME)["workers"], len(files))
    native = max(1, machine.logical_cpus // workers)
    return Allocation(workers, native, f"{workers} workers, as the benchmark asks")


@hookimpl
def optimizer_batch_finished(batch: Batch, report: BatchReport, settings: Settings) -> None:
    """Write what each file took to the file that the environment names."""
    named = os.environ.get(FILES_VARIABLE)
    if not named:
        return
    files = [
        {
            "size_mb": result.file.size_mb,
            "total_s": result.timings.total_s,
            "load_s": result.timings.load_s,
            "read_s": result.timings.read_s,
            "cpu_s": result.timings.cpu_s,
            "memory_mb": result.memory_mb,
            "memory_growth_mb": result.memory_growth_mb,
            "worker": result.worker,
            "failed": result.error is not None,
        }
        for result in report.results
    ]
    content = {"elapsed_s": report.elapsed_s, "files": files}
    Path(named).write_text(json.dumps(content), encoding="utf-8")


def installed_in(folder: Path) -> Path:
    """Make ``folder`` a place for the PYTHONPATH on which this plugin is installed."""
    information = folder / "digitalmodel_optimizer_bench-0.dist-info"
    information.mkdir(parents=True, exist_ok=True)
    (information / "METADATA").write_text(_METADATA, encoding="utf-8")
    (information / "entry_points.txt").write_text(
        f"[digitalmodel_optimizer.plugins]\n{NAME} = {_MODULE}\n", encoding="utf-8"
    )
    return folder

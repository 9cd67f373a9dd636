"""The benchmarks' own plugin: hands out exactly so many workers, and notes what took how long.

It comes in by the same door as anyone's: an entry point, in a distribution that is put on the
PYTHONPATH of one run (:func:`installed_in`). Users never see it. Its moments are those of
``time.perf_counter``, which is one clock for all processes of a machine.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from digitalmodel_optimizer.plugin import (
    Allocation,
    Batch,
    BatchReport,
    FileResult,
    FileTask,
    Group,
    Machine,
    Measured,
    Option,
    PluginOptions,
    Progress,
    Settings,
    SimulationFile,
    hookimpl,
)

NAME = "bench-probe"
FILES_VARIABLE = "DIGITALMODEL_OPTIMIZER_BENCH_FILES"
_MODULE = __name__
_METADATA = "Metadata-Version: 2.1\nName: digitalmodel-optimizer-bench\nVersion: 0\n"


@dataclass
class _Moments:
    """Of the parent: when its files were handed out and done, and the CPU time that took it.

    ``ready_workers`` had been started before that.
    """

    executing_at_s: float = 0.0
    done_at_s: float = 0.0
    parent_cpu_s: float = 0.0
    ready_workers: int = 0


_moments = _Moments()


@hookimpl
def optimizer_options() -> PluginOptions:
    return PluginOptions(
        "Hands out a number of workers, for benchmarks.",
        (Option("workers", int, 1, "Exactly so many workers.", minimum=1),),
    )


@hookimpl(tryfirst=True)
def optimizer_allocate(
    group: Group,
    files: Sequence[SimulationFile],
    machine: Machine,
    measured: Measured,
    settings: Settings,
) -> Allocation:
    workers = min(settings.plugin(NAME)["workers"], len(files))
    native = max(1, machine.logical_cpus // workers)
    if not _moments.executing_at_s:
        _moments.executing_at_s = time.perf_counter()
        _moments.parent_cpu_s = -time.process_time()
        _moments.ready_workers = measured.ready_workers
    reason = f"{workers} workers, as the benchmark asks"
    return Allocation(workers, native, reason, worker_start_s=0.0)  # all at once, on no measurement


@hookimpl
def optimizer_progress(progress: Progress, settings: Settings) -> None:
    if progress.files_done == progress.files_total and _moments.parent_cpu_s < 0:
        _moments.done_at_s = time.perf_counter()
        _moments.parent_cpu_s += time.process_time()


@hookimpl(wrapper=True, tryfirst=True)
def optimizer_process_file(
    task: FileTask, settings: Settings
) -> Generator[None, FileResult, FileResult]:
    began_at_s = time.perf_counter()
    result = yield
    moments = {"began_at_s": began_at_s, "ended_at_s": time.perf_counter()}
    return replace(result, notes={**result.notes, NAME: moments})


@hookimpl
def optimizer_batch_finished(batch: Batch, report: BatchReport, settings: Settings) -> None:
    """Write what each file took to the file that the environment names."""
    named = os.environ.get(FILES_VARIABLE)
    if not named:
        return
    files = list(_files(report))
    content = {"elapsed_s": report.elapsed_s, **vars(_moments), "files": files}
    Path(named).write_text(json.dumps(content), encoding="utf-8")


def _files(report: BatchReport) -> Iterator[dict[str, float]]:
    for result in report.results:
        yield {
            "size_mb": result.file.size_mb,
            "total_s": result.timings.total_s,
            "load_s": result.timings.load_s,
            "read_s": result.timings.read_s,
            "cpu_s": result.timings.cpu_s,
            "memory_mb": result.memory_mb,
            "memory_growth_mb": result.memory_growth_mb,
            "worker": result.worker,
            "failed": result.error is not None,
            **result.notes.get(NAME, {}),
        }


def installed_in(folder: Path) -> Path:
    """Make ``folder`` a place for the PYTHONPATH on which this plugin is installed."""
    information = folder / "digitalmodel_optimizer_bench-0.dist-info"
    information.mkdir(parents=True, exist_ok=True)
    (information / "METADATA").write_text(_METADATA, encoding="utf-8")
    (information / "entry_points.txt").write_text(
        f"[digitalmodel_optimizer.plugins]\n{NAME} = {_MODULE}\n", encoding="utf-8"
    )
    return folder

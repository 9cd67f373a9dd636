"""Facts of made-up runs, in the form that reports, history and alerts take them."""

from __future__ import annotations

import random
from typing import Any

from digitalmodel_optimizer.plugin import (
    Allocation,
    Assignment,
    Batch,
    BatchReport,
    ErrorKind,
    FileError,
    FileResult,
    Group,
    Machine,
    Measured,
    OutputFile,
    ResourceSample,
    Schedule,
    Settings,
    SimulationFile,
    Timings,
)
from digitalmodel_optimizer.report.facts import report_as_dict

MACHINE = Machine(4, 32_000.0, 24_000.0, "linux")
BEGAN_S = 1_790_000_000.0


def timings(total_s: float, began_s: float, **changes: float) -> Timings:
    """Half of the time is loading, which computes; the rest is shared out."""
    shares = {"load_s": 0.5, "read_s": 0.2, "enumerate_s": 0.05, "write_s": 0.05}
    values = {name: share * total_s for name, share in shares.items()}
    cpu = {name.replace("_s", "_cpu_s"): value for name, value in values.items()}
    made = {"total_s": total_s, "cpu_s": total_s, "began_s": began_s, **values, **cpu}
    return Timings(**{**made, **changes})


def make_batch_report(
    files: int = 12,
    workers: int = 2,
    *,
    file_s: float = 0.5,
    failed: int = 0,
    slow: dict[int, float] | None = None,
    seed: int = 1,
    limited_by: str = "cores",
    busy: float | None = None,
    **changes: Any,
) -> BatchReport:
    """A batch whose files run one after the other on ``workers`` workers.

    :param slow: seconds of single files, by index. :param busy: cores that are busy on average.
    """
    draw = random.Random(seed)
    listed = tuple(
        SimulationFile(n, f"sim/lc_{n:04d}.sim", draw.randint(4_000_000, 9_000_000))
        for n in range(files)
    )
    free_at = [BEGAN_S] * workers
    results = []
    for file in listed:
        worker = min(range(workers), key=free_at.__getitem__)
        total_s = (slow or {}).get(file.index, file_s * file.size_mb / 6.5)
        error = None
        if file.index < failed:
            error = FileError(ErrorKind.NOT_A_SIMULATION, f"{file.path} is <no> simulation")
        results.append(
            FileResult(
                file,
                error,
                outputs=(OutputFile("s", f"results/{file.stem}.csv", 1_000_000),),
                timings=timings(total_s, free_at[worker]),
                worker=4000 + worker,
                memory_mb=150.0 + file.size_mb,
                input_stamp=(file.size_bytes, 1, 1),
            )
        )
        free_at[worker] += total_s
    elapsed_s = max(free_at) - BEGAN_S + 0.1
    cores = workers if busy is None else busy
    samples = tuple(
        ResourceSample(
            at_s=elapsed_s * step / 20,
            memory_mb=300.0 + 10 * step,
            cpu_s=cores * elapsed_s * step / 20,
            processes=workers + 1,
            threads=3 * workers,
            files_running=workers,
            workers_limit=workers,
            memory_available_mb=20_000.0,
            read_mb=100.0 * step,
            written_mb=10.0 * step,
            page_faults=step,
            unique_mb=200.0 if step == 10 else None,
        )
        for step in range(1, 21)
    )
    group = Group("under 100 MB", listed)
    allocation = Allocation(workers, 1, f"{workers} workers: {limited_by}", limited_by=limited_by)
    values: dict[str, Any] = {
        "batch": Batch("abc", listed, "/study/results"),
        "results": tuple(results),
        "schedule": Schedule((Assignment(group, allocation),), (), Measured()),
        "backend": "loky",
        "elapsed_s": elapsed_s,
        "decisions": (f"under 100 MB: {allocation.reason}", "backend loky"),
        "warnings": (),
        "memory_peak_mb": 812.0,
        "began_s": BEGAN_S,
        "samples": samples,
        "machine": MACHINE,
    }
    return BatchReport(**{**values, **changes})


def make_facts(
    files: int = 12, *, source: str = "/study/dm_fsts.yml", **changes: Any
) -> dict[str, Any]:
    return report_as_dict(make_batch_report(files, **changes), Settings(source=source))

"""The engine's own loop, run once and measured from outside: what later runs are compared with."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from digitalmodel_optimizer.batch.machine import measure_machine
from digitalmodel_optimizer.bench.batches import Batch, as_argument, users_batch
from digitalmodel_optimizer.bench.users_files import Choose
from digitalmodel_optimizer.measuring.host_runs import HostRun, run_host
from digitalmodel_optimizer.measuring.process_tree import Usage
from digitalmodel_optimizer.measuring.warm_up import bytecode_environment
from digitalmodel_optimizer.plugin import Batch as PluginBatch
from digitalmodel_optimizer.plugin import (
    BatchReport,
    FileResult,
    ResourceSample,
    Settings,
    SimulationFile,
)
from digitalmodel_optimizer.report.facts import report_as_dict
from digitalmodel_optimizer.report.format import amount, duration
from digitalmodel_optimizer.validation.runs import NotComparedError

BACKEND = "the engine's own loop"
_LAST_LINES = 25
# Of one core: below, the loop has waited for something else than its own arithmetic.
_BUSY_SHARE = 0.75


def run_baseline(
    config: Path,
    arguments: Sequence[str],
    work: Path,
    choose: Choose | None,
    say: Callable[[str], None],
) -> dict[str, Any]:
    """Run the batch of ``config`` without plugins, below the folder ``work``, and say what it took.

    Nothing of the user's is written to: outputs stay in ``work``.

    :return: facts in the form of a run's (:func:`~..report.facts.report_as_dict`); of single files
        only their sizes are known.
    :raises OptimizerError: the batch cannot be run.
    """
    batch = users_batch(config, None, arguments=arguments, choose=choose)
    name = batch.lay_out(work)
    say(f"{config.name}: {BACKEND}, {len(batch.files)} files")
    began_s = time.time()
    run = run_host(
        work, name, [as_argument(batch.overrides)], bytecode_environment(work), plugins=False
    )
    if run.status != 0 or run.loop_s is None:
        last = "\n".join(run.said.splitlines()[-_LAST_LINES:])
        raise NotComparedError(
            f"{config.name}: the engine's own loop ended with status {run.status}:\n{last}"
        )
    return _facts(config, batch, run, began_s)


def _facts(config: Path, batch: Batch, run: HostRun, began_s: float) -> dict[str, Any]:
    assert run.loop_s is not None
    files = tuple(
        SimulationFile(index, str(path), path.stat().st_size)
        for index, path in enumerate(batch.files)
    )
    usage = run.usage
    report = BatchReport(
        batch=PluginBatch(str(config.absolute()), files, str(config.absolute().parent)),
        results=tuple(FileResult(file) for file in files),
        schedule=None,
        backend=BACKEND,
        elapsed_s=run.loop_s,
        decisions=(),
        warnings=(),
        memory_peak_mb=usage.memory_mb,
        command_s=run.process_s,
        began_s=began_s,
        samples=_samples(usage),
        machine=measure_machine(),
    )
    facts = report_as_dict(report, Settings(source=str(config.absolute())))
    for record in facts["records"]:
        record["outcome"] = "done"
    facts["bottleneck"] = bottleneck_of_loop(usage, facts["size_done_mb"])
    return facts


def _samples(usage: Usage) -> tuple[ResourceSample, ...]:
    """Memory is known all the while; CPU time and bytes of the whole run only."""
    return tuple(
        ResourceSample(
            at_s=item.elapsed_s,
            memory_mb=item.tree_mb,
            cpu_s=usage.cpu_s * item.elapsed_s / usage.elapsed_s,
            processes=1,
            threads=1,
            files_running=1,
            workers_limit=1,
            memory_available_mb=0.0,
        )
        for item in usage.samples
    )


def bottleneck_of_loop(usage: Usage, size_mb: float) -> dict[str, str]:
    """What the engine's own loop has waited for: its one core, or the bytes of the files."""
    busy = usage.cpu_s / usage.elapsed_s if usage.elapsed_s else 0.0
    if busy >= _BUSY_SHARE:
        said = f"one file after the other: {busy:.2f} cores busy in {duration(usage.elapsed_s)}"
        return {"kind": "one_core", "sentence": said}
    rate = f"{amount(size_mb / usage.elapsed_s)}/s" if usage.elapsed_s else "?"
    said = f"waiting: {busy:.2f} cores busy, files read at {rate}"
    if usage.disk_read_mb:
        said += f", {amount(usage.disk_read_mb)} of it from a disk"
    return {"kind": "disk", "sentence": said}

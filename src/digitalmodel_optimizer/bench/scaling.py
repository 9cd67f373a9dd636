"""The scaling study: costs measured here, the model checked by them, a large machine planned."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from digitalmodel_optimizer.bench.json_form import read_as
from digitalmodel_optimizer.bench.machine_model import Costs
from digitalmodel_optimizer.bench.planning import Plan, plan_classes, plan_grid
from digitalmodel_optimizer.bench.results import describe_machine, versions
from digitalmodel_optimizer.bench.scaling_costs import Trace, fit_costs
from digitalmodel_optimizer.bench.scaling_runs import RUNS, Checked, ScalingRuns, check
from digitalmodel_optimizer.plugin import OptimizerError

SCHEMA = "digitalmodel-optimizer-scaling/2"


@dataclass(frozen=True)
class ScalingResult:
    """The whole study: costs as measured, the check of the model, the plans, the grid of batches.

    ``disk_mb_per_s`` is this machine's, None where the system does not let it be measured.
    ``traces`` are the real runs, of which all else follows.
    """

    schema: str
    command: str
    machine: Mapping[str, Any]
    versions: Mapping[str, str]
    rounds: int
    costs: Costs
    disk_mb_per_s: float | None
    traces: tuple[Trace, ...]
    checked: tuple[Checked, ...]
    cores: int
    memory_mb: float
    plans: tuple[Plan, ...]
    grid: tuple[Plan, ...]


@dataclass(frozen=True)
class Measured:
    """Real runs: the command that made them, on which machine, and of which disk."""

    command: str
    machine: Mapping[str, Any]
    versions: Mapping[str, str]
    rounds: int
    disk_mb_per_s: float | None
    traces: tuple[Trace, ...]


def measure(
    command: str, folder: Path, work: Path, say: Callable[[str], None], rounds: int
) -> Measured:
    """New runs, on batches that are kept in ``folder``."""
    runs = ScalingRuns(folder, work, say)
    disk_mb_per_s = runs.disk_mb_per_s()
    traces = tuple(runs.rounds(rounds))
    return Measured(command, describe_machine(), versions(), rounds, disk_mb_per_s, traces)


def runs_alone(measured: Measured) -> dict[str, Any]:
    """What an unfinished study is worth keeping: runs from which ``read_measured`` goes on."""
    return {"schema": SCHEMA, **vars(measured)}


def read_measured(path: Path, command: str) -> Measured:
    """The runs of an earlier result, whose command comes before ``command``.

    :raises OptimizerError: it cannot be read, is none of this version, or lacks runs.
    """
    found: Measured = read_as(Measured, path, SCHEMA)
    there = {trace.run for trace in found.traces if trace.files}
    missing = [run for run in RUNS if run not in there]
    if missing:
        raise OptimizerError(f"{path} is damaged: it has no run of {missing[0]}")
    return replace(found, command=f"{found.command}\n{command}")


def study_scaling(
    measured: Measured,
    say: Callable[[str], None],
    cores: int,
    memory_mb: float,
    disks_mb_per_s: Sequence[float],
    *,
    grid: bool,
) -> ScalingResult:
    """Check the model and plan; files in memory are planned for as well as each disk."""
    costs = fit_costs(measured.traces)
    checked = tuple(check(measured.traces, costs, measured.machine["logical_cpus"]))
    disks = (None, *disks_mb_per_s)
    # The stand-in's memory says nothing of OrcaFlex's: planned is what the plugins assume.
    planned = costs.with_assumed_memory()
    say(f"planning {cores} CPUs")
    plans = tuple(plan_classes(planned, cores, memory_mb, disks))
    batches = []
    for number, plan in enumerate(plan_grid(planned, cores, memory_mb, disks) if grid else (), 1):
        say(f"planning {cores} CPUs: batch {number} of the grid")
        batches.append(plan)
    return ScalingResult(
        schema=SCHEMA,
        **vars(measured),
        costs=costs,
        checked=checked,
        cores=cores,
        memory_mb=memory_mb,
        plans=plans,
        grid=tuple(batches),
    )

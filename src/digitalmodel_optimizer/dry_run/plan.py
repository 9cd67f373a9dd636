"""What a plan says, as plain data; :func:`as_dict` is the form that programs read."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from digitalmodel_optimizer.plugin import (
    ExecutorChoice,
    Expected,
    FileResult,
    Schedule,
    SimulationFile,
)
from digitalmodel_optimizer.report.facts import group_as_dict

SCHEMA = 1
"""Raised when a key goes or changes its meaning; new keys do not raise it."""

Effect = Literal["refused", "fails", "warning"]
REFUSED: Effect = "refused"
FAILS: Effect = "fails"
WARNING: Effect = "warning"


@dataclass(frozen=True)
class Problem:
    """``effect``: nothing would run, what ``path`` names would have no result, or only a remark.

    ``code`` names the kind of problem for programs; ``message`` says what it is and what to do.
    """

    effect: Effect
    code: str
    message: str
    path: str | None = None


@dataclass(frozen=True)
class Output:
    """A file that would be written; ``size_bytes`` of the one that stands there now, or None."""

    path: str
    size_bytes: int | None


@dataclass(frozen=True)
class Disk:
    """Room for the outputs; ``needed_mb`` None where nobody can tell."""

    folder: str
    free_mb: float
    needed_mb: float | None
    basis: str


@dataclass(frozen=True)
class Decisions:
    """What the plugins would decide. ``executor`` is None where only the batch itself would tell.

    ``provisional``: the allocation is made anew once the first file has been measured.
    """

    schedule: Schedule
    executor: ExecutorChoice | None
    executor_reason: str
    expected: Expected | None
    provisional: bool


@dataclass(frozen=True)
class Plan:
    """``plugins_off`` says why the host's own loop would run; None if the plugins would.

    ``resumed`` and ``kept`` are results that need not be computed, by index: what an interrupted
    run has left, and what is kept from run to run. ``read_because`` says why the others are not
    among the kept ones, with their number.
    """

    config: str
    arguments: tuple[str, ...]
    host: str
    plugins_off: str | None = None
    input_folder: str | None = None
    results_folder: str | None = None
    files: tuple[SimulationFile, ...] = ()
    resumed: Mapping[int, FileResult] = field(default_factory=dict)
    kept: Mapping[int, FileResult] = field(default_factory=dict)
    read_because: Mapping[str, int] = field(default_factory=dict)
    decisions: Decisions | None = None
    outputs: tuple[Output, ...] = ()
    disk: Disk | None = None
    problems: tuple[Problem, ...] = ()

    @property
    def exit_status(self) -> int:
        effects = {problem.effect for problem in self.problems}
        return 2 if REFUSED in effects else 1 if FAILS in effects else 0

    def state(self, file: SimulationFile) -> str:
        """``done`` by an interrupted run, ``kept`` from an earlier one, ``fails`` or ``left``."""
        if file.index in self.resumed:
            return "done"
        if file.index in self.kept:
            return "kept"
        return "fails" if file.path in self.failing else "left"

    @functools.cached_property
    def failing(self) -> frozenset[str]:
        """Paths of files and outputs that would fail."""
        return frozenset(item.path for item in self.problems if item.effect == FAILS and item.path)


def as_dict(plan: Plan) -> dict[str, Any]:
    """``plan`` as plain data for JSON; documented in docs/reference/plan.md."""
    return {
        "schema": SCHEMA,
        "config": plan.config,
        "arguments": list(plan.arguments),
        "exit_status": plan.exit_status,
        "host": plan.host,
        "plugins": {"on": plan.plugins_off is None, "reason": plan.plugins_off},
        "input_folder": plan.input_folder,
        "results_folder": plan.results_folder,
        "files": [
            {
                "path": file.path,
                "size_mb": file.size_mb,
                "state": plan.state(file),
            }
            for file in plan.files
        ],
        "read_because": dict(plan.read_because),
        "decisions": None if plan.decisions is None else _decisions(plan.decisions),
        "expected": None
        if plan.decisions is None or plan.decisions.expected is None
        else vars(plan.decisions.expected),
        "outputs": [
            {
                "path": output.path,
                "replaces": output.size_bytes is not None,
                "size_bytes": output.size_bytes,
            }
            for output in plan.outputs
        ],
        "disk": None if plan.disk is None else vars(plan.disk),
        "problems": [vars(problem) for problem in plan.problems],
    }


def _decisions(decisions: Decisions) -> dict[str, Any]:
    schedule = decisions.schedule
    return {
        "backend": decisions.executor.name if decisions.executor else None,
        "backend_reason": decisions.executor_reason,
        "workers": schedule.workers,
        "max_workers": schedule.max_workers,
        "provisional": decisions.provisional,
        "groups": [group_as_dict(item) for item in schedule.assignments],
    }

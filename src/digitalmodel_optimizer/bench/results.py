"""What a benchmark found, as plain data with a versioned JSON form.

The form is that of the dataclasses here, nested as they are; keys carry their units. A reader
refuses another version than its own.
"""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from digitalmodel_optimizer.batch.machine import measure_machine
from digitalmodel_optimizer.bench.counters import Counts
from digitalmodel_optimizer.bench.json_form import read_as
from digitalmodel_optimizer.bench.statistics import Spread

SCHEMA = "digitalmodel-optimizer-bench/1"
_DISTRIBUTIONS = ("digitalmodel-optimizer", "digitalmodel", "OrcFxAPI", "numpy", "pandas", "joblib")


@dataclass(frozen=True)
class Round:
    """One run of one configuration. ``cold``: its files were not in the system's memory before.

    ``loop_s`` is the engine's ``post_process`` or what stands for it, ``process_s`` the whole
    process with the host's start. See :class:`~digitalmodel_optimizer.measuring.process_tree.Usage`
    for the others. ``same``: all outputs are those of the suite's reference.
    """

    number: int
    cold: bool
    loop_s: float
    process_s: float
    cpu_s: float
    memory_mb: float
    worker_mb: float
    processes: int
    read_mb: float | None
    written_mb: float | None
    disk_read_mb: float | None
    same: bool
    backend: str = ""
    workers: int = 1


@dataclass(frozen=True)
class Measured:
    """All rounds of one configuration on one suite, its counts, and what was amiss.

    ``differences`` are outputs that are not the reference's, in words.
    """

    name: str
    words: str
    rounds: tuple[Round, ...] = ()
    counts: Counts | None = None
    decisions: tuple[str, ...] = ()
    differences: tuple[str, ...] = ()

    def of(self, quantity: str, *, cold: bool = False) -> list[float]:
        """A quantity of the warm rounds, or of the cold ones; unknown values left out."""
        values = (getattr(item, quantity) for item in self.rounds if item.cold is cold)
        return [float(value) for value in values if value is not None]

    def spread(self, quantity: str) -> Spread | None:
        """Of the warm rounds; of the cold one where there is no other."""
        return Spread.of(self.of(quantity) or self.of(quantity, cold=True))

    @property
    def same(self) -> bool:
        return not self.differences and all(item.same for item in self.rounds)


@dataclass(frozen=True)
class SuiteResult:
    """A batch and all configurations that ran on it. ``skipped`` has the reason of each other."""

    name: str
    words: str
    files: int
    size_mb: float
    smallest_mb: float
    largest_mb: float
    reference: str
    measured: tuple[Measured, ...] = ()
    skipped: Mapping[str, str] = field(default_factory=dict)

    def get(self, name: str) -> Measured | None:
        return next((item for item in self.measured if item.name == name), None)


@dataclass(frozen=True)
class Result:
    """A whole run of the benchmarks."""

    schema: str
    command: str
    machine: Mapping[str, Any]
    versions: Mapping[str, str]
    stand_in: bool
    suites: tuple[SuiteResult, ...] = ()

    @property
    def same(self) -> bool:
        return all(item.same for suite in self.suites for item in suite.measured)

    def get(self, suite: str) -> SuiteResult | None:
        return next((item for item in self.suites if item.name == suite), None)


def new_result(command: str, suites: Sequence[SuiteResult], *, stand_in: bool) -> Result:
    """``suites`` with what is known of this machine and of what is installed."""
    return Result(SCHEMA, command, describe_machine(), versions(), stand_in, tuple(suites))


def describe_machine() -> dict[str, Any]:
    machine = measure_machine()
    return {
        "logical_cpus": machine.logical_cpus,
        "memory_total_mb": round(machine.memory_total_mb),
        "platform": sys.platform,
        "system": _system(),
        "processor": _processor(),
        "load_average": _load(),
    }


def _system() -> str:
    """The system with its release; who built its kernel, and for whom, is left out."""
    release = platform.release().partition("-")[0]
    return f"{platform.system()} {release}, {platform.machine()}"


def _processor() -> str:
    """The processor's own name; on Linux ``platform`` knows only its architecture."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if "model name" in line)
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def _load() -> float | None:
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


def versions() -> dict[str, str]:
    """Python's and the distributions' on which times and counts depend."""
    from importlib.metadata import PackageNotFoundError, version

    found = {"python": platform.python_version()}
    for name in _DISTRIBUTIONS:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def read_result(path: Path) -> Result:
    """The result that stands in ``path``.

    :raises OptimizerError: it cannot be read, is of another version, or is damaged.
    """
    result: Result = read_as(Result, path, SCHEMA)
    return result

"""Do plugins that learn get better from run to run? On machines that are only models.

The installed plugins run the same kind of batch again and again, and are told of each run by their
own hook as after a real one. Beside each run stand, on the same files, the static choice (the
plugins without those that learn) and fixed numbers of workers, of which the best counts, with
hindsight.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

from digitalmodel_optimizer.batch.defaults import CoreDefaults
from digitalmodel_optimizer.bench.json_form import read_as
from digitalmodel_optimizer.bench.machine_model import Costs, ModelMachine
from digitalmodel_optimizer.bench.planned_plugins import simulate_fixed
from digitalmodel_optimizer.bench.simulated_batch import BEGAN_S, Simulated, make_files, simulate
from digitalmodel_optimizer.config.settings import read_settings
from digitalmodel_optimizer.plugin import Batch, BatchReport, Machine, Settings
from digitalmodel_optimizer.plugin.manager import Manager, build_manager, installed_plugins
from digitalmodel_optimizer.report.facts import report_as_dict

SCHEMA = "digitalmodel-optimizer-learning/1"
LEARNING = "tuning"
_STATIC = ("thread-allocation", "batch-grouping")
# Plugins keep what they learn in the file that this variable names.
STORE_VARIABLE = "DIGITALMODEL_OPTIMIZER_TUNING"
_DAY_S = 86_400.0
_MEMORY_SHARE = 0.8
# From run to run sizes, and with them the time of each file, differ by so much.
_SCATTER = 0.1
# What counts as near enough to the best fixed number.
WITHIN = 0.05
# Loads as slow as OrcaFlex's are likely to be: 100 MB per second on one core.
_COSTS = Costs(
    start_s=0.5, file_s=0.05, mb_s=0.01, turn_s=0.0006, batch_s=0.08, spawn_s=0.021, merge_s=0.0003
)


@dataclass(frozen=True)
class Scenario:
    """A machine, and a batch that runs on it again and again.

    ``later``: the machine that it is from the run ``changes_at`` on; None: it stays.
    """

    name: str
    words: str
    machine: ModelMachine
    files: int = 240
    file_mb: float = 60.0
    costs: Costs = _COSTS
    later: ModelMachine | None = None
    changes_at: int = 0

    def at(self, run: int) -> ModelMachine:
        """The machine of a run, counted from 1."""
        return self.later if self.later and run >= self.changes_at else self.machine


_MANY = ModelMachine(64, 200_000.0)
_SEEKING = ModelMachine(32, 100_000.0, 300.0, seek_share=0.05)
SCENARIOS = (
    Scenario("few cores", "4 CPUs, files in memory", ModelMachine(4, 24_000.0), files=160),
    Scenario("many cores", "64 CPUs, files in memory", _MANY, files=480),
    Scenario(
        "contended cores",
        "32 CPUs that are 4 times slower when all are busy",
        ModelMachine(32, 100_000.0),
        costs=replace(_COSTS, contention=3.0),
    ),
    Scenario(
        "slow disk", "16 CPUs, a hard disk of 150 MB/s, 8 % slower for each further reader",
        ModelMachine(16, 48_000.0, 150.0, seek_share=0.08), files=160,
    ),
    Scenario(
        "share", "32 CPUs, a network share of 300 MB/s, 2 % slower for each further reader",
        ModelMachine(32, 100_000.0, 300.0, seek_share=0.02),
    ),
    Scenario(
        "tight memory", "16 CPUs, memory for 6 files of 400 MB",
        ModelMachine(16, 9_000.0), files=60, file_mb=400.0,
    ),
    Scenario(
        "one licence", "16 CPUs, one licence, which nobody told the settings",
        ModelMachine(16, 48_000.0, licences=1), files=80, file_mb=20.0,
    ),
    Scenario(
        "small batch", "16 CPUs, 20 files of 2 MB: too little to learn from",
        ModelMachine(16, 48_000.0), files=20, file_mb=2.0,
    ),
    Scenario(
        "disk gets slower", "32 CPUs, files in memory; from run 13 on a hard disk",
        ModelMachine(32, 100_000.0), files=160, later=_SEEKING, changes_at=13,
    ),
    Scenario(
        "fewer cores", "64 CPUs; from run 13 on a share with 8 CPUs",
        _MANY, later=ModelMachine(8, 48_000.0, 300.0, seek_share=0.05), changes_at=13,
    ),
)  # fmt: skip


@dataclass(frozen=True)
class LearningRun:
    """One run of a scenario: workers with which it began and the highest limit, seconds; the static
    choice's; those of the fixed number that is the best over all runs on this machine.
    """

    run: int
    workers: int
    limit: int
    seconds: float
    explored: bool
    static_workers: int
    static_s: float
    best_workers: int
    best_s: float

    @property
    def regret(self) -> float:
        """The share by which it was slower than the best fixed number."""
        return self.seconds / self.best_s - 1

    @property
    def static_regret(self) -> float:
        return self.static_s / self.best_s - 1

    @property
    def against_static(self) -> float:
        return self.seconds / self.static_s - 1


@dataclass(frozen=True)
class Learned:
    """A scenario's runs, in order."""

    name: str
    words: str
    changes_at: int
    runs: tuple[LearningRun, ...]

    @property
    def phases(self) -> tuple[tuple[LearningRun, ...], ...]:
        """The runs before and after the machine changed."""
        cut = self.changes_at - 1
        found = (self.runs[:cut], self.runs[cut:]) if self.changes_at else (self.runs,)
        return tuple(phase for phase in found if phase)

    @property
    def worst_against_static(self) -> float:
        return max(run.against_static for run in self.runs)


def within_after(runs: Sequence[LearningRun]) -> int | None:
    """After how many runs those that follow are within 5 % of the best fixed number, on average,
    and none but a trial by more than 10 %; None: not at the end.
    """
    found = None
    for place in range(len(runs) - 1, -1, -1):
        rest = runs[place:]
        beyond = runs[place].regret > 2 * WITHIN and not runs[place].explored
        if beyond or fmean(run.regret for run in rest) > WITHIN:
            break
        found = place
    return found


@dataclass(frozen=True)
class LearningResult:
    """All scenarios, and the command that played them."""

    schema: str
    command: str
    learned: tuple[Learned, ...]


def read_learning(path: Path) -> LearningResult:
    """:raises OptimizerError: it cannot be read or is none of this version."""
    found: LearningResult = read_as(LearningResult, path, SCHEMA)
    return found


def study_learning(
    command: str, runs: int, folder: Path, say: Callable[[str], None], names: Sequence[str] = ()
) -> LearningResult:
    """Play every scenario; ``folder`` takes what the plugins keep."""
    chosen = [item for item in SCENARIOS if not names or item.name in names]
    learned = []
    for scenario in chosen:
        say(f"learning: {scenario.name}")
        learned.append(learn(scenario, runs, folder / f"{scenario.name}.journal"))
    return LearningResult(SCHEMA, command, tuple(learned))


def learn(scenario: Scenario, runs: int, store: Path, seed: int = 1) -> Learned:
    """So many runs of a scenario, with a new store."""
    draw = random.Random(f"{scenario.name} {seed}")  # noqa: S311 - the same each time
    with _kept_in(store):
        played = [_play(scenario, run, draw) for run in range(1, runs + 1)]
    done = [_judged(item, [it for it in played if it.machine == item.machine]) for item in played]
    return Learned(scenario.name, scenario.words, scenario.changes_at, tuple(done))


@dataclass(frozen=True)
class _Played:
    """A run with all that it is compared with; ``fixed_s``: seconds by number of workers."""

    run: int
    machine: ModelMachine
    tuned: Simulated
    explored: bool
    static: Simulated
    fixed_s: Mapping[int, float]


def _play(scenario: Scenario, run: int, draw: random.Random) -> _Played:
    machine = scenario.at(run)
    sizes_mb = [
        scenario.file_mb * draw.lognormvariate(0.0, _SCATTER) for _ in range(scenario.files)
    ]
    tuned, explored = _Plugins(scenario, learning=True).run(sizes_mb, machine, run)
    static, _ = _Plugins(scenario, learning=False).run(sizes_mb, machine, run)
    most = min(static.schedule.max_workers, scenario.files)  # what all budgets allow
    # In the plugins' order: what is compared is the number of workers alone.
    ordered_mb = [task.file.size_mb for task in static.schedule.order]
    fixed_s = {n: _fixed(scenario, ordered_mb, machine, n) for n in _numbers(most)}
    return _Played(run, machine, tuned, explored, static, fixed_s)


def _judged(played: _Played, alike: Sequence[_Played]) -> LearningRun:
    """A run beside the fixed number that is the best over all runs on the same machine."""
    common = set.intersection(*(set(item.fixed_s) for item in alike))
    best = min(common, key=lambda n: (sum(item.fixed_s[n] for item in alike), n))
    return LearningRun(
        run=played.run,
        workers=played.tuned.schedule.workers,
        limit=played.tuned.limit,
        seconds=played.tuned.elapsed_s,
        explored=played.explored,
        static_workers=played.static.schedule.workers,
        static_s=played.static.elapsed_s,
        best_workers=best,
        best_s=played.fixed_s[best],
    )


def _numbers(most: int) -> list[int]:
    """Fixed numbers, about a fifth apart."""
    found, number = [1], 1.0
    while found[-1] < most:
        number = max(number * 1.2, found[-1] + 1)
        found.append(min(most, int(number)))
    return found


def _fixed(
    scenario: Scenario, sizes_mb: Sequence[float], machine: ModelMachine, workers: int
) -> float:
    memory_mb = _MEMORY_SHARE * machine.memory_mb
    found = simulate_fixed(sizes_mb, workers, machine, scenario.costs, memory_mb=memory_mb)
    return found.elapsed_s


class _Plugins:
    """The installed plugins that decide, new in every run as in every process."""

    def __init__(self, scenario: Scenario, *, learning: bool) -> None:
        self._scenario = scenario
        names = (*_STATIC, LEARNING) if learning else _STATIC
        installed = tuple(item for item in installed_plugins() if item.name in names)
        self._manager: Manager = build_manager(installed, defaults=[("core", CoreDefaults())])
        plugins: dict[str, Any] = {LEARNING: {"enabled": True}} if learning else {}
        block = {"enabled": True, "plugins": plugins}
        self._settings: Settings = read_settings(
            {"orcaflex": {"parallel": block}}, self._manager.options()
        )
        self._manager.ask("optimizer_configure", settings=self._settings)

    def run(
        self, sizes_mb: Sequence[float], machine: ModelMachine, run: int
    ) -> tuple[Simulated, bool]:
        """How it went, and whether the plugins tried something out."""
        found = simulate(sizes_mb, machine, self._scenario.costs, self._manager, self._settings)
        facts = _facts(found, sizes_mb, machine, self._settings, run)
        self._manager.tell("optimizer_report_ready", facts=facts, settings=self._settings)
        if self._manager.faults:
            raise self._manager.faults[0]
        words = " ".join(item.allocation.reason for item in found.schedule.assignments)
        return found, "tried out beside" in words


def _facts(
    found: Simulated,
    sizes_mb: Sequence[float],
    machine: ModelMachine,
    settings: Settings,
    run: int,
) -> Mapping[str, Any]:
    """What plugins are told of a run, as after a real one; each is a day after the one before."""
    report = BatchReport(
        batch=Batch("simulated", make_files(sizes_mb), "results"),
        results=found.results,
        schedule=found.schedule,
        backend="simulated",
        elapsed_s=found.elapsed_s,
        decisions=found.decisions,
        warnings=(),
        memory_peak_mb=found.memory_mb,
        began_s=BEGAN_S,
        machine=Machine(machine.cores, machine.memory_mb, machine.memory_mb, "win32"),
    )
    return {**report_as_dict(report, settings), "began_s": BEGAN_S + run * _DAY_S}


@contextmanager
def _kept_in(store: Path) -> Iterator[None]:
    """What plugins learn goes to ``store``, which begins empty, and not to the user's."""
    store.unlink(missing_ok=True)
    before = os.environ.get(STORE_VARIABLE)
    os.environ[STORE_VARIABLE] = str(store)
    try:
        yield
    finally:
        if before is None:
            del os.environ[STORE_VARIABLE]
        else:
            os.environ[STORE_VARIABLE] = before

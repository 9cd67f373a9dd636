"""tuning: how many workers, from what earlier runs of this batch have shown on this machine.

Off unless the settings enable it. Each run adds one observation to a store of the user's own. From
these comes a curve of throughput against workers, and from the curve the number with which the
next batch begins, within all budgets that thread-allocation keeps. While a long batch runs, other
numbers are tried out. ``digitalmodel-optimizer tuning`` says why, freezes, exports, resets.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from digitalmodel_optimizer.plugin import (
    Adjustment,
    Allocation,
    Batch,
    BatchVerdict,
    Group,
    Machine,
    Measured,
    Option,
    PluginOptions,
    Progress,
    Settings,
    SimulationFile,
    TuningAction,
    hookimpl,
)
from digitalmodel_optimizer_plugins.tuning.climbing import Climber
from digitalmodel_optimizer_plugins.tuning.observation import (
    Observation,
    Place,
    Plan,
    observe,
    place_of,
)
from digitalmodel_optimizer_plugins.tuning.store import (
    Known,
    TuningStore,
    TuningStoreError,
    default_path,
)

NAME = "tuning"
_T = TypeVar("_T")

OPTIONS = (
    Option("enabled", bool, False, "True switches the tuning on."),
    Option(
        "margin",
        float,
        0.05,
        "Share of a batch's time by which a choice may turn out worse than the static one.",
        minimum=0.0,
        maximum=0.5,
    ),
    Option(
        "explore_every",
        int,
        4,
        "In at most every so many runs another number of workers is tried out; 0: never.",
        minimum=0,
    ),
    Option(
        "explore_step",
        float,
        0.25,
        "Share of the workers by which a trial differs; one worker at least.",
        minimum=0.01,
        maximum=1.0,
    ),
    Option(
        "explore_from_s",
        float,
        10.0,
        "In batches that are expected to be shorter nothing is tried out.",
        unit="s",
        minimum=0.0,
    ),
    Option(
        "learn_from_s",
        float,
        1.0,
        "Runs whose workers were at work side by side for a shorter time teach nothing.",
        unit="s",
        minimum=0.0,
    ),
    Option("climb", bool, True, "Also try out other numbers of workers while a long batch runs."),
)


@dataclass
class _State:
    """What this plugin knows of the batch that runs; one batch at a time."""

    known: Known | None = None
    place: Place | None = None
    plan: Plan | None = None
    explored: bool = False
    tuned: bool = False
    climber: Climber | None = None
    sentences: list[str] = field(default_factory=list)


_state = _State()


@hookimpl
def optimizer_options() -> PluginOptions:
    return PluginOptions("Learns the number of workers from earlier runs.", OPTIONS)


@hookimpl
def optimizer_configure(settings: Settings) -> None:
    """Before a batch, and before a plan: what is known is read anew."""
    global _state
    _state = _State()


@hookimpl
def optimizer_batch_started(batch: Batch, settings: Settings) -> None:
    global _state
    _state = _State()


@hookimpl(wrapper=True)
def optimizer_allocate(
    group: Group,
    files: Sequence[SimulationFile],
    machine: Machine,
    measured: Measured,
    settings: Settings,
) -> Generator[None, Allocation, Allocation]:
    """Whatever goes wrong here, the batch has the allocation that it would have without."""
    allocation = yield
    if not isinstance(allocation, Allocation):
        return allocation
    return _guarded(lambda: _tuned(allocation, files, machine, measured, settings), allocation)


@hookimpl(trylast=True)
def optimizer_adjust(progress: Progress, machine: Machine, settings: Settings) -> Adjustment | None:
    """Last, so that memory, licences and the user's keys come before."""
    climber = _state.climber
    if climber is None or not settings.plugin(NAME)["climb"]:
        return None
    return _guarded(lambda: climber.advise(progress, machine.logical_cpus), None)


@hookimpl
def optimizer_report_ready(facts: Mapping[str, Any], settings: Settings) -> BatchVerdict | None:
    _guarded(lambda: _learn(facts, settings), None)
    return BatchVerdict(tuple(_state.sentences)) if _state.sentences else None


@hookimpl
def optimizer_manage_tuning(
    action: TuningAction, path: str, settings: Settings
) -> Sequence[str] | None:
    from digitalmodel_optimizer_plugins.tuning.managing import manage

    return manage(action, path, settings)


def _tuned(
    allocation: Allocation,
    files: Sequence[SimulationFile],
    machine: Machine,
    measured: Measured,
    settings: Settings,
) -> Allocation:
    path = default_path()
    if path is None or not files:
        return allocation
    if _state.known is None:
        _state.known = TuningStore(path).read()
    if _state.place is None:  # a later plan has fewer files, and is the same batch
        _state.place = place_of(files, machine.logical_cpus, settings)
    known, place, options = _state.known, _state.place, settings.plugin(NAME)
    bound = max(allocation.workers, allocation.max_workers)
    plan = Plan(
        files=len(files),
        size_mb=sum(file.size_mb for file in files),
        static=allocation.workers,
        bound=bound,
        start_s=allocation.worker_start_s,
    )
    _keep_plan(plan)
    if not known.frozen:
        climber = _state.climber or Climber(step=options["explore_step"])
        climber.bound = max(climber.bound, bound)
        _state.climber = climber
    runs = known.of(place)
    if not runs:
        return allocation
    from digitalmodel_optimizer_plugins.tuning.learned import learned_of, limits_of, work_of

    limits = limits_of(runs, plan, options)
    if known.frozen:
        limits = replace(limits, explore=False)
    work = work_of(place, plan, measured.ready_workers, measured.starting_workers)
    choice = learned_of(runs, work, limits)
    if choice is None:
        return allocation
    _state.explored = _state.explored or choice.explored
    if choice.workers == allocation.workers and not choice.explored:
        return replace(allocation, reason=f"{allocation.reason}; tuning: {choice.reason}")
    _state.tuned = True
    # Fewer than the static choice, for a reason, are not raised again by what knows only this run.
    most = choice.workers if choice.workers < allocation.workers else bound
    return replace(
        allocation,
        workers=choice.workers,
        max_workers=most,
        reason=f"{allocation.reason}; tuning: {choice.reason}",
        limited_by="tuning",
    )


def _keep_plan(plan: Plan) -> None:
    """The first plan has all files; of several groups the one with the most workers counts."""
    kept = _state.plan
    if kept is None:
        _state.plan = plan
    elif plan.static > kept.static or plan.bound > kept.bound:
        static, bound = max(plan.static, kept.static), max(plan.bound, kept.bound)
        _state.plan = replace(kept, static=static, bound=bound)


def _learn(facts: Mapping[str, Any], settings: Settings) -> None:
    """Keep what the run has shown; the report says what that was, or why it was nothing."""
    path, place, plan = default_path(), _state.place, _state.plan
    options = settings.plugin(NAME)
    frozen = _state.known is not None and _state.known.frozen
    if path is None or place is None or plan is None or frozen:
        return
    found = observe(
        facts,
        place,
        plan,
        least_s=options["learn_from_s"],
        read_ahead=_read_ahead(settings),
        explored=_state.explored,
        tuned=_state.tuned,
    )
    if not isinstance(found, Observation):
        _state.sentences.append(f"nothing was learned from this run: {found}")
        return
    try:
        TuningStore(path).add([found])
    except TuningStoreError as error:
        _state.sentences.append(f"nothing was learned from this run: {error}")
        return
    tried = " (tried out)" if found.explored else ""
    _state.sentences.append(
        f"learned: {found.workers} at work{tried} did {found.mb_per_s:.3g} MB/s for "
        f"{found.seconds:.1f} s"
    )


def _read_ahead(settings: Settings) -> int:
    value = settings.plugin("io-buffering").get("read_ahead_files", 0)
    return value if isinstance(value, int) else 0


def _guarded(work: Callable[[], _T], otherwise: _T) -> _T:
    """``work()``, or ``otherwise`` and a sentence in the report."""
    try:
        return work()
    except Exception as error:
        said = f"tuning was left out: {type(error).__name__}: {error}"
        if said not in _state.sentences:
            _state.sentences.append(said)
        return otherwise

"""tuning: the curve, the choice and its bounds, what runs show, the store and its damage."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from facts import make_facts
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from digitalmodel_optimizer.plugin import (
    Allocation,
    Group,
    Machine,
    Measured,
    Progress,
    Settings,
    SimulationFile,
)
from digitalmodel_optimizer_plugins import tuning
from digitalmodel_optimizer_plugins.tuning.choice import Limits, Work, choose
from digitalmodel_optimizer_plugins.tuning.climbing import Climber
from digitalmodel_optimizer_plugins.tuning.curve import fit, shape
from digitalmodel_optimizer_plugins.tuning.learned import is_due, learned_of
from digitalmodel_optimizer_plugins.tuning.observation import (
    Observation,
    Place,
    Plan,
    observe,
    steady,
)
from digitalmodel_optimizer_plugins.tuning.relevant import relevant
from digitalmodel_optimizer_plugins.tuning.steps import step_down, step_up
from digitalmodel_optimizer_plugins.tuning.store import (
    VARIABLE,
    TuningStore,
    TuningStoreError,
    default_path,
)

PLACE = Place("pc", 16, "/", 64, 8.0, "/study/dm_fsts.yml", "processes")
PLAN = Plan(files=200, size_mb=1600.0, static=16, bound=16, start_s=0.5)
WORK = Work(files=200, work_mb=1600.0, cpus=16)
DAY_S = 86_400.0


def run(day: int, workers: int, mb_per_s: float, **changes: Any) -> Observation:
    made = Observation(PLACE, PLAN, 1.7e9 + day * DAY_S, workers, mb_per_s, 20.0)
    return replace(made, **changes)


def runs_of(
    numbers: Sequence[int], sigma: float, kappa: float, noise: float = 0.02, rate: float = 10.0
) -> list[Observation]:
    """Runs of a machine that follows the law, with a scatter."""
    draw = random.Random(7)
    return [
        run(day, n, rate * shape(n, sigma, kappa) * draw.lognormvariate(0.0, noise), tuned=day > 0)
        for day, n in enumerate(numbers)
    ]


laws = st.tuples(st.floats(0.0, 0.6), st.floats(0.0, 0.05))


@examples(max_examples=40)
@given(laws, st.integers(0, 1000))
def test_the_truth_lies_in_what_the_curve_says_of_numbers_that_ran(
    law: tuple[float, float], seed: int
) -> None:
    """Not in each of 10 cases, but near: within three times the spread of 8 of 10."""
    draw = random.Random(seed)
    numbers = [1, 2, 4, 8, 16, 1, 2, 4, 8, 16]
    rates = [10 * shape(n, *law) * draw.lognormvariate(0.0, 0.03) for n in numbers]
    curve = fit(numbers, rates)
    for n in (1, 4, 16):
        middle, low, high = curve.throughput(n)
        truth = 10 * shape(n, *law)
        assert low <= middle <= high
        assert middle * (low / middle) ** 3 <= truth * 1.02
        assert truth <= middle * (high / middle) ** 3 * 1.02


def test_what_has_not_been_seen_is_less_certain_and_more_runs_make_it_more_so() -> None:
    def width(numbers: list[int], of: int) -> float:
        found = runs_of(numbers, 0.05, 0.002)
        _, low, high = fit(numbers, [item.mb_per_s for item in found]).throughput(of)
        return high / low

    assert width([16] * 4, 4) > 1.5 * width([16] * 4, 16)
    assert width([2, 4, 8, 16] * 2, 6) < width([16], 6)


@given(st.lists(st.tuples(st.integers(1, 64), st.floats(0.01, 1e5)), min_size=1, max_size=30))
def test_whatever_runs_showed_the_curve_is_finite(pairs: list[tuple[int, float]]) -> None:
    curve = fit([n for n, _ in pairs], [rate for _, rate in pairs])
    low, middle, high = (curve.throughput(8)[place] for place in (1, 0, 2))
    assert 0 < low <= middle <= high < float("inf")
    assert abs(float(curve.weight.sum()) - 1) < 1e-9


@pytest.mark.parametrize("rate", [0.0, -1.0, float("nan"), float("inf")])
def test_what_is_no_throughput_is_refused(rate: float) -> None:
    with pytest.raises(ValueError):
        fit([2], [rate])


@examples(max_examples=40)
@given(
    st.lists(st.tuples(st.integers(1, 64), st.floats(1.0, 1000.0)), min_size=1, max_size=12),
    st.integers(1, 64),
    st.integers(1, 64),
    st.booleans(),
    st.floats(0.05, 1.0),
)
def test_a_choice_keeps_to_budgets_steps_and_margin(
    pairs: list[tuple[int, float]], static: int, bound: int, explore: bool, busy: float
) -> None:
    bound = max(static, bound)
    found = [run(day, n, rate, busy=busy) for day, (n, rate) in enumerate(pairs)]
    limits = Limits(static, bound, explore=explore)
    learned = learned_of(found, replace(WORK, cpus=64), limits)
    assert learned is not None
    choice = learned.choice
    assert 1 <= choice.workers <= bound
    chosen = next(item for item in choice.candidates if item.workers == choice.workers)
    if choice.explored:
        assert explore
        assert chosen.against_best <= 1 + limits.margin
        assert chosen.against_static <= 1 + limits.margin
        best = next(item for item in choice.candidates if item.against_best == 1.0)
        assert best.seconds >= limits.explore_from_s
        base = [item for item in choice.candidates if abs(item.against_best - 1) < 1e-9]
        assert any(
            step_down(item.workers, 0.25) <= choice.workers <= step_up(item.workers, 0.25)
            for item in base
        )
    elif choice.workers != static:
        assert chosen.at_worst <= 1 + limits.margin
        assert chosen.against_static < 1


def test_where_fewer_workers_do_more_fewer_are_chosen() -> None:
    found = runs_of([16, 12, 16, 10, 8, 6], 0.3, 0.02)
    learned = learned_of(found, WORK, Limits(16, 16))
    assert learned is not None
    assert learned.workers < 10
    assert "instead of 16" in learned.reason


def test_one_number_alone_changes_nothing_but_may_be_followed_by_a_trial() -> None:
    waiting = [run(0, 16, 40.0, busy=0.1)]
    settled = learned_of(waiting, WORK, Limits(16, 16))
    tried = learned_of(waiting, WORK, Limits(16, 16, explore=True))
    assert settled is not None
    assert tried is not None
    assert (settled.workers, settled.explored) == (16, False)
    assert (tried.workers, tried.explored) == (12, True)


def test_nothing_is_tried_out_in_a_short_batch_nor_where_workers_compute() -> None:
    short = learned_of([run(0, 16, 400.0, busy=0.1)], WORK, Limits(16, 16, explore=True))
    computing = learned_of([run(0, 16, 40.0, busy=1.0)], WORK, Limits(16, 16, explore=True))
    assert short is not None
    assert computing is not None
    assert not short.explored
    assert computing.workers > 12, "a step down is expected to cost more than the margin"


@given(st.lists(st.booleans(), min_size=1, max_size=20), st.integers(0, 6))
def test_trials_are_no_closer_than_asked(explored: list[bool], every: int) -> None:
    found = [run(day, 4, 10.0, explored=tried) for day, tried in enumerate(explored)]
    if is_due(found, every):
        assert every > 0
        assert not any(explored[len(explored) - every + 1 :] if every > 1 else [])


def test_a_machine_that_got_slower_is_noticed_after_two_runs_and_one_odd_run_is_not() -> None:
    before = [run(day, 8, 100.0 + day % 3) for day in range(6)]
    one = relevant([*before, run(6, 8, 40.0), run(7, 8, 101.0)])
    assert (one.since_s, one.odd, len(one.runs)) == (None, 1, 7)
    slower = relevant([*before, run(6, 8, 40.0), run(7, 8, 41.0), run(8, 8, 40.0)])
    assert slower.since_s == run(6, 8, 1.0).at_s
    assert [item.mb_per_s for item in slower.runs] == [40.0, 41.0, 40.0]


# -- what a run shows ------------------------------------------------------------------------


def test_a_run_shows_what_its_workers_did_side_by_side() -> None:
    facts = make_facts(60, workers=3)
    found = observe(facts, PLACE, PLAN, least_s=0.0)
    assert isinstance(found, Observation)
    assert found.workers == 3
    records = facts["records"]
    took_s = sum(record["total_s"] for record in records)
    size_mb = sum(record["size_mb"] for record in records)
    assert found.mb_per_s == pytest.approx(3 * PLACE.work_mb(60, size_mb) / took_s, rel=0.05)
    assert found.busy == pytest.approx(1.0)
    assert Observation.from_dict(found.as_dict()) == found


def test_starts_and_the_end_of_a_batch_do_not_count() -> None:
    records = [{"worker": 1, "began_s": 1.0 + n, "total_s": 1.0, "size_mb": 8.0} for n in range(10)]
    records += [{"worker": 2, "began_s": 4.0 + n, "total_s": 1.0, "size_mb": 8.0} for n in range(5)]
    workers, seconds, shares = steady(records)
    assert (workers, seconds) == (2, pytest.approx(5.0))
    assert sum(share for _, share in shares) == pytest.approx(10.0)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"files": 5}, "fewer than 8 files"),
        ({"files": 60, "failed": 20}, "too many failed"),
        ({"files": 60, "interrupted": True}, "interrupted"),
        ({"files": 10, "workers": 8}, "tells nothing"),
    ],
)
def test_what_a_run_does_not_show_has_a_reason(changes: dict[str, Any], why: str) -> None:
    found = observe(make_facts(**changes), PLACE, PLAN, least_s=0.0)
    assert isinstance(found, str)
    assert why in found


# -- the store -------------------------------------------------------------------------------


@pytest.fixture
def store(tmp_path: Path) -> TuningStore:
    return TuningStore(tmp_path / "deep" / "tuning.journal")


def test_what_is_kept_is_read_again_and_is_private(store: TuningStore) -> None:
    assert store.read().observations == ()
    assert not store.path.parent.exists(), "looking writes nothing"
    store.add([run(0, 4, 10.0)])
    store.add([run(1, 8, 15.0, explored=True)])
    assert store.read().of(PLACE) == [run(0, 4, 10.0), run(1, 8, 15.0, explored=True)]
    if os.name == "posix":
        assert store.path.stat().st_mode & 0o077 == 0
        assert store.path.parent.stat().st_mode & 0o077 == 0


@examples(max_examples=40)
@given(st.integers(0, 10_000), st.binary(min_size=1, max_size=40))
def test_damage_costs_what_it_hits_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, at: int, garbage: bytes
) -> None:
    damaged = TuningStore(tmp_path_factory.mktemp("store") / "tuning.journal")
    kept = [run(day, 4, 10.0 + day) for day in range(6)]
    damaged.add(kept)
    content = bytearray(damaged.path.read_bytes())
    place = at % len(content)
    content[place : place + len(garbage)] = garbage
    damaged.path.write_bytes(content)
    found = damaged.read().observations
    assert set(found) <= set(kept)
    assert len(found) >= 4
    damaged.add([run(9, 4, 99.0)])
    assert damaged.read().observations[-1] == run(9, 4, 99.0)


def test_runs_that_end_at_the_same_time_are_all_kept(store: TuningStore) -> None:
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda n: TuningStore(store.path).add([run(n, 4, 10.0)]), range(30)))
    assert sorted(item.at_s for item in store.read().observations) == [
        run(n, 4, 10.0).at_s for n in range(30)
    ]


def test_a_run_that_is_killed_while_it_writes_costs_nothing(store: TuningStore) -> None:
    store.add([run(0, 4, 10.0)])
    code = (
        "import sys; from pathlib import Path\n"
        "from digitalmodel_optimizer_plugins.tuning.store import TuningStore\n"
        "s = TuningStore(Path(sys.argv[1])); o = s.read().observations[:1]\n"
        "while True: s.add(o); print('kept', flush=True)"
    )
    writer = subprocess.Popen(
        [sys.executable, "-c", code, str(store.path)], stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout is not None
    writer.stdout.readline()
    time.sleep(0.05)
    writer.kill() if sys.platform == "win32" else writer.send_signal(signal.SIGKILL)
    said = 1 + len(writer.communicate()[0].split())
    assert len(store.read().observations) >= 1 + said
    store.add([run(1, 4, 11.0)])
    assert store.read().observations[-1] == run(1, 4, 11.0)


def test_somebody_elses_file_is_left_alone(store: TuningStore) -> None:
    store.path.parent.mkdir()
    store.path.write_text("a note of mine")
    for action in (lambda: store.add([run(0, 4, 1.0)]), store.reset, lambda: store.freeze(True)):
        with pytest.raises(TuningStoreError, match="not a store of tuning"):
            action()
    assert store.path.read_text() == "a note of mine"


def test_what_is_exported_can_be_imported_once(store: TuningStore, tmp_path: Path) -> None:
    store.add([run(0, 4, 10.0), run(1, 8, 15.0)])
    assert store.export(tmp_path / "runs.json") == 2
    other = TuningStore(tmp_path / "other.journal")
    assert other.import_from(tmp_path / "runs.json") == 2
    assert other.import_from(tmp_path / "runs.json") == 0
    assert other.read() == store.read()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema": "x/9", "observations": []}', "nul"])
def test_what_is_no_export_is_refused(store: TuningStore, tmp_path: Path, text: str) -> None:
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(TuningStoreError, match=r"x\.json"):
        store.import_from(tmp_path / "x.json")


def test_the_variable_moves_the_store_or_switches_it_off(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv(VARIABLE, "off")
    assert default_path() is None
    monkeypatch.setenv(VARIABLE, str(tmp_path / "x"))
    assert default_path() == tmp_path / "x"


# -- within a batch --------------------------------------------------------------------------

FILES = tuple(SimulationFile(n, f"/nowhere/lc_{n}.sim", 8_000_000) for n in range(200))
MACHINE = Machine(16, 64_000.0, 60_000.0, "linux")


def progress(done: int, at_s: float, limit: int, total: int = 4000, busy: float = 1.0) -> Progress:
    return Progress(
        files_total=total,
        files_done=done,
        files_failed=0,
        size_total_mb=8.0 * total,
        size_done_mb=8.0 * done,
        elapsed_s=at_s,
        running=FILES[:limit],
        upcoming=FILES[:5],
        workers_limit=limit,
        memory_available_mb=1e5,
        files_waiting=max(0, total - done - limit),
        finished_s=(at_s,),
        busy_cores=busy,
    )


def climb(rate: dict[int, float], limit: int, total: int = 4000, busy: float = 1.0) -> list[int]:
    """The limits that a batch goes through, whose files finish at ``rate`` by the limit."""
    climber, done, at_s, limits = Climber(bound=16), 0.0, 0.0, [limit]
    while done + limit < total:
        at_s += 0.5
        done += 0.5 * rate[limit]
        advice = climber.advise(progress(int(done), at_s, limit, total, busy), 16)
        if advice is not None:
            limit = advice.workers
            assert 1 <= limit <= 16
            limits.append(limit)
    return limits


def test_a_batch_climbs_to_fewer_workers_where_they_do_more_and_stays() -> None:
    limits = climb({n: 40.0 / (1 + 0.1 * abs(n - 6)) for n in range(1, 17)}, 16)
    assert limits[-1] in (5, 6, 7)
    assert len(limits) <= 8


def test_a_trial_without_gain_is_taken_back_and_not_repeated() -> None:
    assert climb(dict.fromkeys(range(1, 17), 20.0), 8, busy=1.0)[-1] == 8
    assert len(climb(dict.fromkeys(range(1, 17), 20.0), 8)) <= 5


def test_a_batch_too_small_to_learn_from_is_left_alone() -> None:
    assert climb(dict.fromkeys(range(1, 17), 20.0), 8, total=150) == [8]


def test_when_somebody_else_changes_the_limit_measuring_begins_anew() -> None:
    climber = Climber(bound=16)
    for step in range(40):
        climber.advise(progress(10 * step, 0.5 * step, 8), 16)
    assert climber.advise(progress(400, 20.5, 4), 16) is None, "memory ran short"


@pytest.fixture
def settings(monkeypatch, store: TuningStore) -> Iterator[Settings]:
    monkeypatch.setenv(VARIABLE, str(store.path))
    options = {item.name: item.default for item in tuning.OPTIONS}
    made = Settings(enabled=True, source=PLACE.batch, plugin_options={"tuning": options})
    tuning.optimizer_configure(made)
    yield made
    tuning.optimizer_configure(made)


def allocate(settings: Settings, allocation: Any) -> Any:
    wrapper = tuning.optimizer_allocate(Group("all", FILES), FILES, MACHINE, Measured(), settings)
    next(wrapper)
    with pytest.raises(StopIteration) as end:
        wrapper.send(allocation)
    return end.value.value


def test_without_earlier_runs_the_allocation_is_the_static_one(settings: Settings) -> None:
    given = Allocation(16, 1, "static", max_workers=16)
    assert allocate(settings, given) is given


def test_earlier_runs_lower_the_workers_and_never_pass_the_budgets(
    settings: Settings, store: TuningStore
) -> None:
    from digitalmodel_optimizer_plugins.tuning.observation import place_of

    place = place_of(FILES, 16, settings)
    store.add([replace(item, place=place) for item in runs_of([16, 12, 8, 6] * 2, 0.3, 0.02)])
    tuning.optimizer_configure(settings)
    tuned = allocate(settings, Allocation(16, 1, "static", max_workers=16))
    assert tuned.workers < 12
    assert tuned.max_workers == tuned.workers
    assert tuned.limited_by == "tuning"
    tuning.optimizer_configure(settings)
    assert allocate(settings, Allocation(3, 1, "memory", limited_by="memory")).workers <= 3


def test_a_fault_of_tuning_costs_no_batch(monkeypatch, settings: Settings) -> None:
    monkeypatch.setattr(tuning, "place_of", lambda *_: 1 / 0)
    given = Allocation(16, 1, "static")
    assert allocate(settings, given) is given
    verdict = tuning.optimizer_report_ready({}, settings)
    assert verdict is not None
    assert "left out: ZeroDivisionError" in verdict.sentences[0]


def test_choosing_takes_no_time_to_speak_of_for_large_machines() -> None:
    curve = fit([64, 50], [100.0, 90.0])
    work = Work(files=5000, work_mb=40_000.0, cpus=64)
    choice = choose(curve, [64, 50], work, Limits(25, 64))
    assert len(choice.candidates) <= 30

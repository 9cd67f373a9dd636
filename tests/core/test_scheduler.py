"""Which file starts when, as a state machine: no threads, no clock, no sleeping."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from digitalmodel_optimizer.batch.scheduler import MAX_RETRIES, SUCCESSES_TO_RECOVER, Scheduler
from digitalmodel_optimizer.plugin import (
    Allocation,
    Assignment,
    FileTask,
    Group,
    Measured,
    Schedule,
    SimulationFile,
)


def schedule_of(
    sizes_mb: list[float], workers: int, budget_mb: float | None = None, factor: float = 1.0
) -> Schedule:
    files = tuple(
        SimulationFile(index, f"case_{index}.sim", round(size * 1e6))
        for index, size in enumerate(sizes_mb)
    )
    allocation = Allocation(workers, 1, "asked", factor, budget_mb)
    order = tuple(FileTask(file, 1) for file in files)
    return Schedule((Assignment(Group("all", files), allocation),), order, Measured())


def scheduler_of(schedule: Schedule, **options: bool) -> Scheduler:
    scheduler = Scheduler(**options)
    scheduler.plan(schedule)
    scheduler.add(schedule.order)
    return scheduler


def indices(tasks: list[FileTask]) -> list[int]:
    return [task.file.index for task in tasks]


def test_files_start_in_order_up_to_the_limit() -> None:
    scheduler = scheduler_of(schedule_of([1.0] * 5, workers=2))
    assert indices(scheduler.start(0.0)) == [0, 1]
    assert scheduler.start(0.0) == []
    scheduler.finished(0, succeeded=True)
    assert indices(scheduler.start(0.0)) == [2]


def test_memory_in_flight_stays_within_the_budget_and_nobody_passes() -> None:
    scheduler = scheduler_of(schedule_of([60, 60, 10], workers=3, budget_mb=100))
    assert indices(scheduler.start(0.0)) == [0], "the small one must not pass the large one"
    scheduler.finished(0, succeeded=True)
    assert indices(scheduler.start(0.0)) == [1, 2]


def test_a_file_larger_than_the_budget_runs_when_nothing_else_does() -> None:
    scheduler = scheduler_of(schedule_of([10, 500, 10], workers=3, budget_mb=100))
    assert indices(scheduler.start(0.0)) == [0]
    scheduler.finished(0, succeeded=True)
    assert indices(scheduler.start(0.0)) == [1]


def test_a_file_that_is_tried_alone_has_no_other_beside_it() -> None:
    schedule = schedule_of([1.0] * 4, workers=3)
    scheduler = scheduler_of(schedule)
    scheduler.start(0.0)
    scheduler.finished(1, succeeded=False)
    assert scheduler.retry(replace(schedule.order[1], attempt=2), 0.0, alone=True)
    assert scheduler.start(0.0) == []
    scheduler.finished(0, succeeded=True)
    scheduler.finished(2, succeeded=True)
    assert indices(scheduler.start(0.0)) == [1]
    assert scheduler.start(0.0) == []
    scheduler.finished(1, succeeded=True)
    assert indices(scheduler.start(0.0)) == [3]


@pytest.mark.parametrize("isolated_alone", [True, False])
def test_isolated_files_run_alone_where_files_share_a_process(isolated_alone: bool) -> None:
    schedule = schedule_of([1.0] * 2, workers=2)
    scheduler = Scheduler(isolated_alone=isolated_alone)
    scheduler.plan(schedule)
    scheduler.add([replace(task, isolated=True) for task in schedule.order])
    assert len(scheduler.start(0.0)) == (1 if isolated_alone else 2)


def test_a_retry_waits_for_its_time_and_then_goes_first() -> None:
    schedule = schedule_of([1.0] * 3, workers=1)
    scheduler = scheduler_of(schedule)
    scheduler.start(0.0)
    scheduler.finished(0, succeeded=False)
    assert scheduler.retry(replace(schedule.order[0], attempt=2), 0.0, delay_s=5.0)
    assert indices(scheduler.start(0.0)) == [1], "others go on meanwhile"
    assert scheduler.wake_s(0.0) == 5.0
    scheduler.finished(1, succeeded=True)
    assert indices(scheduler.start(5.0)) == [0]


def test_endless_retries_are_refused() -> None:
    schedule = schedule_of([1.0], workers=1)
    scheduler = scheduler_of(schedule)
    for attempt in range(MAX_RETRIES):
        assert len(scheduler.start(0.0)) == 1
        scheduler.finished(0, succeeded=False)
        assert scheduler.retry(replace(schedule.order[0], attempt=attempt + 2), 0.0)
    assert len(scheduler.start(0.0)) == 1
    scheduler.finished(0, succeeded=False)
    assert not scheduler.retry(schedule.order[0], 0.0)
    assert scheduler.done


def test_a_pause_with_nothing_running_stops_all_and_then_one_file_tries() -> None:
    schedule = schedule_of([1.0] * 10, workers=4)
    scheduler = scheduler_of(schedule)
    for task in scheduler.start(0.0):
        scheduler.finished(task.file.index, succeeded=False)
        scheduler.pause(replace(task, attempt=2), 0.0, delay_s=2.0)
    assert scheduler.start(1.0) == []
    assert scheduler.wake_s(1.0) == 2.0
    assert indices(scheduler.start(2.0)) == [0]
    assert scheduler.start(2.0) == []
    scheduler.finished(0, succeeded=False)
    scheduler.pause(replace(schedule.order[0], attempt=3), 2.0, delay_s=4.0)
    assert scheduler.start(5.9) == []
    assert indices(scheduler.start(6.0)) == [0], "the same file tries, so that its waits grow"
    scheduler.finished(0, succeeded=True)
    assert scheduler.limit == 4, "the server is back: as many as before"
    assert indices(scheduler.start(6.0)) == [1, 2, 3, 4]


def test_a_pause_beside_running_files_lowers_the_limit_to_them() -> None:
    """Two seats, four workers: two are refused, and two go on."""
    schedule = schedule_of([1.0] * 6, workers=4)
    scheduler = scheduler_of(schedule)
    tasks = scheduler.start(0.0)
    for task in tasks[2:]:
        scheduler.finished(task.file.index, succeeded=False)
        scheduler.pause(replace(task, attempt=2), 0.0, delay_s=2.0)
    assert scheduler.limit == 2
    assert scheduler.start(0.0) == []
    scheduler.finished(0, succeeded=True)
    assert scheduler.limit == 2
    assert indices(scheduler.start(1.0)) == [4], "the refused ones are not due yet"
    scheduler.finished(1, succeeded=True)
    assert indices(scheduler.start(2.0)) == [2]


def test_a_file_that_is_refused_alone_does_not_stop_the_others() -> None:
    schedule = schedule_of([1.0] * 20, workers=2)
    scheduler = scheduler_of(schedule)
    scheduler.start(0.0)
    scheduler.finished(0, succeeded=False)
    scheduler.pause(replace(schedule.order[0], attempt=2), 0.0, delay_s=60.0)
    assert scheduler.limit == 1
    running = [1]
    for _ in range(SUCCESSES_TO_RECOVER):
        scheduler.finished(running.pop(), succeeded=True)
        running += indices(scheduler.start(1.0))
    assert scheduler.limit == 2
    assert len(running) == 2


def test_a_later_plan_changes_threads_and_limit_of_what_waits() -> None:
    schedule = schedule_of([1.0] * 4, workers=1)
    scheduler = scheduler_of(schedule)
    scheduler.start(0.0)
    later = schedule_of([1.0] * 4, workers=2)
    later = replace(later, order=tuple(replace(task, native_threads=8) for task in later.order))
    scheduler.plan(later)
    (started,) = scheduler.start(0.0)
    assert (started.file.index, started.native_threads) == (1, 8)


def test_an_executor_of_one_file_at_a_time_is_given_one() -> None:
    scheduler = Scheduler(capacity=1)
    schedule = schedule_of([1.0] * 3, workers=3)
    scheduler.plan(schedule)
    scheduler.add(schedule.order)
    assert indices(scheduler.start(0.0)) == [0]
    scheduler.set_limit(3)
    assert scheduler.start(0.0) == []


def test_a_stopped_batch_is_done_when_its_running_files_are() -> None:
    scheduler = scheduler_of(schedule_of([1.0] * 3, workers=2))
    scheduler.start(0.0)
    scheduler.stop()
    assert scheduler.start(0.0) == []
    assert scheduler.wake_s(0.0) == math.inf
    assert not scheduler.done
    scheduler.finished(0, succeeded=True)
    scheduler.finished(1, succeeded=True)
    assert scheduler.done


class AnyBatch(RuleBasedStateMachine):
    """Whatever happens in whatever order: no budget is broken, no file is lost or runs twice."""

    @initialize(
        sizes=st.lists(st.floats(0.0, 100.0), min_size=1, max_size=12),
        workers=st.integers(1, 6),
        budget=st.none() | st.floats(1.0, 200.0),
        factor=st.floats(0.1, 4.0),
        isolated_alone=st.booleans(),
        isolated=st.sets(st.integers(0, 11)),
    )
    def begin(
        self,
        sizes: list[float],
        workers: int,
        budget: float | None,
        factor: float,
        isolated_alone: bool,
        isolated: set[int],
    ) -> None:
        schedule = schedule_of(sizes, workers, budget, factor)
        self.order = [
            replace(task, isolated=task.file.index in isolated) for task in schedule.order
        ]
        self.isolated_alone = isolated_alone
        self.budget, self.factor = budget, factor
        self.scheduler = Scheduler(isolated_alone=isolated_alone)
        self.scheduler.plan(schedule)
        self.scheduler.add(self.order)
        self.now = 0.0
        self.running: dict[int, FileTask] = {}
        self.alone: set[int] = set()
        self.ended: set[int] = set()

    @rule()
    def start(self) -> None:
        for task in self.scheduler.start(self.now):
            index = task.file.index
            assert index not in self.running
            assert index not in self.ended
            self.running[index] = task
            assert len(self.running) <= max(1, self.scheduler.limit)
            needed = sum(self.factor * it.file.size_mb for it in self.running.values())
            if len(self.running) > 1 and self.budget is not None:
                assert needed <= self.budget + 1e-6
            marked = [it for it in self.running.values() if self.is_alone(it)]
            assert not marked or len(self.running) == 1

    def is_alone(self, task: FileTask) -> bool:
        return task.file.index in self.alone or (self.isolated_alone and task.isolated)

    def pick(self, data: st.DataObject) -> FileTask:
        index = data.draw(st.sampled_from(sorted(self.running)))
        return self.running.pop(index)

    @precondition(lambda self: self.running)
    @rule(data=st.data(), succeeded=st.booleans())
    def end(self, data: st.DataObject, succeeded: bool) -> None:
        index = self.pick(data).file.index
        self.alone.discard(index)
        self.scheduler.finished(index, succeeded=succeeded)
        self.ended.add(index)

    @precondition(lambda self: self.running)
    @rule(data=st.data(), delay=st.floats(0.0, 9.0), alone=st.booleans(), pause=st.booleans())
    def again(self, data: st.DataObject, delay: float, alone: bool, pause: bool) -> None:
        task = self.pick(data)
        index = task.file.index
        self.alone.discard(index)
        self.scheduler.finished(index, succeeded=False)
        again = replace(task, attempt=task.attempt + 1)
        if pause:
            self.scheduler.pause(again, self.now, delay)
        elif self.scheduler.retry(again, self.now, delay_s=delay, alone=alone):
            if alone:
                self.alone.add(index)
        else:
            self.ended.add(index)

    @rule(limit=st.integers(0, 8))
    def adjust(self, limit: int) -> None:
        if len(self.running) <= max(1, limit):  # running files are never interrupted
            self.scheduler.set_limit(limit)

    @rule(seconds=st.floats(0.0, 5.0))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @invariant()
    def something_is_always_to_come(self) -> None:
        """Nobody waits for ever: what does not run starts now, at its time, or after another."""
        if not hasattr(self, "scheduler"):
            return
        left = len(self.order) - len(self.ended) - len(self.running)
        assert self.scheduler.waiting == left
        assert self.scheduler.running == len(self.running)
        if left and not self.running:
            wake = self.scheduler.wake_s(self.now)
            assert wake > self.now
            if math.isinf(wake):
                tasks = self.scheduler.start(self.now)
                assert tasks
                self.running.update({task.file.index: task for task in tasks})


AnyBatch.TestCase.settings = settings(max_examples=100, stateful_step_count=40)
TestAnyBatch = AnyBatch.TestCase


@given(
    sizes=st.lists(st.floats(0.0, 50.0), min_size=1, max_size=30),
    workers=st.integers(1, 8),
    budget=st.none() | st.floats(1.0, 100.0),
)
def test_every_file_runs_once(sizes: list[float], workers: int, budget: float | None) -> None:
    scheduler = scheduler_of(schedule_of(sizes, workers, budget))
    ran: list[int] = []
    while not scheduler.done:
        started = indices(scheduler.start(0.0))
        ran += started
        assert scheduler.running
        for index in started:
            scheduler.finished(index, succeeded=True)
    assert ran == list(range(len(sizes)))

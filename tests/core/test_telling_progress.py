"""Plugins are told where the batch stands: not at every file of thousands, and never too late."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from digitalmodel_optimizer.batch.tracker import MAX_FINISHED, MAX_UPCOMING, TELL_S, Tracker
from digitalmodel_optimizer.plugin import (
    ErrorKind,
    FileError,
    FileResult,
    Progress,
    SimulationFile,
)

FAULT = FileError(ErrorKind.CRASHED, "gone")


def files(number: int) -> list[SimulationFile]:
    return [SimulationFile(index, f"case_{index}.sim", 2_000_000) for index in range(number)]


@dataclass
class Told:
    """A tracker with a clock that a test moves on, told to whoever listens as the loop does it."""

    number: int
    now_s: float = 0.0
    heard: list[Progress] = field(default_factory=list)
    measured_memory: int = 0

    def __post_init__(self) -> None:
        self.files = files(self.number)
        self.tracker = Tracker(self.files, lambda: self.now_s, self._available_mb)

    def _available_mb(self) -> float:
        self.measured_memory += 1
        return 100.0 * self.measured_memory

    def look(self) -> None:
        if self.tracker.due():
            self.heard.append(self.tracker.progress())
            self.tracker.told()

    def process(self, file: SimulationFile) -> None:
        self.tracker.started(file)
        self.look()
        self.tracker.finished(FileResult(file))
        self.look()


def test_of_events_in_quick_succession_the_first_is_told_and_the_last_soon_after() -> None:
    batch = Told(50)
    for file in batch.files[:20]:
        batch.process(file)
    batch.tracker.started(batch.files[20])
    batch.look()
    assert len(batch.heard) == 1
    assert batch.tracker.untold
    batch.now_s = TELL_S
    batch.look()
    last = batch.heard[-1]
    assert (last.files_done, last.running, last.files_waiting) == (20, (batch.files[20],), 29)
    batch.now_s = 9.0
    batch.look()
    assert len(batch.heard) == 2, "nothing new"


def test_events_with_time_between_them_are_all_told() -> None:
    batch = Told(3)
    for file in batch.files:
        batch.now_s += 1.0
        batch.tracker.started(file)
        batch.look()
        batch.now_s += 1.0
        batch.tracker.finished(FileResult(file))
        batch.look()
    assert [told.files_done for told in batch.heard] == [0, 1, 1, 2, 2, 3]
    assert batch.heard[-1].finished_s == (2.0, 4.0, 6.0)


def test_the_end_is_always_told() -> None:
    batch = Told(30)
    for file in batch.files:
        batch.process(file)
    assert [told.files_done for told in batch.heard] == [0, 30]


def test_a_file_that_is_processed_again_counts_once_and_as_it_ended_last() -> None:
    batch = Told(2)
    first, second = batch.files
    batch.tracker.finished(FileResult(first, FAULT))
    assert batch.tracker.progress().files_failed == 1
    batch.now_s = 1.0
    batch.tracker.finished(FileResult(second))
    batch.now_s = 2.0
    batch.tracker.finished(FileResult(first))
    progress = batch.tracker.progress()
    assert (progress.files_done, progress.files_failed) == (2, 0)
    assert progress.size_done_mb == 4.0
    assert progress.finished_s == (0.0, 1.0, 2.0)


def test_a_file_that_starts_once_more_waits_again() -> None:
    batch = Told(2)
    batch.tracker.started(batch.files[0])
    batch.tracker.interrupted(batch.files[0])
    progress = batch.tracker.progress()
    assert (progress.running, progress.files_done, progress.files_waiting) == ((), 0, 2)


def test_files_of_an_earlier_run_are_done_and_told_apart() -> None:
    batch = Told(4)
    batch.tracker.resumed(FileResult(batch.files[1]))
    batch.tracker.finished(FileResult(batch.files[0]))
    progress = batch.tracker.progress()
    assert (progress.files_done, progress.files_resumed, progress.files_waiting) == (2, 1, 2)
    assert (progress.size_done_mb, progress.size_resumed_mb) == (4.0, 2.0)
    assert len(progress.finished_s) == 1, "an earlier run's moments are none of this one"


def test_upcoming_files_are_in_the_order_in_which_they_start() -> None:
    batch = Told(4)
    batch.tracker.started(batch.files[3])
    batch.tracker.reorder(batch.files[::-1])
    progress = batch.tracker.progress()
    assert [file.index for file in progress.upcoming] == [2, 1, 0]


def test_what_is_told_of_a_large_batch_is_no_longer_than_of_a_small_one() -> None:
    batch = Told(1000)
    for file in batch.files[:600]:
        batch.now_s += 1.0
        batch.tracker.finished(FileResult(file))
    progress = batch.tracker.progress()
    assert progress.upcoming == tuple(batch.files[600 : 600 + MAX_UPCOMING])
    assert progress.files_waiting == 400
    assert progress.finished_s == tuple(map(float, range(601 - MAX_FINISHED, 601)))
    assert progress.files_done == 600


def test_memory_is_measured_twice_a_second_at_most() -> None:
    batch = Told(3)
    seen = []
    for now_s in (0.0, 0.2, 0.4, 0.6, 0.8, 1.2):
        batch.now_s = now_s
        seen.append(batch.tracker.progress().memory_available_mb)
    assert seen == [100.0, 100.0, 100.0, 200.0, 200.0, 300.0]


@pytest.mark.parametrize("busy_cores", [None, 1.5])
def test_the_limit_and_the_busy_cores_are_those_of_the_moment(busy_cores: float | None) -> None:
    batch = Told(1)
    batch.tracker.limit = lambda: 7
    progress = batch.tracker.progress(busy_cores, 3)
    assert (progress.workers_limit, progress.busy_cores) == (7, busy_cores)
    assert progress.observed_files == 3

"""Plugins are told where the batch stands: not at every file of thousands, and never too late."""

from __future__ import annotations

from typing import Any

import pytest

from digitalmodel_optimizer.batch import control
from digitalmodel_optimizer.batch.control import Tracker
from digitalmodel_optimizer.plugin import (
    ErrorKind,
    FileError,
    FileResult,
    Progress,
    SimulationFile,
)


class Listener:
    def __init__(self) -> None:
        self.told: list[Progress] = []

    def optimizer_progress(self, progress: Progress, settings: Any) -> None:
        self.told.append(progress)


def files(number: int) -> list[SimulationFile]:
    return [SimulationFile(index, f"case_{index}.sim", 2_000_000) for index in range(number)]


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time that trackers see; a test moves it on."""
    present = [100.0]
    monkeypatch.setattr(control.time, "perf_counter", lambda: present[0])
    return present


def test_of_events_in_quick_succession_the_first_is_told_and_the_last_when_asked(
    now: list[float],
) -> None:
    listener, batch = Listener(), files(50)
    tracker = Tracker(listener, None, batch)
    for file in batch[:20]:
        tracker.started(file)
        tracker.finished(FileResult(file))
    tracker.started(batch[20])
    assert len(listener.told) == 1
    tracker.catch_up()
    last = listener.told[-1]
    assert (last.files_done, last.running, len(last.upcoming)) == (20, (batch[20],), 29)
    tracker.catch_up()
    assert len(listener.told) == 2


def test_events_with_time_between_them_are_all_told(now: list[float]) -> None:
    listener, batch = Listener(), files(3)
    tracker = Tracker(listener, None, batch)
    for file in batch:
        now[0] += 1.0
        tracker.started(file)
        now[0] += 1.0
        tracker.finished(FileResult(file))
    assert [told.files_done for told in listener.told] == [0, 1, 1, 2, 2, 3]
    assert listener.told[-1].finished_s == (2.0, 4.0, 6.0)


def test_the_end_is_always_told(now: list[float]) -> None:
    listener, batch = Listener(), files(30)
    tracker = Tracker(listener, None, batch)
    for file in batch:
        tracker.finished(FileResult(file))
    assert [told.files_done for told in listener.told] == [1, 30]


def test_a_file_that_is_processed_again_counts_once_and_as_it_ended_last(
    now: list[float],
) -> None:
    tracker = Tracker(Listener(), None, files(2))
    first, second = files(2)
    tracker.finished(FileResult(first, FileError(ErrorKind.CRASHED, "gone")))
    now[0] += 1.0
    tracker.finished(FileResult(second))
    now[0] += 1.0
    tracker.finished(FileResult(first))
    progress = tracker.progress()
    assert (progress.files_done, progress.files_failed) == (2, 0)
    assert progress.size_done_mb == 4.0
    assert progress.finished_s == (1.0, 2.0)

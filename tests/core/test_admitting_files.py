"""Files start when the budgets allow it, first come, first served."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from digitalmodel_optimizer.batch.admission import Admission


class Waiting:
    """A file that asks to be admitted, on a thread of its own."""

    def __init__(self, admission: Admission, size_mb: float = 1.0, alone: bool = False) -> None:
        self.answer: bool | None = None
        self.thread = threading.Thread(target=self._ask, args=(admission, size_mb, alone))
        self.thread.start()

    def _ask(self, admission: Admission, size_mb: float, alone: bool) -> None:
        self.answer = admission.enter(size_mb, alone)

    def is_in(self) -> bool:
        self.thread.join(5.0)
        return self.answer is True

    def still_waits(self) -> bool:
        self.thread.join(0.05)
        return self.answer is None


def eventually(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 5.0
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.005)
    return condition()


def test_no_more_files_than_the_limit() -> None:
    admission = Admission(2, None)
    assert admission.enter(1.0)
    assert admission.enter(1.0)
    third = Waiting(admission)
    assert third.still_waits()
    admission.leave(1.0)
    assert third.is_in()


def test_no_more_memory_than_the_budget_but_always_one_file() -> None:
    admission = Admission(8, 100.0)
    assert admission.enter(500.0)
    small = Waiting(admission)
    assert small.still_waits()
    admission.leave(500.0)
    assert small.is_in()
    assert admission.enter(99.0)


def test_a_large_file_is_not_passed_by_small_ones() -> None:
    admission = Admission(8, 100.0)
    assert admission.enter(60.0)
    large = Waiting(admission, 80.0)
    assert large.still_waits()
    small = Waiting(admission, 1.0)
    assert small.still_waits()
    admission.leave(60.0)
    assert large.is_in()
    assert small.is_in()


def test_alone_means_that_nothing_runs_before_or_beside() -> None:
    admission = Admission(8, None)
    assert admission.enter(1.0)
    alone = Waiting(admission, alone=True)
    assert alone.still_waits()
    admission.leave(1.0)
    assert alone.is_in()
    other = Waiting(admission)
    assert other.still_waits()
    admission.leave(1.0)
    assert other.is_in()


def test_a_new_limit_counts_at_once_and_is_never_below_one() -> None:
    admission = Admission(1, None)
    assert admission.enter(1.0)
    second = Waiting(admission)
    assert second.still_waits()
    admission.set_limit(2)
    assert second.is_in()
    admission.set_limit(0)
    assert admission.limit == 1


def test_stopping_turns_away_who_waits_and_ends_pauses() -> None:
    admission = Admission(1, None)
    assert admission.enter(1.0)
    waiting = Waiting(admission)
    pausing = threading.Thread(target=admission.pause, args=(60.0,))
    pausing.start()
    assert waiting.still_waits()
    admission.stop()
    assert not waiting.is_in()
    assert waiting.answer is False
    assert eventually(lambda: not pausing.is_alive())
    assert admission.enter(1.0) is False
    assert admission.stopping

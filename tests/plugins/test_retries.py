"""What hybrid-executor does about a file that has failed."""

from __future__ import annotations

from typing import Any

import pytest
from executor_workload import settings_of

from digitalmodel_optimizer.plugin import (
    ErrorKind,
    FileError,
    SimulationFile,
)
from digitalmodel_optimizer_plugins import hybrid_executor
from digitalmodel_optimizer_plugins.hybrid_executor.recovery import (
    LicenceWait,
    describe_exit,
    licence_delay_s,
)

pytestmark = [
    pytest.mark.filterwarnings("error"),
    pytest.mark.usefixtures("nothing_left_behind"),
]


def action(kind: ErrorKind, attempt: int) -> Any:
    file = SimulationFile(0, "a.sim", 1)
    return hybrid_executor.optimizer_file_failed(
        file, FileError(kind, "it failed"), attempt, settings_of()
    )


def test_failures_are_answered_by_their_kind() -> None:
    for kind in (ErrorKind.CRASHED, ErrorKind.MEMORY):
        assert action(kind, 1).action == "alone"
        assert action(kind, 2).action == "give_up"
    assert action(ErrorKind.CHANGED, 1).action == "retry"
    assert action(ErrorKind.CHANGED, 2) is None
    assert action(ErrorKind.TIMEOUT, 1).action == "give_up"
    assert action(ErrorKind.LICENCE, 1).action == "wait"
    for kind in (ErrorKind.MISSING, ErrorKind.UNREADABLE, ErrorKind.ENGINE, ErrorKind.OUTPUT):
        assert action(kind, 1) is None


def test_waiting_for_a_licence_grows_and_ends() -> None:
    waits = [licence_delay_s(attempt, 2, 60, 600) for attempt in range(1, 20)]
    given = [wait for wait in waits if wait is not None]
    assert given[:6] == [2, 4, 8, 16, 32, 60]
    assert sum(given) == 600
    assert waits[len(given) :] == [None] * (len(waits) - len(given))


def test_no_licence_for_any_file_stops_the_batch_with_one_verdict() -> None:
    wait, options = LicenceWait(), settings_of().plugin(hybrid_executor.NAME)
    error = FileError(ErrorKind.LICENCE, "Licence server cannot be reached")
    actions = [wait.advise(0, error, attempt, options) for attempt in range(1, 30)]
    assert {item.action for item in actions} == {"wait", "stop"}
    verdict = next(item for item in actions if item.action == "stop").reason
    assert "Licence server cannot be reached" in verdict
    assert "600 s" in verdict
    assert "resumes" in verdict


def test_a_file_that_others_leave_no_licence_waits_on() -> None:
    wait, options = LicenceWait(), settings_of().plugin(hybrid_executor.NAME)
    error = FileError(ErrorKind.LICENCE, "no seat")
    for attempt in range(1, 40):
        assert wait.advise(0, error, attempt, options).action == "wait"
        wait.succeeded()
    assert wait.advise(0, error, 40, options).action == "wait"
    assert wait.advise(0, error, 41, options).action == "give_up", "the others are done"


def test_after_one_file_was_given_up_a_second_one_stops_the_batch() -> None:
    wait, options = LicenceWait(), settings_of().plugin(hybrid_executor.NAME)
    wait.succeeded()
    error = FileError(ErrorKind.LICENCE, "no seat")
    assert wait.advise(0, error, 30, options).action == "wait"
    assert wait.advise(0, error, 31, options).action == "give_up"
    wait.advise(1, error, 1, options)
    assert wait.advise(1, error, 31, options).action == "stop"


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (3, "it ended with exit code 3"),
        (None, "its exit status is unknown"),
        (-1073741819, "it ended with status 0xC0000005: a bad memory access in native code"),
        (0xC00000FD, "it ended with status 0xC00000FD: a stack overflow in native code"),
    ],
)
def test_an_exit_is_described_in_words(code: int | None, words: str) -> None:
    assert describe_exit(code) == words

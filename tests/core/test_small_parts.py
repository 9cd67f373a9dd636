"""Catching what the engine says, placeholders for unused imports."""

from __future__ import annotations

import errno
import io
import logging
import os
import pickle
import sys
import threading
from pathlib import Path

import pytest

from digitalmodel_optimizer.file import messages
from digitalmodel_optimizer.file.failures import describe, described_by, kind_of
from digitalmodel_optimizer.file.messages import Message, catching, joined, say
from digitalmodel_optimizer.plugin import ErrorKind
from digitalmodel_optimizer.tables.staged import StagedTables


def test_pieces_of_one_stream_are_joined_and_others_keep_their_places() -> None:
    pieces = [
        Message("output", "a"),
        Message("output", "b\n"),
        Message("logging", "l", 30, "x"),
        Message("output", "c"),
        Message("error output", "e"),
    ]
    assert joined(pieces) == (
        Message("output", "ab\n"),
        Message("logging", "l", 30, "x"),
        Message("output", "c"),
        Message("error output", "e"),
    )
    assert pickle.loads(pickle.dumps(joined(pieces))) == joined(pieces)


def test_what_a_thread_prints_is_its_own_files(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = messages._CatchingStream("output", sys.__stdout__ or sys.stdout)
    seen: dict[str, list[Message]] = {}
    together = threading.Barrier(2)

    def work(name: str) -> None:
        with catching() as caught:
            together.wait()
            for number in range(20):
                stream.write(f"{name}{number}")
            seen[name] = list(caught)

    threads = [threading.Thread(target=work, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for name in "ab":
        assert [item.text for item in seen[name]] == [f"{name}{n}" for n in range(20)]


def test_what_was_caught_is_said_as_if_it_had_been_said_here(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        say(
            (
                Message("output", "printed {} %s\n"),
                Message("error output", "complained\n"),
                Message("logging", "100 % {logged}", logging.WARNING, "some.module"),
            )
        )
    captured = capsys.readouterr()
    assert captured.out == "printed {} %s\n"
    assert "complained\n" in captured.err
    assert caplog.record_tuples == [("some.module", logging.WARNING, "100 % {logged}")]


class NativeError(Exception):
    def __init__(self, status: int, text: str = "and   more") -> None:
        super().__init__(f"Error code: {status}\n\n{text}")
        self.status = status


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (NativeError(6), ErrorKind.MISSING),
        (NativeError(7), ErrorKind.UNREADABLE),
        (NativeError(25), ErrorKind.LICENCE),
        (NativeError(67), ErrorKind.NOT_A_SIMULATION),
        (NativeError(1), ErrorKind.ENGINE),
        (FileNotFoundError(2, "", "sim/case.sim"), ErrorKind.MISSING),
        (PermissionError(13, "", "sim/../sim/case.sim"), ErrorKind.UNREADABLE),
        (OSError(5, "", "sim/case.sim"), ErrorKind.UNREADABLE),
        (PermissionError(13, "", "results/staging/1-1"), ErrorKind.OUTPUT),
        (FileNotFoundError(2, "", "results/a.csv"), ErrorKind.OUTPUT),
        (PermissionError(13, "", "results of others/a.csv"), ErrorKind.ENGINE),
        (FileNotFoundError(2, "", "sim/wind.csv"), ErrorKind.ENGINE),
        (FileNotFoundError("x"), ErrorKind.ENGINE),
        (PermissionError(13, "", 3), ErrorKind.ENGINE),
        (MemoryError(), ErrorKind.MEMORY),
        (OSError(12, "Cannot allocate memory"), ErrorKind.MEMORY),
        (NativeError(20, "Out of memory"), ErrorKind.MEMORY),
        (ValueError("ran out of memory of the past"), ErrorKind.ENGINE),
        (KeyError("x"), ErrorKind.ENGINE),
        (OSError(errno.ENOSPC, "full"), ErrorKind.DISK_FULL),
        (OSError(errno.EROFS, "read-only"), ErrorKind.DISK_FULL),
        (OSError(errno.ENAMETOOLONG, "long"), ErrorKind.ENGINE),
    ],
)
def test_what_kind_of_failure_an_exception_is(error: Exception, kind: ErrorKind) -> None:
    assert kind_of(error, "sim/case.sim", "results") is kind


@pytest.mark.parametrize(
    ("inner", "kind"),
    [
        (MemoryError(), ErrorKind.MEMORY),
        (NativeError(25), ErrorKind.LICENCE),
        (NativeError(7), ErrorKind.ENGINE),
    ],
)
def test_what_an_error_follows_from_counts_where_it_may_pass(
    inner: Exception, kind: ErrorKind
) -> None:
    stumble = KeyError("the host stumbles over what it lacks")
    stumble.__context__ = inner
    assert kind_of(stumble) is kind


def test_an_error_that_the_engine_kept_as_text_may_be_a_lack_of_memory() -> None:
    for last, kind in (
        ("MemoryError", ErrorKind.MEMORY),
        ("numpy.core._exceptions._ArrayMemoryError: Unable to allocate", ErrorKind.MEMORY),
        ("KeyError: 'MemoryError'", ErrorKind.ENGINE),
    ):
        told = described_by(f"Traceback (most recent call last):\n  File\n{last}\n")
        assert told is not None
        assert told.kind is kind


@pytest.mark.parametrize(
    ("last", "kind"),
    [
        (f"OSError: [Errno {errno.ENOSPC}] No space left on device", ErrorKind.DISK_FULL),
        (f"OSError: [Errno {errno.EIO}] Input/output error", ErrorKind.ENGINE),
        ("KeyError: 'x'", ErrorKind.ENGINE),
    ],
)
def test_a_full_disk_is_known_by_the_traceback_that_the_engine_keeps(
    last: str, kind: ErrorKind
) -> None:
    error = described_by(f"Traceback (most recent call last):\n  ...\n{last}\n")
    assert error is not None
    assert (error.kind, error.message) == (kind, last)


def test_an_error_becomes_text_that_holds_nothing_alive() -> None:
    try:
        raise NativeError(7)
    except NativeError as error:
        told = describe(error)
    assert told.message == "NativeError: Error code: 7 and more"
    assert "test_an_error_becomes_text" in told.details
    assert pickle.loads(pickle.dumps(told)) == told


def test_what_a_console_cannot_print_is_said_as_well_as_it_can(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    written = io.BytesIO()
    console = io.TextIOWrapper(written, encoding="cp1252", errors="strict")
    monkeypatch.setattr(sys, "stdout", console)
    say((Message("output", "Post-processing file: sim/case_\u03a9.sim\n"),))
    console.flush()
    assert written.getvalue().rstrip() == b"Post-processing file: sim/case_?.sim"


def test_a_label_that_leads_out_of_the_staging_folder_is_refused_before_anything_is_written(
    tmp_path: Path,
) -> None:
    """Windows takes ``..`` as written, whatever stands before it."""
    staging = str(tmp_path / "0-1")
    tables = StagedTables(staging, str(tmp_path))
    assert tables.holds(os.path.join(staging, "case_motions.csv"))
    assert not tables.holds(str(tmp_path / "elsewhere.csv"))
    with pytest.raises(OSError, match="rename the group"):
        tables.holds(os.path.join(staging, "case_/../../evil.csv"))

"""Peeking at the command line, catching what the engine says, placeholders for unused imports."""

from __future__ import annotations

import io
import logging
import pickle
import sys
import threading
from pathlib import Path

import pytest

from digitalmodel_optimizer.file import messages
from digitalmodel_optimizer.file.failures import describe, kind_of
from digitalmodel_optimizer.file.messages import Message, catching, joined, say
from digitalmodel_optimizer.host import lean_imports
from digitalmodel_optimizer.plugin import ErrorKind
from digitalmodel_optimizer.startup.command_line import command_line_enables, is_host_command


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder, and ``python -m digitalmodel run.yml`` as this process's command line."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "orig_argv", ["python", "-m", "digitalmodel", "run.yml"])
    return tmp_path


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["python", "-m", "digitalmodel", "x.yml"], True),
        (["python", "-X", "dev", "-m", "digitalmodel"], True),
        (["python", "-mdigitalmodel", "x.yml"], True),
        (["python", "-um", "digitalmodel", "x.yml"], True),
        (["python", "-Bumdigitalmodel", "x.yml"], True),
        (["python", "-m", "digitalmodels", "x.yml"], False),
        (["python", "-c", "m", "digitalmodel"], False),
        (["python", "script.py", "digitalmodel"], False),
        (["python", "-m", "pytest"], False),
        (["python", "-c", "import digitalmodel"], False),
    ],
)
def test_which_processes_are_the_hosts_command(
    monkeypatch: pytest.MonkeyPatch, words: list[str], expected: bool
) -> None:
    monkeypatch.setattr(sys, "orig_argv", words)
    assert is_host_command() is expected


ENABLED = "orcaflex:\n  parallel:\n    enabled: {}\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (ENABLED.format("True"), True),
        (ENABLED.format("False"), False),
        ("orcaflex: {parallel: {enabled: yes}}", True),
        ("meta: {basename: orcaflex}", False),
        ("parallel: [unclosed", True),  # the host will say what is wrong with it
        ("parallel: 2024-99-99", True),
        ("a: &x {enabled: true}\norcaflex:\n  parallel: *x\n", True),
        ("\ufefforcaflex: {parallel: {enabled: true}}", True),
        ("", False),
    ],
)
def test_the_users_file_tells_whether_a_run_can_be_enabled(
    command: Path, text: str, expected: bool
) -> None:
    (command / "run.yml").write_text(text, encoding="utf-8")
    assert command_line_enables() is expected


def test_so_do_the_file_it_names_and_the_base_configuration(command: Path) -> None:
    assert not command_line_enables()
    (command / "run.yml").write_text("default_yaml: other.yml\n")
    assert not command_line_enables()
    (command / "other.yml").write_text(ENABLED.format("True"))
    assert command_line_enables()
    (command / "run.yml").write_text("a: 1\n")
    base = command / "src" / "digitalmodel" / "tests" / "test_data" / "orcaflex.yml"
    base.parent.mkdir(parents=True)
    base.write_text(ENABLED.format("True"))
    assert command_line_enables()


@pytest.mark.parametrize(
    "argument", ["{'orcaflex': {'parallel': {'enabled': True}}}", "parallel.enabled=True"]
)
def test_so_may_an_argument(command: Path, monkeypatch: pytest.MonkeyPatch, argument: str) -> None:
    (command / "run.yml").write_text(ENABLED.format("False"))
    monkeypatch.setattr(sys, "orig_argv", [*sys.orig_argv, "--orcaflex", argument])
    assert command_line_enables()


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


@pytest.fixture
def heavy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module that must not be imported before it is used."""
    name = "heavy_module_for_a_test"
    (tmp_path / f"{name}.py").write_text("VALUE = 42\ndef double(x): return 2 * x\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    monkeypatch.delitem(sys.modules, name, raising=False)
    return name


def test_a_placeholder_imports_the_real_module_when_a_name_is_used(
    heavy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lean_imports.leave_out([heavy])
    space: dict[str, object] = {}
    exec(f"from {heavy} import double", space)
    assert not hasattr(sys.modules[heavy], "__file__")
    double = space["double"]
    assert callable(double)
    assert double(4) == 8
    assert hasattr(sys.modules[heavy], "__file__")
    monkeypatch.delitem(sys.modules, heavy)


def test_a_module_that_is_loaded_already_stays(heavy: str) -> None:
    __import__(heavy)
    before = len(sys.meta_path)
    lean_imports.leave_out([heavy])
    assert len(sys.meta_path) == before


class NativeError(Exception):
    def __init__(self, status: int) -> None:
        super().__init__(f"Error code: {status}\n\nand   more")
        self.status = status


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (NativeError(6), ErrorKind.MISSING),
        (NativeError(7), ErrorKind.UNREADABLE),
        (NativeError(25), ErrorKind.LICENCE),
        (NativeError(67), ErrorKind.NOT_A_SIMULATION),
        (NativeError(1), ErrorKind.ENGINE),
        (FileNotFoundError("x"), ErrorKind.MISSING),
        (PermissionError("x"), ErrorKind.UNREADABLE),
        (KeyError("x"), ErrorKind.ENGINE),
    ],
)
def test_what_kind_of_failure_an_exception_is(error: Exception, kind: ErrorKind) -> None:
    assert kind_of(error) is kind


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

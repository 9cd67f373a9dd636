"""Which processes are the host's command, and whether what it reads enables the plugins."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digitalmodel_optimizer.startup.command_line import (
    command_line_enables,
    host_arguments,
    is_host_command,
)

HOST = [
    "-m digitalmodel x.yml",
    "-m digitalmodel",
    "-mdigitalmodel x.yml",
    "-um digitalmodel x.yml",
    "-Bumdigitalmodel x.yml",
    "-X dev -W error -m digitalmodel x.yml",
    "-Xdev -Werror -m digitalmodel x.yml",
    "-uW error -OX dev -m digitalmodel x.yml",
    "--check-hash-based-pycs always -I -m digitalmodel x.yml",
    "-m digitalmodel x.yml -m other",
    "-W -m -m digitalmodel x.yml",
    "-X -m -m digitalmodel x.yml",
]
OTHERS = [
    "script.py -m digitalmodel x.yml",
    "script.py digitalmodel",
    "-u script.py -m digitalmodel x.yml",
    "-c pass -m digitalmodel x.yml",
    "-cpass -m digitalmodel x.yml",
    "-m other -m digitalmodel x.yml",
    "-mother -m digitalmodel x.yml",
    "-um other x.yml -m digitalmodel",
    "-X dev script.py -mdigitalmodel x.yml",
    "-- script.py -m digitalmodel",
    "-m digitalmodels x.yml",
    "-W error",
    "-c m digitalmodel",
    "-W -m digitalmodel",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A host, another module and a script that say which of them runs, and with which words."""
    folder = tmp_path_factory.mktemp("modules")
    for name in ("digitalmodel", "other", "script"):
        code = f"import sys; print('{name}', *sys.argv[1:])\n"
        (folder / f"{name}.py").write_text(code)
    return folder


@pytest.mark.parametrize("line", [*HOST, *OTHERS])
def test_the_hosts_command_is_told_as_the_interpreter_tells_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    words = line.split()
    ran = subprocess.run(
        [sys.executable, *([] if "-I" in words else ["-S", "-E"]), *words],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    name, *arguments = ran.stdout.split() or ["nothing"]
    if "-I" in words:  # it takes the folder from the path
        name, arguments = "digitalmodel", ["x.yml"]
    assert (name == "digitalmodel") is (line in HOST), ran.stderr
    monkeypatch.setattr(sys, "orig_argv", ["python", *words])
    assert is_host_command() is (name == "digitalmodel")
    assert host_arguments() == (arguments if line in HOST else [])


SWITCHES = st.sampled_from(["-u", "-bB", "-Werror", "-W", "-X", "-uX", "-Xdev"])


@given(
    switches=st.lists(SWITCHES),
    first=st.sampled_from(["script.py", "-", "--", "-cpass", "-mother"]),
    rest=st.lists(st.sampled_from(["-m", "digitalmodel", "-mdigitalmodel", "-u", "x.yml"])),
)
def test_what_follows_a_script_a_command_or_a_module_is_theirs(
    switches: list[str], first: str, rest: list[str]
) -> None:
    words = [word for name in switches for word in (name, *(["-m"] if name[-1] in "WX" else []))]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "orig_argv", ["python", *words, first, *rest])
        assert not is_host_command()
        patch.setattr(sys, "orig_argv", ["python", *words, "-m", "digitalmodel", first, *rest])
        assert host_arguments() == [first, *rest]


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder, and ``python -m digitalmodel run.yml`` as this process's command line."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "orig_argv", ["python", "-m", "digitalmodel", "run.yml"])
    return tmp_path


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
    (command / "other.yml").write_text("a: 1\n")
    assert not command_line_enables()
    (command / "other.yml").write_text(ENABLED.format("True"))
    assert command_line_enables()
    (command / "run.yml").write_text("basename: orcaflex\n")
    base = command / "src" / "digitalmodel" / "tests" / "test_data" / "orcaflex.yml"
    base.parent.mkdir(parents=True)
    base.write_text(ENABLED.format("True"))
    assert command_line_enables()
    (command / "run.yml").write_text(f"basename: orcaflex\n{ENABLED.format('False')}")
    assert not command_line_enables(), "the user's file has the last word"


LITERAL = "{{'orcaflex': {{'parallel': {{'enabled': {}}}}}}}"


@pytest.mark.parametrize(
    ("in_file", "arguments", "expected"),
    [
        ("False", [LITERAL.format("True")], True),
        ("True", [LITERAL.format("False")], False),
        ("False", ["--orcaflex", "parallel.enabled=True"], True),
        ("True", ["--meta", "label=x", "--orcaflex", "parallel.enabled=False"], False),
        ("True", ["--meta", "label=parallel"], True),
        ("False", ["--meta", "label=parallel"], False),
        ("False", ["{'parallel': 1 + 1}"], True),  # only the host can tell
    ],
)
def test_so_does_an_argument(
    command: Path,
    monkeypatch: pytest.MonkeyPatch,
    in_file: str,
    arguments: list[str],
    expected: bool,
) -> None:
    (command / "run.yml").write_text(ENABLED.format(in_file))
    monkeypatch.setattr(sys, "orig_argv", [*sys.orig_argv, *arguments])
    assert command_line_enables() is expected

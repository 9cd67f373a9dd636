"""The documentation says what is so: examples run, references are whole, links lead somewhere."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pages import DOCS, PAGES, PROJECT, Reader, blocks, commands, matches

from digitalmodel_optimizer.plugin import hookspecs
from digitalmodel_optimizer.plugin.manager import hook_names

RUNNABLE = [page for page in PAGES if any(block.mark == "run" for block in blocks(page))]


def name(page: Path) -> str:
    return page.relative_to(PROJECT).as_posix()


@pytest.mark.parametrize("page", RUNNABLE, ids=name)
def test_what_a_page_prints_happens(page: Path, tmp_path: Path) -> None:
    reader = Reader(tmp_path)
    for block in blocks(page):
        reader.read(block)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_marks_and_yaml_are_understood(page: Path) -> None:
    for block in blocks(page):
        assert block.mark in ("", "batch", "run", "save", "settings", "shows"), block
        if block.language == "yaml":
            assert isinstance(yaml.safe_load(block.text), dict), block


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https?:)([^)\s]+)\)", text):
        file, _, anchor = target.partition("#")
        other = (page.parent / file).resolve() if file else page
        assert other.exists(), target
        if anchor:
            headings = re.findall(r"(?m)^#+ (.*)$", other.read_text(encoding="utf-8"))
            assert anchor in [re.sub(r"[^\w -]", "", h).lower().replace(" ", "-") for h in headings]


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_no_half_merged_page(page: Path) -> None:
    assert not re.findall(r"(?m)^(?:<{7}|>{7}|={7})(?: .*)?$", page.read_text(encoding="utf-8"))


def test_every_page_is_in_the_index() -> None:
    index = (DOCS / "index.md").read_text(encoding="utf-8")
    pages = [page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md")]
    assert [page for page in pages if page != "index.md" and f"({page})" not in index] == []


def test_files_are_shown_as_they_are() -> None:
    shown = {}
    for page in PAGES:
        for block in blocks(page):
            if block.mark == "shows":
                shown[block.argument] = block.text
                assert block.text == (PROJECT / block.argument).read_text("utf-8"), block.argument
    files = [path for path in (PROJECT / "examples").glob("*/*") if path.is_file()]
    assert {path.relative_to(PROJECT).as_posix() for path in files} <= set(shown)


def test_settings_and_hooks_are_documented_as_they_are_declared() -> None:
    done = subprocess.run(
        [sys.executable, str(DOCS / "generate_reference.py"), "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_hook_has_a_heading_with_its_exact_arguments() -> None:
    text = (DOCS / "reference" / "hooks.md").read_text(encoding="utf-8")
    headings = re.findall(r"(?m)^### (optimizer_\w+\(.*\))$", text)
    called = [
        f"{hook}({', '.join(inspect.signature(getattr(hookspecs, hook)).parameters)})"
        for hook in hook_names()
    ]
    assert headings == called


def test_every_environment_variable_is_documented() -> None:
    pattern = re.compile(r"[\"']((?:DIGITALMODEL_OPTIMIZER|SIMULATED_ORCAFLEX)[A-Z_]*)[\"']")
    sources = [*PROJECT.glob("src/**/*.py"), *PROJECT.glob("plugins/**/*.py")]
    used = {found for path in sources for found in pattern.findall(path.read_text("utf-8"))}
    text = (DOCS / "reference" / "environment.md").read_text(encoding="utf-8")
    assert set(re.findall(r"(?m)^\| `(\w+)`", text)) == used


def test_every_command_and_option_is_documented() -> None:
    import typer

    from digitalmodel_optimizer.commands.app import app

    text = (DOCS / "reference" / "commands.md").read_text(encoding="utf-8")
    # "## run CONFIG [HOST ARGUMENTS]..." and "## bench memory": the words before any argument
    sections = {re.match(r"[a-z]+(?: [a-z]+)*", part)[0]: part for part in text.split("\n## ")[1:]}
    listed = dict(_commands(typer.main.get_command(app)))
    assert sorted(sections) == sorted(listed)
    for command, section in sections.items():
        options = {
            word
            for parameter in listed[command].params
            for word in (*parameter.opts, *parameter.secondary_opts)
            if word.startswith("--") and word != "--help"
        }
        cells = " ".join(re.findall(r"(?m)^\| ([^|]*) \|", section))
        assert set(re.findall(r"`(--[a-z-]+)`", cells)) == options, command


def _commands(group: Any, before: str = "") -> Iterator[tuple[str, Any]]:
    """Every command by the words that one types, those inside others too."""
    for name, command in group.commands.items():
        yield f"{before}{name}", command
        if hasattr(command, "commands"):
            yield from _commands(command, f"{before}{name} ")


@pytest.mark.parametrize(
    ("expected", "printed", "same"),
    [
        (["a"], ["a"], True),
        (["a"], ["a", "b"], False),
        (["a", "..."], ["a", "b", "c"], True),
        (["...", "c"], ["a", "b", "c"], True),
        (["...", "b"], ["a", "b", "c"], False),
        (["1 of ... files"], ["1 of 5 files"], True),
        (["1 of ... files"], ["2 of 5 files"], False),
        ([], ["anything"], True),
    ],
)
def test_printed_output_is_compared_line_by_line(
    expected: list[str], printed: list[str], same: bool
) -> None:
    assert matches(expected, printed) is same


def test_consoles_are_split_into_commands() -> None:
    assert list(commands("$ a\nx\n$ b\n")) == [("a", ["x"]), ("b", [])]

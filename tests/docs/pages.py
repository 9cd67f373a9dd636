"""Pages of the documentation as blocks with their marks, and running them as they are printed.

A mark is a comment on the line before a fence: ``run`` (console: commands with what they print;
python: executed, after the page's earlier ones), ``save: NAME`` (written to a file), ``settings``
(YAML laid over the batch's file), ``shows: PATH`` (the text of a file of the project). ``batch``
anywhere before makes a tiny batch. A page's blocks share one folder and one environment.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).parents[2]
DOCS = PROJECT / "docs"
PAGES = sorted([*DOCS.rglob("*.md"), *PROJECT.glob("*.md")])
_MARK = re.compile(r"<!-- ([a-z]+)(?:: (.*?))? -->")
_OURS = ("DIGITALMODEL_OPTIMIZER", "SIMULATED_ORCAFLEX", "PYTEST_")
TIMEOUT_S = 240


@dataclass(frozen=True)
class Block:
    """A fenced block: language, text, the line on which it begins, the mark before it."""

    language: str
    text: str
    line: int
    mark: str = ""
    argument: str = ""


def blocks(page: Path) -> Iterator[Block]:
    """All fenced blocks of ``page``, and marks that stand for themselves (language empty)."""
    lines = page.read_text(encoding="utf-8").splitlines()
    mark, argument, number = "", "", 0
    while number < len(lines):
        line = lines[number]
        found = _MARK.fullmatch(line)
        if found:
            if found[1] == "batch":
                yield Block("", "", number + 1, "batch")
            else:
                mark, argument = found[1], found[2] or ""
        elif line.startswith("```"):
            end = lines.index("```", number + 1)
            text = "".join(f"{inner}\n" for inner in lines[number + 1 : end])
            yield Block(line[3:], text, number + 1, mark, argument)
            number, mark, argument = end, "", ""
        elif line:
            mark, argument = "", ""
        number += 1


@dataclass
class Reader:
    """Somebody who types what a page prints, in ``folder``."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    python: str = ""

    def __post_init__(self) -> None:
        kept = {key: value for key, value in os.environ.items() if not key.startswith(_OURS)}
        path = os.pathsep.join([str(Path(sys.executable).parent), kept.get("PATH", "")])
        history = self.folder.parent / f"{self.folder.name}-history.sqlite3"
        self.environment = {
            **kept,
            "PATH": path,
            "COLUMNS": "100",
            "DIGITALMODEL_OPTIMIZER_HISTORY": str(history),
            "DIGITALMODEL_OPTIMIZER_TUNING": str(history.with_suffix(".tuning")),
        }

    def read(self, block: Block) -> None:
        """Do what ``block`` is marked for; AssertionError where the page does not hold."""
        if block.mark == "batch":
            self.make_batch()
        elif block.mark == "settings":
            self.lay_over(block.text)
        elif block.mark == "save":
            (self.folder / block.argument).write_text(block.text, encoding="utf-8")
        elif block.mark == "run" and block.language == "console":
            for command, expected in commands(block.text):
                self.type(command, expected)
        elif block.mark == "run" and block.language == "python":
            self.python += block.text
            status, said = self.call([sys.executable, "-c", self.python])
            assert status == 0, _end(said)

    def make_batch(self) -> None:
        from digitalmodel_optimizer.demo.study import DM_FSTS, write_configuration, write_files

        study = replace(DM_FSTS, files=2, file_mb=0.5, duration_s=20.0)
        list(write_files(study, self.folder / "sim"))
        write_configuration(self.folder, study, enabled=True)
        self.environment["SIMULATED_ORCAFLEX"] = "1"

    def lay_over(self, text: str) -> None:
        import yaml

        path = self.folder / "dm_fsts.yml"
        merged = _merged(yaml.safe_load(path.read_text("utf-8")), yaml.safe_load(text))
        path.write_text(yaml.safe_dump(merged, sort_keys=False), encoding="utf-8")

    def type(self, command: str, expected: list[str]) -> None:
        """Type one line of a console; its output must be ``expected``."""
        if command.startswith("cd "):
            self.folder /= command[3:]
            assert self.folder.is_dir()
            return
        if command.startswith("export "):
            name, _, value = command[7:].partition("=")
            self.environment[name] = value
            return
        status, said = self.call(shlex.split(command))
        if status:
            said += f"[exit status {status}]\n"
        assert matches(expected, said.splitlines()), f"$ {command}\n{_end(said)}"

    def call(self, words: list[str]) -> tuple[int, str]:
        """Exit status and what was printed, standard error first."""
        done = subprocess.run(
            [_program(words[0], self.environment["PATH"]), *words[1:]],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            encoding="utf-8",
            check=False,
            timeout=TIMEOUT_S,
        )
        return done.returncode, done.stdout + done.stderr


def _end(said: str) -> str:
    """The last lines of what was printed, without the host's log."""
    lines = [line for line in said.splitlines() if " | DEBUG " not in line]
    return "\n".join(lines[-25:])


def _program(name: str, path: str) -> str:
    import shutil

    found = shutil.which(name, path=path)
    assert found, f"no program {name}"
    return found


def _merged(old: Any, new: Any) -> Any:
    if not (isinstance(old, Mapping) and isinstance(new, Mapping)):
        return new
    return {**old, **{key: _merged(old.get(key), value) for key, value in new.items()}}


def commands(text: str) -> Iterator[tuple[str, list[str]]]:
    """Each ``$ command`` of a console block, with the lines that it prints."""
    command, expected = "", list[str]()
    for line in text.splitlines():
        if line.startswith("$ "):
            if command:
                yield command, expected
            command, expected = line[2:], []
        else:
            expected.append(line)
    if command:
        yield command, expected


def matches(expected: list[str], lines: list[str]) -> bool:
    """Whether ``lines`` are as printed; ``...`` alone is any lines, inside a line any text.

    A command that is printed without output may print what it likes.
    """
    if not expected:
        return True
    if expected[0] == "...":
        if len(expected) == 1:
            return True
        return any(matches(expected[1:], lines[place:]) for place in range(len(lines)))
    if not lines:
        return False
    pattern = ".*".join(re.escape(part) for part in expected[0].split("..."))
    if re.fullmatch(pattern, lines[0].rstrip()) is None:
        return False
    return len(lines) == 1 if len(expected) == 1 else matches(expected[1:], lines[1:])

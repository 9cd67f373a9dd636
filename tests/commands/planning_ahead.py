"""``digitalmodel-optimizer plan`` in a user's folder, which it must leave as it is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from host_process import STAND_IN, environment

COMMAND = [sys.executable, "-c", "from digitalmodel_optimizer.commands import main; main()"]


def snapshot(folder: Path) -> dict[str, Any]:
    """Everything below ``folder``: kind, content, times of modification of files and folders."""
    found = {}
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        content = path.read_bytes() if path.is_file() else None
        found[str(path)] = (status.st_mode, status.st_mtime_ns, status.st_ino, content)
    return found


def call(
    folder: Path, *words: str, variables: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *words],
        cwd=folder,
        env=environment(**{**STAND_IN, "COLUMNS": "100", **(variables or {})}),
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )


def plan(config: Path, *more: str, variables: dict[str, str] | None = None) -> dict[str, Any]:
    """The plan as its JSON has it; its exit status is the command's, and nothing has changed."""
    before = snapshot(config.parent)
    found = call(config.parent, "plan", "--json", config.name, *more, variables=variables)
    assert snapshot(config.parent) == before, "planning has changed something"
    content: dict[str, Any] = json.loads(found.stdout)
    assert found.returncode == content["exit_status"], found.stderr
    return content


def effects(content: dict[str, Any], effect: str) -> list[tuple[str, str]]:
    """Code and message of each problem with this effect."""
    return [(p["code"], p["message"]) for p in content["problems"] if p["effect"] == effect]


def names(paths: list[str]) -> list[str]:
    return [os.path.basename(path) for path in paths]

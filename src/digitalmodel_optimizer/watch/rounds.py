"""Having a round run in a process of its own, and what came of it.

A process for each round costs the host's start, and nothing that a run leaves in a process (log
handlers, settings of pandas, memory) ever meets the next one.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from digitalmodel_optimizer.plugin import ErrorKind
from digitalmodel_optimizer.report.report import REPORT_VARIABLE

_MODULE = "digitalmodel_optimizer.watch.one_round"
_OURS = "digitalmodel-optimizer: "
_STOP_S = 60.0
# What a file is not to blame for: it is tried again though it has not changed.
_PASSING = {
    kind.value
    for kind in (ErrorKind.LICENCE, ErrorKind.DISK_FULL, ErrorKind.OUTPUT, ErrorKind.STOPPED)
}


@dataclass(frozen=True)
class Round:
    """``failures`` of files by path, with the reasons; ``passing``: those that are tried again
    without having changed. ``fault``: why the round as a whole is to be tried again, or None.
    """

    failures: Mapping[str, str] = field(default_factory=dict)
    passing: Mapping[str, str] = field(default_factory=dict)
    fault: str | None = None
    reused: int = 0


def run_round(arguments: Sequence[str], files: Collection[str], folder: Path) -> Round:
    """Run the host's command with ``arguments``, and of its files only ``files``.

    :param folder: for the report and what the command prints.

    :raises KeyboardInterrupt: when the round has ended, with what is finished kept.
    """
    report = Path(os.environ.get(REPORT_VARIABLE) or folder / "report.json")
    with contextlib.suppress(FileNotFoundError):
        report.unlink()
    said = folder / "output.txt"
    with open(said, "wb") as output:
        process = subprocess.Popen(  # noqa: S603 - this Python, a module of ours
            [sys.executable, "-u", "-m", _MODULE],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, REPORT_VARIABLE: str(report), "PYTHONIOENCODING": "utf-8"},
            # Ctrl-C is for this process only, which ends the round by closing its input.
            start_new_session=True,
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )
        try:
            _hand_over(process, {"arguments": [*arguments], "files": [*files]})
            status = process.wait()
        finally:
            _end(process)
    return _outcome(status, report, said.read_text("utf-8", "replace"))


def _hand_over(process: subprocess.Popen[bytes], job: Mapping[str, Sequence[str]]) -> None:
    assert process.stdin is not None
    with contextlib.suppress(OSError):  # it has ended already: its status tells
        process.stdin.write(json.dumps(job).encode() + b"\n")
        process.stdin.flush()


def _end(process: subprocess.Popen[bytes]) -> None:
    """Interrupt what still runs; a second Ctrl-C, or a minute, kills it."""
    assert process.stdin is not None
    with contextlib.suppress(OSError):
        process.stdin.close()
    try:
        process.wait(_STOP_S)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def _outcome(status: int, report: Path, said: str) -> Round:
    try:
        content = json.loads(report.read_text("utf-8"))
    except (OSError, ValueError):
        return Round(fault=_last_words(status, said))
    failed = {item["file"]: (item["kind"], item["message"]) for item in content["failed"]}
    return Round(
        failures={path: f"{kind}: {why}" for path, (kind, why) in failed.items()},
        passing={path: kind for path, (kind, _) in failed.items() if kind in _PASSING},
        fault=None if status in (0, 1) else _last_words(status, said),
        reused=content.get("files_reused", 0),
    )


def _last_words(status: int, said: str) -> str:
    """Our own last message with the lines below it, or else the last line, and the status."""
    lines = [line for line in said.splitlines() if line.strip() and " | DEBUG " not in line]
    ours = [place for place, line in enumerate(lines) if line.startswith(_OURS)]
    chosen = lines[ours[-1] :] if ours else lines[-1:]
    return f"{' '.join(' '.join(chosen).removeprefix(_OURS).split())} (exit status {status})"

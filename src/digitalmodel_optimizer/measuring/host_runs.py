"""Running the host as a child process, with the time of its loop and what its process tree used."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from digitalmodel_optimizer.history.store import VARIABLE as HISTORY_VARIABLE
from digitalmodel_optimizer.measuring.process_tree import Usage, run_child
from digitalmodel_optimizer.report.report import REPORT_VARIABLE
from digitalmodel_optimizer.watcher import ENVIRONMENT_VARIABLE

TIMED_HOST = "digitalmodel_optimizer.measuring.timed_host"


@dataclass(frozen=True)
class HostRun:
    """One run of the host: ``usage`` of its whole process, ``loop_s`` of its ``post_process``.

    ``loop_s`` is None where no loop ran. ``report`` is the plugins' own (None without them);
    ``said`` what the process printed.
    """

    usage: Usage
    loop_s: float | None
    report: dict[str, Any] | None
    said: str

    @property
    def status(self) -> int:
        return self.usage.status

    @property
    def process_s(self) -> float:
        return self.usage.elapsed_s

    @property
    def memory_mb(self) -> float:
        return self.usage.memory_mb


def run_host(
    folder: Path,
    config: str,
    arguments: Sequence[str],
    environment: Mapping[str, str],
    *,
    plugins: bool,
    program: Sequence[str] = (TIMED_HOST,),
) -> HostRun:
    """``python -m digitalmodel config arguments`` in ``folder``, timed from outside.

    :param environment: added to that of this process; ``SIMULATED_ORCAFLEX`` in it decides
        whether the stand-in for OrcaFlex is used.
    :param program: the module that runs the host, which takes the name of its file of times, and
        words of its own before that.
    """
    name = f"{Path(config).stem}-{'plugins' if plugins else 'engine'}"
    times, report, log = (folder / f"{name}.{ending}" for ending in ("times", "report", "log"))
    for left_over in (times, report):
        left_over.unlink(missing_ok=True)
    command = [sys.executable, "-m", *program, times.name, "-m", "digitalmodel", config, *arguments]
    variables = {**_environment(report, plugins=plugins), **environment}
    usage = run_child(command, folder, variables, log)
    return HostRun(
        usage=usage,
        loop_s=(read_json(times) or {}).get("loop_s"),
        report=read_json(report),
        said=log.read_text(encoding="utf-8", errors="replace"),
    )


def _environment(report: Path, *, plugins: bool) -> dict[str, str]:
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8", HISTORY_VARIABLE: "off"}
    environment["DIGITALMODEL_OPTIMIZER_TUNING"] = "off"  # what is measured teaches nothing
    if plugins:
        environment.pop(ENVIRONMENT_VARIABLE, None)
        environment[REPORT_VARIABLE] = str(report)
    else:
        environment[ENVIRONMENT_VARIABLE] = "off"
        environment.pop(REPORT_VARIABLE, None)
    return environment


def read_json(path: Path) -> dict[str, Any] | None:
    """The mapping that stands in ``path``; None if there is none."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None

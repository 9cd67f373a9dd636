"""Running the host as a child process, with its time and the memory of its process tree."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from digitalmodel_optimizer.monitoring.report import REPORT_VARIABLE
from digitalmodel_optimizer.watcher import ENVIRONMENT_VARIABLE

SAMPLE_INTERVAL_S = 0.1
_PATIENCE_S = 15.0


@dataclass(frozen=True)
class HostRun:
    """One run of the host: ``process_s`` whole, ``loop_s`` its ``post_process`` (None: none).

    ``memory_mb`` is the largest sum of resident memory over the process tree that was seen;
    ``report`` is the plugins' own (None without them); ``said`` what the process printed.
    """

    status: int
    process_s: float
    loop_s: float | None
    memory_mb: float
    report: dict[str, Any] | None
    said: str


def run_host(
    folder: Path,
    config: str,
    arguments: list[str],
    environment: Mapping[str, str],
    *,
    plugins: bool,
) -> HostRun:
    """``python -m digitalmodel config arguments`` in ``folder``, on the stand-in for OrcaFlex.

    :param environment: added to that of this process.
    """
    name = f"{Path(config).stem}-{'plugins' if plugins else 'engine'}"
    times, report, log = (folder / f"{name}.{ending}" for ending in ("times", "report", "log"))
    for left_over in (times, report):
        left_over.unlink(missing_ok=True)
    command = [sys.executable, "-m", "digitalmodel_optimizer.demo.timed_host", times.name]
    command += ["-m", "digitalmodel", config, *arguments]
    start = time.perf_counter()
    with log.open("wb") as output:
        child = subprocess.Popen(
            command,
            cwd=folder,
            env={**_environment(report, plugins=plugins), **environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        sampler = MemorySampler(child.pid)
        with sampler, ended(child):
            status = child.wait()
    process_s = time.perf_counter() - start
    return HostRun(
        status=status,
        process_s=process_s,
        loop_s=(_read_json(times) or {}).get("loop_s"),
        memory_mb=sampler.peak_mb,
        report=_read_json(report),
        said=log.read_text(encoding="utf-8", errors="replace"),
    )


def _environment(report: Path, *, plugins: bool) -> dict[str, str]:
    environment = {**os.environ, "SIMULATED_ORCAFLEX": "1", "PYTHONIOENCODING": "utf-8"}
    if plugins:
        environment.pop(ENVIRONMENT_VARIABLE, None)
        environment[REPORT_VARIABLE] = str(report)
    else:
        environment[ENVIRONMENT_VARIABLE] = "off"
        environment.pop(REPORT_VARIABLE, None)
    return environment


def _read_json(path: Path) -> dict[str, Any] | None:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None


class MemorySampler:
    """Looks at a process tree ten times a second; pages that are shared count in each process."""

    def __init__(self, pid: int) -> None:
        self.peak_mb = 0.0
        self._root = psutil.Process(pid)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> MemorySampler:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(SAMPLE_INTERVAL_S):
            self.peak_mb = max(self.peak_mb, self._now_mb())

    def _now_mb(self) -> float:
        total = 0
        with contextlib.suppress(psutil.Error):
            for process in (self._root, *self._root.children(recursive=True)):
                with contextlib.suppress(psutil.Error):
                    total += process.memory_info().rss
        return total / 1e6


@contextlib.contextmanager
def ended(child: subprocess.Popen[bytes]) -> Iterator[None]:
    """However the block is left, the child and its children are gone afterwards."""
    try:
        yield
    except BaseException:  # Ctrl-C reaches the child as well; it is given time to tidy up
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(_PATIENCE_S)
        raise
    finally:
        if child.poll() is None:
            with contextlib.suppress(psutil.Error):
                for process in psutil.Process(child.pid).children(recursive=True):
                    with contextlib.suppress(psutil.Error):
                        process.kill()
            child.kill()
            child.wait()

"""What happened in this process, and a log of it that outlives a killed process.

If `SIMULATED_ORCAFLEX_LOG` names a folder, each process appends lines to a file of its own there:
when a model is made, loaded or destroyed, and at its end. Each line is a whole snapshot as JSON,
so the last line of a file is the last that is known of its process.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import threading
import time
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from . import runtime

LOG_VARIABLE = "SIMULATED_ORCAFLEX_LOG"


@dataclass(frozen=True)
class Statistics:
    """Counts of one process. Memory in bytes.

    `alive` counts models that were made and not destroyed, leaked ones among them. `leaked` counts
    models whose destruction was tried on a foreign thread: the wrapper ignores that status, so
    such a model stays until the process ends (unless its own thread destroys it after all).
    `affinity_breaches` counts all calls that ended with status 68.
    """

    pid: int
    created: int = 0
    destroyed: int = 0
    alive: int = 0
    alive_most: int = 0
    leaked: int = 0
    loaded: int = 0
    affinity_breaches: int = 0
    bytes_alive: int = 0
    bytes_alive_most: int = 0
    native_calls: dict[str, int] = field(default_factory=dict)
    event: str = ""
    ended: bool = False


class _Counts:
    """The running numbers, changed under a lock."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.reset()

    def reset(self) -> None:
        self.created = self.destroyed = self.alive_most = self.loaded = 0
        self.affinity_breaches = self.bytes_alive = self.bytes_alive_most = 0
        self.leaked: set[int] = set()


_counts = _Counts()
_token = f"{time.time_ns():x}"


def model_created() -> None:
    """Count a new model."""
    with _counts.lock:
        _counts.created += 1
        alive = _counts.created - _counts.destroyed
        _counts.alive_most = max(_counts.alive_most, alive)
    write_log_line("created")


def model_loaded(size: int) -> None:
    """Count a load that succeeded, of `size` bytes now held."""
    with _counts.lock:
        _counts.loaded += 1
        _counts.bytes_alive += size
        _counts.bytes_alive_most = max(_counts.bytes_alive_most, _counts.bytes_alive)
    write_log_line("loaded")


def memory_released(size: int) -> None:
    """Count bytes that a model no longer holds."""
    with _counts.lock:
        _counts.bytes_alive -= size


def model_destroyed(handle: int) -> None:
    """Count a model that was destroyed on its own thread."""
    with _counts.lock:
        _counts.destroyed += 1
        _counts.leaked.discard(handle)
    write_log_line("destroyed")


def model_leaked(handle: int) -> None:
    """Count a model whose destruction was refused."""
    with _counts.lock:
        _counts.leaked.add(handle)
    write_log_line("leaked")


def affinity_breached() -> None:
    """Count a call from a thread that the model does not belong to."""
    with _counts.lock:
        _counts.affinity_breaches += 1


def statistics(event: str = "", *, ended: bool = False) -> Statistics:
    """What happened in this process so far."""
    with _counts.lock:
        return Statistics(
            pid=os.getpid(),
            created=_counts.created,
            destroyed=_counts.destroyed,
            alive=_counts.created - _counts.destroyed,
            alive_most=_counts.alive_most,
            leaked=len(_counts.leaked),
            loaded=_counts.loaded,
            affinity_breaches=_counts.affinity_breaches,
            bytes_alive=_counts.bytes_alive,
            bytes_alive_most=_counts.bytes_alive_most,
            native_calls=runtime.native_calls(),
            event=event,
            ended=ended,
        )


def write_log_line(event: str, *, ended: bool = False) -> None:
    """Append a snapshot to this process's log, if a folder for logs is named."""
    folder = os.environ.get(LOG_VARIABLE)
    if not folder:
        return
    line = json.dumps(asdict(statistics(event, ended=ended))).encode() + b"\n"
    path = os.path.join(folder, f"{os.getpid()}-{_token}.jsonl")
    # A log must not break the program that it watches: a folder that went away is no error.
    with contextlib.suppress(OSError):
        handle = os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o644)
        try:
            os.write(handle, line)
        finally:
            os.close(handle)


def read_log(folder: str | os.PathLike[str]) -> list[Statistics]:
    """The last snapshot of each process that wrote to `folder`, by file name."""
    known = {item.name for item in fields(Statistics)}
    result = []
    for path in sorted(Path(folder).glob("*.jsonl")):
        # The last line may be cut off, if the process was killed in its midst.
        for line in reversed(path.read_text("utf-8").splitlines()):
            try:
                values: dict[str, Any] = json.loads(line)
            except ValueError:
                continue
            result.append(Statistics(**{k: v for k, v in values.items() if k in known}))
            break
    return result


def _at_exit() -> None:
    if _counts.created:
        write_log_line("exit", ended=True)


def _in_forked_child() -> None:
    global _token
    _counts.lock = threading.Lock()
    _counts.reset()
    runtime.forget_native_calls()
    _token = f"{time.time_ns():x}"


atexit.register(_at_exit)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_forked_child)

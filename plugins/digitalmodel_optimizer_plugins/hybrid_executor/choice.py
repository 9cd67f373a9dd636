"""Which backend suits a batch: one pure function over what is known of it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from digitalmodel_optimizer_plugins.thread_allocation.budgets import time_with_late_workers_s

THREADING_NATIVE_SHARE = 0.8
HYBRID_NATIVE_SHARE = 0.5
HYBRID_WORKERS = 16
_MOST_THREADS_INSIDE = 4
# Processes isolate a crash and can be stopped at a time limit; giving that up must buy something.
_WORTH_LOSING_ISOLATION = 0.9


@dataclass(frozen=True)
class BatchFacts:
    """What the choice depends on.

    ``expected_s`` is what one worker would need for all files, None while nothing is measured;
    ``worker_start_s`` the CPU time that a new process needs before its first file,
    ``ready_workers`` the number of processes that need none of it.
    """

    files: int
    workers: int
    expected_s: float | None
    native_share: float
    worker_start_s: float
    cpus: int
    use_processes: bool = True
    time_limit: bool = False
    ready_workers: int = 0


def threads_inside(native_share: float) -> int:
    """Threads that one process can feed: Python's own share of the time runs one at a time."""
    python_share = max(1.0 - native_share, 1.0 / _MOST_THREADS_INSIDE)
    return min(_MOST_THREADS_INSIDE, max(2, round(1.0 / python_share)))


def choose_backend(facts: BatchFacts) -> tuple[str, str]:
    """The backend's name, and the reason as the end of a sentence."""
    if not facts.use_processes:
        if facts.workers <= 1 or facts.files <= 1:
            return "serial", "processes are switched off and one file runs at a time"
        return "threading", "processes are switched off"
    if facts.time_limit:
        return "loky", "only a process can be stopped at the time limit per file"
    if facts.files <= 1:
        return "serial", "there is one file"
    if facts.workers <= 1:
        if facts.ready_workers:
            return "loky", "a worker process waits and isolates crashes"
        return "serial", "one worker is allocated"
    if facts.expected_s is None:
        return "loky", "nothing has been measured yet and processes isolate crashes"
    seconds = _predicted_s(facts, facts.expected_s)
    best = min(seconds, key=lambda name: seconds[name])
    if best != "loky" and seconds[best] > _WORTH_LOSING_ISOLATION * seconds["loky"]:
        best = "loky"
    others = ", ".join(f"{name} {s:.1f} s" for name, s in seconds.items() if name != best)
    return best, (
        f"{facts.files} files with {facts.expected_s:.1f} s of work, {facts.native_share:.0%} of it"
        f" native, should take {seconds[best]:.1f} s ({others})"
    )


def _predicted_s(facts: BatchFacts, expected_s: float) -> dict[str, float]:
    """Seconds by backend: starting the processes, then the work at the width it can run."""
    width = min(facts.workers, facts.files)
    python_share = max(1.0 - facts.native_share, 1e-9)
    seconds = {
        "loky": time_with_late_workers_s(
            expected_s / width, expected_s, width, facts.ready_workers, _start_s(facts, width)
        ),
        "serial": expected_s,
    }
    if facts.native_share >= THREADING_NATIVE_SHARE:
        seconds["threading"] = expected_s / min(width, 1.0 / python_share)
    if facts.workers >= HYBRID_WORKERS and facts.native_share >= HYBRID_NATIVE_SHARE:
        inside = threads_inside(facts.native_share)
        processes = math.ceil(width / inside)
        speed = processes * min(inside, 1.0 / python_share)
        seconds["hybrid"] = _start_s(facts, processes) + expected_s / min(speed, width)
    return seconds


def _start_s(facts: BatchFacts, processes: int) -> float:
    return facts.worker_start_s * max(1.0, processes / facts.cpus)

"""What this process may use of the machine: containers, affinity and free memory considered."""

from __future__ import annotations

import sys
from pathlib import Path

from digitalmodel_optimizer.contract import Machine

_CGROUP_LIMITS = (
    (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")),
    (
        Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
        Path("/sys/fs/cgroup/memory/memory.usage_in_bytes"),
    ),
)


def measure_machine() -> Machine:
    """Logical CPUs and memory as they are now.

    CPUs: joblib's count, which honours affinity masks and CFS quotas. Memory: the smaller of
    what the system and what the control group has left.
    """
    import joblib
    import psutil

    memory = psutil.virtual_memory()
    total, available = float(memory.total), float(memory.available)
    for limit, used in _container_memory():
        total = min(total, limit)
        available = min(available, max(0.0, limit - used))
    return Machine(
        logical_cpus=max(1, joblib.cpu_count()),
        memory_total_mb=total / 1e6,
        memory_available_mb=available / 1e6,
        platform=sys.platform,
    )


def _container_memory() -> list[tuple[float, float]]:
    limits = []
    for limit_file, used_file in _CGROUP_LIMITS:
        try:
            limits.append((float(limit_file.read_text()), float(used_file.read_text())))
        except (OSError, ValueError):  # no such group, or "max": no limit
            continue
    return limits


def tree_memory_mb() -> float:
    """Resident memory of this process and all its descendants, in MB (shared pages counted
    once per process, so the figure is an upper bound)."""
    import psutil

    this = psutil.Process()
    total = 0
    for process in (this, *this.children(recursive=True)):
        try:
            total += process.memory_info().rss
        except psutil.Error:
            continue
    return total / 1e6

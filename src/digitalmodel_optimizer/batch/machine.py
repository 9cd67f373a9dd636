"""What this process may use of the machine: containers, affinity and free memory considered."""

from __future__ import annotations

import math
import os
import sys
from pathlib import Path

from digitalmodel_optimizer.plugin import Machine

_CGROUP_CPU = Path("/sys/fs/cgroup/cpu.max")
_CGROUP_LIMITS = (
    (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")),
    (
        Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
        Path("/sys/fs/cgroup/memory/memory.usage_in_bytes"),
    ),
)


def measure_machine() -> Machine:
    """Logical CPUs and memory as they are now."""
    total_mb, available_mb = measure_memory_mb()
    return Machine(
        logical_cpus=usable_cpus(),
        memory_total_mb=total_mb,
        memory_available_mb=available_mb,
        platform=sys.platform,
    )


def usable_cpus() -> int:
    """Logical CPUs that this process may use: affinity mask and control-group quota considered.

    joblib counts the same way, but importing it costs more than a small file takes.
    """
    cpus = os.cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):  # not on Windows
        cpus = len(os.sched_getaffinity(0))
    try:
        quota, period = _CGROUP_CPU.read_text().split()
        cpus = min(cpus, math.ceil(float(quota) / float(period)))
    except (OSError, ValueError):  # no such group, or "max": no quota
        pass
    return max(1, cpus)


def measure_memory_mb() -> tuple[float, float]:
    """Total and available memory: the smaller of what system and control group have."""
    import psutil

    memory = psutil.virtual_memory()
    total, available = float(memory.total), float(memory.available)
    for limit, used in _container_memory():
        total = min(total, limit)
        available = min(available, max(0.0, limit - used))
    return total / 1e6, available / 1e6


def _container_memory() -> list[tuple[float, float]]:
    limits = []
    for limit_file, used_file in _CGROUP_LIMITS:
        try:
            limits.append((float(limit_file.read_text()), float(used_file.read_text())))
        except (OSError, ValueError):  # no such group, or "max": no limit
            continue
    return limits


def tree_usage() -> tuple[float, float]:
    """Resident memory in MB, and CPU seconds so far, of this process and all its descendants.

    Shared pages are counted once per process, so the memory is an upper bound; the CPU time of
    processes that have ended is not in it.
    """
    import psutil

    this = psutil.Process()
    memory, cpu_s = 0, 0.0
    for process in (this, *this.children(recursive=True)):
        try:
            memory += process.memory_info().rss
            times = process.cpu_times()
        except psutil.Error:
            continue
        cpu_s += times.user + times.system
    return memory / 1e6, cpu_s

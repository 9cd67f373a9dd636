"""What this process may use of the machine: its logical CPUs, and how much memory is available."""

from __future__ import annotations

import math
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from digitalmodel_optimizer.batch import cgroups
from digitalmodel_optimizer.plugin import Machine

# Upper bounds that users, schedulers of clusters and libraries set; the first named of equal ones.
CPU_VARIABLES = ("SLURM_CPUS_PER_TASK", "LOKY_MAX_CPU_COUNT", "PYTHON_CPU_COUNT")
_MASK_BITS = 64


class CpuBound(NamedTuple):
    """A number of logical CPUs, 1 or more, and what sets it; ``""`` if the machine has no more."""

    cpus: int
    source: str = ""


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
    """Logical CPUs that this process may use: the one count that all decisions start from."""
    return cpu_bound().cpus


def cpu_bound(root: Path = cgroups.ROOT) -> CpuBound:
    """The strictest bound on this process's logical CPUs.

    joblib and loky count similarly, but importing them costs more than a small file takes, and they
    do not see control groups outside of containers.
    """
    return min(_cpu_bounds(root), key=lambda bound: bound.cpus)


def measure_memory_mb(root: Path = cgroups.ROOT) -> tuple[float, float]:
    """Total and available memory in MB: the least of what system and control groups have."""
    import psutil

    memory = psutil.virtual_memory()
    total, available = float(memory.total), float(memory.available)
    for limit, used in cgroups.memory_limits(below=memory.total, root=root):
        total = min(total, limit)
        available = min(available, max(0.0, limit - used))
    return total / 1e6, available / 1e6


def _cpu_bounds(root: Path) -> Iterator[CpuBound]:
    import psutil

    for name in CPU_VARIABLES:
        try:
            asked = int(os.environ.get(name, ""))
        except ValueError:  # unset, malformed, or PYTHON_CPU_COUNT=default
            continue
        if asked > 0:
            yield CpuBound(asked, name)
    # Since Python 3.13 os.cpu_count() may be told more CPUs than there are.
    yield CpuBound(min(filter(None, (psutil.cpu_count(), os.cpu_count())), default=1))
    affinity = _affinity()
    if affinity:
        yield CpuBound(affinity, "CPU affinity")
    quota = cgroups.cpu_quota(root)
    if quota is not None:
        yield CpuBound(math.ceil(quota), "CPU quota of a control group")


def _affinity() -> int | None:
    """CPUs in this process's affinity mask; None where the system has none or does not tell."""
    import psutil

    try:
        if hasattr(os, "sched_getaffinity"):
            return len(os.sched_getaffinity(0))
        # Windows sorts more CPUs than a mask has bits into groups and tells the mask of one group.
        if (psutil.cpu_count() or 1) <= _MASK_BITS:
            return len(psutil.Process().cpu_affinity() or ())
    except (AttributeError, NotImplementedError, OSError, psutil.Error):  # macOS, sandboxes
        pass
    return None


def process_age_s() -> float:
    """How long this process has run, its interpreter's own start included, in s.

    psutil counts from the time of the boot, which Linux tells in whole seconds.
    """
    if sys.platform == "linux":
        fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
        started_s = int(fields[19]) / os.sysconf("SC_CLK_TCK")
        return time.clock_gettime(time.CLOCK_BOOTTIME) - started_s
    import psutil

    return time.time() - psutil.Process().create_time()

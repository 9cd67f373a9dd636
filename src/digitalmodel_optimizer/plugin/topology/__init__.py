"""The NUMA nodes of this machine: which CPUs and how much memory each has, as far as it is told.

It stands in the contract since both sides need it: a plugin that places workers, and ``doctor``,
which shows it; neither may import the other. Nothing here raises: a system that does not tell, or
tells what does not fit together, is one node, and :attr:`Topology.doubt` says why.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from digitalmodel_optimizer.plugin.topology.data import Node, Topology, one_node
from digitalmodel_optimizer.plugin.topology.linux import read_linux

__all__ = ["Node", "Topology", "detect_topology", "one_node"]


def detect_topology() -> Topology:
    """The nodes with the CPUs and the memory that this process may use."""
    try:
        if sys.platform == "win32":
            from digitalmodel_optimizer.plugin.topology.windows import read_windows

            return read_windows()
        if sys.platform == "linux":
            return read_linux(Path("/"), os.sched_getaffinity(0))
    except Exception as error:  # whatever a system may answer, it is no reason to end a batch
        return one_node(_all_cpus(), doubt=f"{type(error).__name__}: {error}")
    return one_node(_all_cpus(), doubt=f"{sys.platform} does not tell its nodes")


def _all_cpus() -> range:
    return range(os.cpu_count() or 1)

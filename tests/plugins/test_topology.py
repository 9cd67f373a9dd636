"""Which nodes a machine has: made-up trees of Linux, made-up buffers of Windows, this machine."""

from __future__ import annotations

import ctypes
import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from topologies import KB_PER_NODE, core_record, group_record, linux, node_record, write

from digitalmodel_optimizer.plugin import topology as detection
from digitalmodel_optimizer.plugin.topology import Topology, detect_topology
from digitalmodel_optimizer.plugin.topology.linux import read_linux
from digitalmodel_optimizer.plugin.topology.windows import (
    allowed_by,
    masks_of,
    parse,
    read_windows,
)

NODE_MB = KB_PER_NODE * 1024 / 1e6


def cpus_by_node(topology: Topology) -> dict[int, tuple[int, ...]]:
    return {node.number: node.cpus for node in topology.nodes}


# -- Linux -------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 2, 4, 8])
def test_nodes_have_their_cpus_memory_and_distances(tmp_path: Path, count: int) -> None:
    nodes = {number: range(number * 4, number * 4 + 4) for number in range(count)}
    found = read_linux(tmp_path, linux(tmp_path, nodes))
    assert cpus_by_node(found) == {number: tuple(cpus) for number, cpus in nodes.items()}
    assert {node.memory_mb for node in found.nodes} == {NODE_MB}
    assert found.distances[0, 0] == 10
    assert len(found.distances) == count * count
    assert not found.doubt


def test_the_memory_of_a_single_node_is_that_of_the_machine(tmp_path: Path) -> None:
    online = linux(tmp_path, {0: [0, 1]})
    write(tmp_path / "proc/meminfo", "MemTotal:       1000000 kB\nMemFree:         500000 kB")
    (node,) = read_linux(tmp_path, online).nodes
    assert (node.memory_mb, node.memory_free_mb) == (1024.0, 512.0)


def test_siblings_are_one_core(tmp_path: Path) -> None:
    cores = [(0, 4), (1, 5), (2, 6), (3, 7)]
    online = linux(tmp_path, {0: [0, 1, 4, 5], 1: [2, 3, 6, 7]}, siblings=cores)
    found = read_linux(tmp_path, online)
    assert [node.cores for node in found.nodes] == [((0, 4), (1, 5)), ((2, 6), (3, 7))]
    expected = f"2 nodes, each with 4 CPUs (2 cores) and {NODE_MB / 1000:.1f} GB; "
    assert str(found) == expected + "distance 21 (local 10)"


def test_cpus_that_are_offline_are_left_out(tmp_path: Path) -> None:
    linux(tmp_path, {0: range(4), 1: range(4, 8)}, siblings=[(0, 1), (2, 3)], offline=[1, 5, 6])
    found = read_linux(tmp_path, range(8))
    assert cpus_by_node(found) == {0: (0, 2, 3), 1: (4, 7)}
    assert found.nodes[0].cores == ((0,), (2, 3))


def test_holes_in_the_numbering_of_nodes(tmp_path: Path) -> None:
    rows = {0: [10, 32], 8: [32, 10]}
    found = read_linux(tmp_path, linux(tmp_path, {0: [0, 1], 8: [64, 65]}, distances=rows))
    assert cpus_by_node(found) == {0: (0, 1), 8: (64, 65)}
    assert found.distances == {(0, 0): 10, (0, 8): 32, (8, 0): 32, (8, 8): 10}


def test_nodes_without_memory_and_nodes_without_cpus(tmp_path: Path) -> None:
    online = linux(tmp_path, {0: [0, 1], 1: [2, 3], 2: []}, memory_kb={1: 0})
    found = read_linux(tmp_path, online)
    assert [node.memory_mb for node in found.nodes] == [NODE_MB, 0.0, NODE_MB]
    assert [node.number for node in found.with_cpus] == [0, 1]
    assert "node 1: 2 CPUs and no memory" in str(found)
    assert "node 2: no CPU and 68.7 GB" in str(found)


def test_the_affinity_mask_bounds_the_cpus(tmp_path: Path) -> None:
    linux(tmp_path, {0: range(4), 1: range(4, 8)})
    found = read_linux(tmp_path, {2, 3, 4})
    assert cpus_by_node(found) == {0: (2, 3), 1: (4,)}


def test_memory_outside_of_the_cpuset_is_not_ours(tmp_path: Path) -> None:
    online = linux(tmp_path, {0: [0, 1], 1: [2, 3]}, mems_allowed="0")
    assert [n.memory_mb for n in read_linux(tmp_path, online).nodes] == [NODE_MB, 0.0]
    only_first = read_linux(tmp_path, {0, 1})
    assert cpus_by_node(only_first) == {0: (0, 1)}  # of the other node nothing can be used


@pytest.mark.parametrize(
    ("membership", "folder", "names"),
    [
        ("0::/job/step", "job", ("cpuset.cpus.effective", "cpuset.mems.effective")),
        ("3:cpuset:/job", "cpuset/job", ("cpuset.effective_cpus", "cpuset.effective_mems")),
        ("0::/outside/only", "", ("cpuset.cpus.effective", "cpuset.mems.effective")),
    ],
)
def test_a_cpuset_is_read_where_the_kernel_does_not_show_it(
    tmp_path: Path, membership: str, folder: str, names: tuple[str, str]
) -> None:
    online = linux(tmp_path, {0: range(4), 1: range(4, 8)})
    write(tmp_path / "proc/self/cgroup", membership)
    group = tmp_path / "sys/fs/cgroup" / folder
    write(group / names[0], "1-2,5")
    write(group / names[1], "1")
    found = read_linux(tmp_path, online)
    assert cpus_by_node(found) == {0: (1, 2), 1: (5,)}
    assert [node.memory_mb for node in found.nodes] == [0.0, NODE_MB]


def test_what_does_not_fit_together_is_one_node(tmp_path: Path) -> None:
    linux(tmp_path / "twice", {0: [0, 1], 1: [1, 2]})
    linux(tmp_path / "nowhere", {0: [0]})
    write(tmp_path / "nowhere/sys/devices/system/cpu/online", "0-2")
    for root in ("twice", "nowhere", "empty"):
        found = read_linux(tmp_path / root, {0, 1, 2})
        assert cpus_by_node(found) == {0: (0, 1, 2)}
        assert found.doubt
        assert f"nodes are not known ({found.doubt})" in str(found)


def test_distances_that_cannot_be_read_are_none(tmp_path: Path) -> None:
    online = linux(tmp_path, {0: [0], 1: [1]}, distances={0: [10]})
    assert read_linux(tmp_path, online).distances == {}


# -- Windows -----------------------------------------------------------------------------------


def two_groups_of_64(*, extended: bool = True) -> bytes:
    """128 CPUs in two groups; two nodes of 64, two hardware threads to a core."""
    cores = [core_record([cpu, cpu + 1]) for cpu in range(0, 128, 2)]
    nodes = [node_record(n, range(64 * n, 64 * n + 64), extended=extended) for n in (0, 1)]
    return group_record([64, 64]) + b"".join([*cores, *nodes])


@pytest.mark.parametrize("extended", [True, False])
def test_two_groups_of_64_cpus(extended: bool) -> None:
    found = parse(two_groups_of_64(extended=extended), free_mb=lambda node: 1000.0 * (node + 1))
    assert cpus_by_node(found) == {0: tuple(range(64)), 1: tuple(range(64, 128))}
    assert found.nodes[1].cores[0] == (64, 65)
    assert [node.memory_free_mb for node in found.nodes] == [1000.0, 2000.0]
    assert found.groups == 2
    assert str(found).endswith("; 2 processor groups")


def test_a_node_that_spans_groups_and_a_group_with_two_nodes() -> None:
    every = [*range(36), *range(64, 100)]
    cores = b"".join(core_record([cpu]) for cpu in every)
    one = parse(cores + node_record(0, every))
    assert cpus_by_node(one) == {0: tuple(every)}
    two = parse(cores + node_record(0, every[:18]) + node_record(1, every[18:]))
    assert cpus_by_node(two) == {0: tuple(every[:18]), 1: tuple(every[18:])}


def test_a_node_of_which_windows_tells_one_group_only_is_not_believed() -> None:
    every = [*range(64), *range(64, 72)]
    cores = b"".join(core_record([cpu]) for cpu in every)
    found = parse(cores + node_record(0, every[:64], extended=False))
    assert found.cpus == tuple(every)
    assert found.doubt


def test_a_process_that_somebody_bound_to_a_few_cpus() -> None:
    full = 2**64 - 1
    assert allowed_by([1], 0b1111, full) == {64, 65, 66, 67}
    assert allowed_by([0], full, full) is None
    assert allowed_by([0, 1], 0, 0) is None
    found = parse(two_groups_of_64(), allowed={64, 65, 66, 67})
    assert cpus_by_node(found) == {0: (), 1: (64, 65, 66, 67)}
    assert [node.number for node in found.with_cpus] == [1]


def test_a_buffer_that_is_cut_off_is_refused() -> None:
    with pytest.raises(ValueError, match="a record of"):
        parse(two_groups_of_64()[:-4])


def test_masks_of_cpus_in_two_groups() -> None:
    assert masks_of([0, 3, 64, 127]) == {0: 0b1001, 1: 1 | 1 << 63}


class Kernel32:
    """Windows as ctypes sees it; ``records`` by the kind that is asked for."""

    def __init__(self, records: dict[int, bytes]) -> None:
        self.records = records

    def get_logical_processor_information_ex(self, kind: int, buffer: Any, size: Any) -> int:
        content = self.records.get(kind, b"")
        room, size._obj.value = size._obj.value, len(content)
        if buffer is None or not content or room < len(content):
            return 0
        ctypes.memmove(buffer, content, len(content))
        return 1

    def get_current_process(self) -> int:
        return 2**64 - 1

    def get_process_affinity_mask(self, process: Any, mask: Any, system: Any) -> int:
        mask._obj.value, system._obj.value = 0b11, 2**64 - 1
        return 1

    def get_process_group_affinity(self, process: Any, count: Any, groups: Any) -> int:
        count._obj.value, groups[0] = 1, 1
        return 1

    def get_numa_available_memory_node_ex(self, node: Any, free: Any) -> int:
        free._obj.value = 5_000_000_000
        return int(node.value == 1)

    def __getattr__(self, name: str) -> Any:
        """``GetCurrentProcess`` is ``get_current_process`` here."""
        return object.__getattribute__(self, re.sub("(?<!^)(?=[A-Z])", "_", name).lower())


@pytest.mark.parametrize("kind", [6, 1])
def test_windows_is_asked_for_groups_cores_and_nodes(kind: int) -> None:
    cores = b"".join(core_record([cpu]) for cpu in range(128))
    nodes = b"".join(node_record(n, range(64 * n, 64 * n + 64), extended=kind == 6) for n in (0, 1))
    found = read_windows(Kernel32({4: group_record([64, 64]), 0: cores, kind: nodes}))
    assert cpus_by_node(found) == {0: (), 1: (64, 65)}
    assert [node.memory_free_mb for node in found.nodes] == [None, 5000.0]
    assert found.groups == 2


def test_windows_that_tells_nothing_is_an_error() -> None:
    with pytest.raises(OSError, match="tells nothing"):
        read_windows(Kernel32({}))


# -- any system --------------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform != "linux", reason="what Linux tells")
def test_this_machine_has_the_cpus_that_this_process_may_use() -> None:
    found = detect_topology()
    assert set(found.cpus) == os.sched_getaffinity(0)
    assert not found.doubt


def test_a_system_that_does_not_tell_is_one_node(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    found = detect_topology()
    assert len(found.with_cpus) == 1
    assert "darwin does not tell" in str(found)


def test_detection_never_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> Topology:
        raise RuntimeError("odd")

    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(detection, "read_linux", fail)
    assert detect_topology().doubt == "RuntimeError: odd"

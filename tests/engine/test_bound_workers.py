"""affinity under the real host: workers on CPUs of their own, the same bytes, nothing left behind.

What a worker may use is what the kernel says of it, noted by a plugin of the test with each file.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from batches import backend
from fault_batches import Batch, Run, run
from host_process import HostProcess, csv_files, first_difference, read_tree

from digitalmodel_optimizer.plugin.topology import detect_topology
from digitalmodel_optimizer.plugin.topology.linux import _numbers

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc"),
    pytest.mark.skipif(
        not hasattr(os, "sched_getaffinity") or len(os.sched_getaffinity(0)) < 2,
        reason="needs two CPUs",
    ),
]
SPY = """
import os, pathlib, re, time
from digitalmodel_optimizer.plugin import hookimpl

def masks():
    for task in os.listdir("/proc/self/task"):
        try:
            status = pathlib.Path(f"/proc/self/task/{task}/status").read_text()
        except OSError:  # the thread has ended
            continue
        yield re.search(r"Cpus_allowed_list:\\s*(\\S+)", status)[1]

@hookimpl(wrapper=True, trylast=True)
def optimizer_process_file(task):
    seen = f"{os.getpid()} {task.attempt} {' '.join(sorted(set(masks())))}"
    path = pathlib.Path("seen", f"{task.file.stem}-{task.attempt}")
    path.with_suffix(".new").write_text(seen)
    path.with_suffix(".new").rename(path)
    if task.attempt == 1:
        wait_for_others()
    return (yield)

def wait_for_others():
    # However slowly workers start, each has a file: two, and a third after the one that crashes.
    others = int(os.environ["OPTIMIZER_TEST_TOGETHER"])
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        tries = [path for path in pathlib.Path("seen").iterdir() if not path.suffix]
        again = any(path.name.endswith("-2") for path in tries)
        if len({path.read_text().split()[0] for path in tries}) >= others + again:
            break
        time.sleep(0.05)

@hookimpl
def optimizer_configure():
    if "OPTIMIZER_TEST_NODES" in os.environ:  # a machine with a node for each of two CPUs
        from digitalmodel_optimizer.plugin.topology import Node, Topology
        from digitalmodel_optimizer_plugins.affinity import parent
        first, second = sorted(os.sched_getaffinity(0))[:2]
        made_up = Topology((Node(0, ((first,),)), Node(1, ((second,),))))
        parent.detect_topology = lambda: made_up

@hookimpl(trylast=True)
def optimizer_batch_finished():
    pathlib.Path("parent").write_text(" ".join(sorted(set(masks()))))
"""


def install_spy(root: Path) -> None:
    (root / "mask_spy.py").write_text(SPY)
    installed = root / "mask_spy-1.0.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: mask-spy\nVersion: 1.0\n")
    (installed / "entry_points.txt").write_text(
        "[digitalmodel_optimizer.plugins]\nmask-spy = mask_spy\n"
    )
    (root / "seen").mkdir()
    (root / "tmp").mkdir()


def run_batch(
    batch: Batch, affinity: Any, faults: Sequence[dict[str, Any]] = (), **more: str
) -> Run:
    block = backend("loky", affinity=affinity)
    config = batch.configured(block)
    variables = {"TMPDIR": str(batch.root / "tmp"), "PYTHONPATH": str(batch.root)}
    variables |= {"OPTIMIZER_TEST_TOGETHER": "2", **more}
    return run(config, {**variables, "SIMULATED_ORCAFLEX_FAULTS": json.dumps(list(faults))})


@dataclass(frozen=True)
class Try:
    """One try of a file: the worker's process id, and the CPUs of all of its threads."""

    worker: int
    cpus: frozenset[int]


def tries(batch: Batch) -> dict[str, Try]:
    """By the file's stem and the number of the try."""
    found = {}
    for path in (batch.root / "seen").iterdir():
        pid, _, *masks = path.read_text().split()
        (mask,) = masks  # or threads of one worker differ
        found[path.name] = Try(int(pid), frozenset(_numbers(mask)))
    return found


def remarks(done: Run) -> list[str]:
    return [item["text"] for item in done.report["remarks"] if item["plugin"] == "affinity"]


def same_tables_and_nothing_left(batch: Batch, done: Run) -> None:
    assert done.status == 0, done.errors[-3000:]
    parent = _numbers((batch.root / "parent").read_text())
    assert parent == os.sched_getaffinity(0), "the parent is not left where it was"
    assert not done.left
    assert not list((batch.root / "tmp").glob("dmo-affinity-*"))
    found = csv_files(read_tree(batch.root / "results"))
    expected = batch.expected()
    assert found == expected, first_difference(expected, found)


def written(root: Path, files: int, plain_host: HostProcess) -> Batch:
    install_spy(root)
    return Batch.written(root, files, plain_host)


def test_workers_have_cores_of_their_own_and_one_that_crashes_leaves_them_to_the_next(
    tmp_path: Path, plain_host: HostProcess
) -> None:
    batch = written(tmp_path, 7, plain_host)
    victim = batch.names[1]
    crash = {"how": "segfault", "times": 1, "counter": str(batch.root / "slots" / "crash")}
    affinity = {"enabled": True, "mode": "cores"}
    done = run_batch(batch, affinity, [{"files": victim, "crash": crash}])
    found = tries(batch)
    same_tables_and_nothing_left(batch, done)
    assert len(found) == len(batch.names) + 1
    of_worker: dict[int, set[frozenset[int]]] = {}
    for item in found.values():
        of_worker.setdefault(item.worker, set()).add(item.cpus)
    crashed = found[f"{victim.removesuffix('.sim')}-1"]
    assert of_worker.pop(crashed.worker) == {crashed.cpus}
    assert len(of_worker) == 2, "the one that stays, and the one that replaces"
    stays, replaces = of_worker.values()
    assert len(stays) == len(replaces) == 1
    assert {crashed.cpus} in (stays, replaces)
    assert not min(stays) & min(replaces), "two workers have the same CPU"
    (remark,) = remarks(done)
    assert f"2 workers bound to {len(crashed.cpus)} CPU" in remark
    assert "1 replaced, in the same places" in remark


def test_workers_stay_on_their_nodes(tmp_path: Path, plain_host: HostProcess) -> None:
    batch = written(tmp_path, 4, plain_host)
    done = run_batch(batch, True, OPTIMIZER_TEST_NODES="2")
    found = tries(batch)
    same_tables_and_nothing_left(batch, done)
    first, second = sorted(os.sched_getaffinity(0))[:2]
    placed = {item.worker: item.cpus for item in found.values()}
    assert sorted(placed.values(), key=min) == [{first}, {second}]
    assert all(item.cpus == placed[item.worker] for item in found.values())
    expected = "2 nodes, each with 1 CPU; 2 workers bound to 1 CPU each: 1 on node 0, 1 on node 1"
    assert remarks(done) == [expected]


def test_workers_are_left_alone_where_one_node_has_all_cpus(
    tmp_path: Path, plain_host: HostProcess
) -> None:
    if len(detect_topology().with_cpus) > 1:
        pytest.skip("needs a machine of one node")
    batch = written(tmp_path, 2, plain_host)
    done = run_batch(batch, True, OPTIMIZER_TEST_TOGETHER="1")
    found = tries(batch)
    same_tables_and_nothing_left(batch, done)
    assert {item.cpus for item in found.values()} == {frozenset(os.sched_getaffinity(0))}
    (remark,) = remarks(done)
    assert remark.startswith("1 node with ")
    assert remark.endswith("; workers are left alone: one node has all CPUs")

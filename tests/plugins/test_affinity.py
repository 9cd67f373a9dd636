"""affinity: where workers go, how they claim their places, how they are bound."""

from __future__ import annotations

import ctypes
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pluggy
import pytest
from hypothesis import given
from hypothesis import strategies as st
from plugin_settings import settings_of
from topologies import linux

from digitalmodel_optimizer.plugin import (
    Allocation,
    Assignment,
    Group,
    Measured,
    OutputError,
    Schedule,
    SimulationFile,
    hookimpl,
    hookspecs,
)
from digitalmodel_optimizer.plugin.executor import SerialExecutor
from digitalmodel_optimizer.plugin.hookspecs import PROJECT_NAME
from digitalmodel_optimizer.plugin.manager import build_manager, installed_plugins
from digitalmodel_optimizer.plugin.topology import Node, Topology, one_node
from digitalmodel_optimizer.plugin.topology.linux import read_linux
from digitalmodel_optimizer_plugins import affinity as plugin
from digitalmodel_optimizer_plugins.affinity import claims as claiming
from digitalmodel_optimizer_plugins.affinity import parent, pinning, worker
from digitalmodel_optimizer_plugins.affinity.claims import PREFIX, Claims, Pinned, Slot
from digitalmodel_optimizer_plugins.affinity.places import Place, places_of, spread
from digitalmodel_optimizer_plugins.affinity.words import in_words

POLICY = """
import ctypes
from digitalmodel_optimizer_plugins.affinity.pinning import prefer_local_memory
libc, node, mode = ctypes.CDLL(None, use_errno=True), ctypes.c_ulong(1), ctypes.c_int(-1)
interleave = libc.syscall(238, 3, ctypes.byref(node), ctypes.c_ulong(64))
said = prefer_local_memory()
libc.syscall(239, ctypes.byref(mode), None, ctypes.c_ulong(0), None, ctypes.c_ulong(0))
print(interleave, said, mode.value)
"""
POSIX = pytest.mark.skipif(sys.platform != "linux", reason="masks of Linux")
FILE = SimulationFile(0, "case.sim", 1_000_000)


@pytest.fixture(autouse=True)
def _temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test has a temporary folder of its own, and nothing is left in it."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(parent, "_run", None)
    monkeypatch.setattr(worker, "_worker", None)


# -- where workers go --------------------------------------------------------------------------


@st.composite
def machines(draw: st.DrawFn) -> Topology:
    """Up to 8 nodes of up to 16 cores, one or two CPUs to a core, some of them taken away."""
    smt = draw(st.integers(1, 2))
    nodes, first = [], 0
    for number in range(draw(st.integers(1, 8))):
        cores = []
        for _ in range(draw(st.integers(0, 16))):
            cpus = range(first, first + smt)
            kept = tuple(cpu for cpu in cpus if draw(st.integers(0, 9)))
            first += smt
            if kept:
                cores.append(kept)
        nodes.append(Node(number, tuple(cores)))
    if not any(node.cores for node in nodes):
        nodes[0] = Node(0, ((first,),))
    return Topology(tuple(nodes))


@given(machines(), st.integers(1, 200), st.booleans(), st.integers(0, 4))
def test_every_worker_has_cpus_of_one_node(
    machine: Topology, workers: int, by_core: bool, threads: int
) -> None:
    nodes = {node.number: node for node in machine.nodes}
    places = places_of(machine, workers, by_core=by_core, native_threads=threads)
    assert len(places) == workers
    for place in places:
        own = nodes[place.node].cpus
        assert place.cpus
        assert set(place.cpus) <= set(own)
        assert len(place.cpus) >= min(threads, len(own))
        if not by_core or threads == 0:
            assert place.cpus == own


@given(machines(), st.integers(1, 200))
def test_no_worker_would_have_more_cpus_on_another_node(machine: Topology, workers: int) -> None:
    """Whatever the number of those that run, if they are those with the lowest slots."""
    places = places_of(machine, workers, by_core=False)
    on_node: Counter[int] = Counter()
    for place in places:
        on_node[place.node] += 1
        for node in machine.with_cpus:
            for other in machine.with_cpus:
                mine, theirs = on_node[node.number], on_node[other.number]
                if mine:
                    assert mine * len(other.cpus) <= (theirs + 1) * len(node.cpus)


@given(machines(), st.integers(1, 200))
def test_cores_are_shared_out_within_one(machine: Topology, workers: int) -> None:
    places = places_of(machine, workers, by_core=True)
    for node in machine.with_cpus:
        own = [place for place in places if place.node == node.number]
        used = Counter(cpu for place in own for cpu in place.cpus)
        if len(own) <= len(node.cores):
            assert set(used.values()) <= {1}, "two workers have the same CPU"
            of_core = {cpu: core for core in node.cores for cpu in core}
            sizes = [len({of_core[cpu] for cpu in place.cpus}) for place in own]
            assert not own or max(sizes) - min(sizes) <= 1
        else:
            assert set(used) == set(node.cpus)
            assert max(used.values()) - min(used.values()) <= 1


@given(machines(), st.integers(1, 60), st.integers(1, 60))
def test_a_slot_stays_on_its_node_whatever_the_number_of_workers(
    machine: Topology, few: int, more: int
) -> None:
    """What a worker has read stays local when workers are raised."""
    few, more = sorted((few, more))
    cpus = [len(node.cpus) for node in machine.with_cpus]
    assert spread(cpus, more)[:few] == spread(cpus, few)


def test_workers_are_in_proportion_to_the_cpus_of_a_node() -> None:
    assert Counter(spread([48, 16], 16)) == {0: 12, 1: 4}
    assert spread([4, 4], 4) == [0, 1, 0, 1]


def test_places_of_a_machine_that_is_made_up(tmp_path: Path) -> None:
    cores = [(cpu, cpu + 8) for cpu in range(8)]
    nodes = {0: [*range(4), *range(8, 12)], 1: [*range(4, 8), *range(12, 16)]}
    machine = read_linux(tmp_path, linux(tmp_path, nodes, siblings=cores))
    places = places_of(machine, 4, by_core=True)
    assert places[0] == Place(0, (0, 1, 8, 9))
    assert places[1] == Place(1, (4, 5, 12, 13))
    assert places[2] == Place(0, (2, 3, 10, 11))
    wide = places_of(machine, 8, by_core=True, native_threads=4)
    assert {len(place.cpus) for place in wide} == {4}


# -- claims ------------------------------------------------------------------------------------

PLACES = (Place(0, (0,)), Place(1, (1,)))


def left_over() -> list[str]:
    return [name for name in os.listdir(tempfile.gettempdir()) if name.startswith(PREFIX)]


def test_each_worker_has_the_lowest_slot_that_is_free() -> None:
    run = Claims(PLACES, local_memory=True)
    slots = [Slot(run.folder) for _ in range(3)]
    assert [slot.number for slot in slots] == [0, 1, 2]
    assert [slot.place for slot in slots] == [*PLACES, PLACES[0]]
    assert slots[0].local_memory
    slots[1].release()
    again = Slot(run.folder)
    assert again.number == 1
    for slot in (slots[0], again, slots[2]):
        slot.release()
    run.close()
    assert not left_over()


CLAIM = """
import os, sys, tempfile, time
tempfile.tempdir = {folder!r}
from digitalmodel_optimizer_plugins.affinity.claims import Slot
slot = Slot({run!r})
slot.note()
print(slot.number, flush=True)
time.sleep(60)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="kills")
def test_a_worker_that_is_killed_frees_its_slot_for_the_one_that_replaces_it() -> None:
    run = Claims(PLACES, local_memory=False)
    code = CLAIM.format(folder=tempfile.gettempdir(), run=run.folder)

    def start() -> subprocess.Popen[str]:
        words = [sys.executable, "-c", code]
        return subprocess.Popen(words, stdout=subprocess.PIPE, text=True)

    def slot_of(process: subprocess.Popen[str]) -> int:
        assert process.stdout is not None
        return int(process.stdout.readline())

    workers = [start() for _ in range(2)]
    try:
        numbers = [slot_of(process) for process in workers]
        assert sorted(numbers) == [0, 1]
        workers[0].kill()
        workers[0].wait()
        workers.append(start())
        assert slot_of(workers[2]) == numbers[0]
    finally:
        for process in workers:
            process.kill()
            process.communicate()
    assert [item.slot for item in run.pinned()] == sorted([*numbers, numbers[0]])
    run.close()
    assert not left_over()


def test_workers_of_nobody_have_no_slot() -> None:
    with pytest.raises(LookupError, match="not there"):
        Slot()


def test_a_folder_whose_run_was_killed_is_not_followed_and_goes_with_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    dead = Claims(PLACES, local_memory=False)
    assert dead._owner is not None
    dead._owner.release()  # as the system does
    with pytest.raises(LookupError, match="leftover"):
        Slot(dead.folder)
    monkeypatch.setattr(claiming, "_folder_of", lambda _: f"{dead.folder}-next")
    os.utime(dead.folder, (time.time() - 3600,) * 2)
    run = Claims(PLACES, local_memory=False)
    assert left_over() == [os.path.basename(run.folder)]
    dead.close()
    run.close()


def test_a_run_that_goes_on_is_no_leftover(monkeypatch: pytest.MonkeyPatch) -> None:
    first = Claims(PLACES, local_memory=False)
    os.utime(first.folder, (time.time() - 3600,) * 2)
    with pytest.raises(OutputError, match="another run"):
        Claims(PLACES, local_memory=False)
    monkeypatch.setattr(claiming, "_folder_of", lambda _: f"{first.folder}-second")
    second = Claims(PLACES, local_memory=False)
    slots = Slot(first.folder), Slot(second.folder)
    assert [slot.number for slot in slots] == [0, 0]
    for slot in slots:
        slot.release()
    for run in (first, second):
        run.close()


@pytest.mark.skipif(sys.platform == "win32", reason="modes")
def test_a_folder_that_others_can_write_to_is_not_believed() -> None:
    run = Claims(PLACES, local_memory=False)
    os.chmod(run.folder, 0o777)
    with pytest.raises(OutputError, match="can be written to by others"):
        Slot(run.folder)
    os.chmod(run.folder, 0o700)
    run.close()


@pytest.mark.skipif(sys.platform == "win32", reason="links")
def test_a_link_in_the_place_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    place = tmp_path / f"{PREFIX}{os.getpid()}"
    place.symlink_to(elsewhere)
    with pytest.raises(OutputError, match=r"is a link or a file, not a folder$"):
        Claims(PLACES, local_memory=False)
    with pytest.raises(OutputError, match="is a link"):
        Slot(str(place))
    assert not list(elsewhere.iterdir())


def test_a_plan_that_cannot_be_written_leaves_no_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError("no space left")

    with monkeypatch.context() as patched:
        patched.setattr(claiming, "write_whole", full)
        with pytest.raises(OSError, match="no space left"):
            Claims(PLACES, local_memory=False)
    assert not left_over()
    Claims(PLACES, local_memory=False).close()


def test_workers_go_over_to_a_new_plan() -> None:
    run = Claims((Place(0, (0, 1)),), local_memory=False)
    slot = Slot(run.folder)
    assert not slot.look()
    run.plan((Place(0, (0,)), Place(0, (1,))))
    assert slot.look()
    assert slot.place == Place(0, (0,))
    run.plan((Place(0, (0,)), Place(0, (1,)), Place(0, (1,))))
    assert not slot.look()  # new, and the same for this slot
    slot.release()
    run.close()


# -- words -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("workers", "said"),
    [
        ([], "no worker process has asked for a place"),
        ([Pinned(0, 0, (0,))], "1 worker bound to 1 CPU: on node 0"),
        (
            [Pinned(0, 0, (0, 1)), Pinned(1, 1, (2, 3, 4)), Pinned(2, 0, (0, 1))],
            "3 workers bound to 2 to 3 CPUs each: 2 on node 0, 1 on node 1",
        ),
        (
            [Pinned(0, 0, (0,)), Pinned(0, 0, (0,)), Pinned(1, 0, (1,))],
            "2 workers bound to 1 CPU each: all on node 0; 1 replaced, in the same places",
        ),
        ([Pinned(0, 0, (0,), bound=False, fault="no")], "1 worker met: no"),
        (
            [Pinned(0, 0, (0,), fault="set_mempolicy: no")],
            "1 worker bound to 1 CPU: on node 0; 1 worker met: set_mempolicy: no",
        ),
    ],
)
def test_what_became_of_the_workers_in_words(workers: list[Pinned], said: str) -> None:
    assert in_words(workers) == said


# -- binding this process ----------------------------------------------------------------------

PIN = """
import os, threading
from digitalmodel_optimizer_plugins.affinity.pinning import pin, prefer_local_memory
waiting = threading.Event()
threading.Thread(target=waiting.wait, daemon=True).start()
cpu = max(os.sched_getaffinity(0))
pin({cpu})
masks = {frozenset(os.sched_getaffinity(int(task))) for task in os.listdir("/proc/self/task")}
assert masks == {frozenset({cpu})}, masks
later = []
thread = threading.Thread(target=lambda: later.append(os.sched_getaffinity(0)))
thread.start(); thread.join()
assert later == [{cpu}], later
print(prefer_local_memory())
"""


@POSIX
def test_all_threads_of_a_process_are_bound_and_those_that_come() -> None:
    done = subprocess.run([sys.executable, "-c", PIN], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    # A container may forbid the policy; then this says so, and nothing else is lost.
    assert done.stdout.startswith(("None", "set_mempolicy: "))


@POSIX
@pytest.mark.skipif(platform.machine() != "x86_64", reason="numbers of system calls")
def test_a_policy_that_was_inherited_gives_way_to_local_memory() -> None:
    words = [sys.executable, "-c", POLICY]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.stdout.startswith("-1"):
        pytest.skip("this container allows no policy")
    interleave, local = "0", "4"
    assert done.stdout.split() == [interleave, "None", local], done.stderr


@POSIX
def test_a_memory_policy_is_asked_for_as_linux_knows_it(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def answer(_: int, policy: int) -> int:
        asked.append(policy)
        return 22 if policy == 4 else 0  # EINVAL, from a kernel that does not know MPOL_LOCAL

    monkeypatch.setattr(pinning, "_set_mempolicy", answer)
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    assert pinning.prefer_local_memory() is None
    assert asked == [4, 1]
    monkeypatch.setattr(pinning, "_set_mempolicy", lambda *_: 1)
    assert pinning.prefer_local_memory() == f"set_mempolicy: {os.strerror(1)}"
    monkeypatch.setattr(platform, "machine", lambda: "sparc")
    assert pinning.prefer_local_memory() == "set_mempolicy is not known for sparc"


class Windows:
    """What Windows is asked to do; ``new``: Windows 11 and Server 2022."""

    def __init__(self, groups: list[int], *, new: bool = True, done: int = 1) -> None:
        self.calls: list[tuple[str, Any]] = []
        self.GetCurrentProcess = self.GetCurrentThread = lambda: 1
        self.SetProcessAffinityMask = lambda _, mask: self.called("process", mask.value)
        self.SetThreadGroupAffinity = lambda _, one, __: self.called("thread", masks(one))
        if new:
            self.SetProcessDefaultCpuSetMasks = lambda _, all_, __: self.called("sets", masks(all_))
        self._groups, self._done = groups, done

    def called(self, name: str, what: Any) -> int:
        self.calls.append((name, what))
        return self._done

    def __getattr__(self, name: str) -> Any:
        if name == "GetProcessGroupAffinity":
            return self._tell_groups
        raise AttributeError(name)

    def _tell_groups(self, _: Any, count: Any, groups: Any) -> int:
        count._obj.value = len(self._groups)
        groups[: len(self._groups)] = self._groups
        return 1


def masks(entries: Any) -> dict[int, int]:
    assert ctypes.sizeof(entries[0]) == 16
    return {entry.group: entry.mask for entry in entries}


@pytest.mark.parametrize(
    ("cpus", "windows", "calls"),
    [
        ([0, 1], Windows([0]), [("process", 3)]),
        ([64, 65], Windows([0]), [("sets", {1: 3}), ("thread", {1: 3})]),
        ([64, 65], Windows([0], new=False), [("thread", {1: 3})]),
        ([0, 64, 65], Windows([0, 1]), [("sets", {0: 1, 1: 3}), ("thread", {1: 3})]),
    ],
)
def test_windows_binds_by_what_it_has(
    cpus: list[int], windows: Windows, calls: list[tuple[str, Any]]
) -> None:
    pinning.pin_on_windows(cpus, windows)
    assert windows.calls == calls


def test_windows_that_refuses_is_an_error() -> None:
    with pytest.raises(OSError, match="Windows refuses it"):
        pinning.pin_on_windows([0], Windows([0], done=0))


# -- the hooks ---------------------------------------------------------------------------------

TWO_NODES = Topology((Node(0, ((0,), (1,))), Node(1, ((2,), (3,)))))


class Supplies:
    """The plugin that has the answers; ``executor`` is what files run on."""

    def __init__(self, **of_executor: Any) -> None:
        self.executor = SerialExecutor(lambda _: None)
        for name, value in {"in_parent": False, "isolates": True, **of_executor}.items():
            setattr(self.executor, name, value)
        self.allocation = Allocation(4, 1, "")

    @hookimpl
    def optimizer_executor(self) -> Any:
        return self.executor

    @hookimpl
    def optimizer_allocate(self) -> Any:
        return self.allocation


def hooks(core: Supplies) -> Any:
    manager = pluggy.PluginManager(PROJECT_NAME)
    manager.add_hookspecs(hookspecs)
    manager.register(core)
    manager.register(plugin)
    return manager.hook


def begin(core: Supplies, allocation: Allocation, **options: Any) -> Any:
    hook = hooks(core)
    schedule = Schedule((Assignment(Group("all", (FILE,)), allocation),), (), Measured())
    settings = settings_of(plugin, **options)
    hook.optimizer_executor(schedule=schedule, process_file=None, machine=None, settings=settings)
    return hook


def said(hook: Any) -> str:
    (verdict,) = hook.optimizer_batch_finished(batch=None, report=None, settings=None)
    assert verdict.failure == ""
    assert not left_over()
    (sentence,) = verdict.sentences
    return str(sentence)


@pytest.mark.parametrize(
    ("options", "executor", "machine", "reason"),
    [
        ({"mode": "off"}, {}, TWO_NODES, "mode is off"),
        ({}, {"in_parent": True}, TWO_NODES, "files run in the host's own process"),
        ({}, {}, one_node(range(4)), "one node has all CPUs"),
        ({"mode": "cores"}, {}, one_node([0]), "there is one CPU for all"),
    ],
)
def test_why_workers_are_left_alone_is_told(
    monkeypatch: pytest.MonkeyPatch,
    options: dict[str, Any],
    executor: dict[str, Any],
    machine: Topology,
    reason: str,
) -> None:
    monkeypatch.setattr(parent, "detect_topology", lambda: machine)
    hook = begin(Supplies(**executor), Allocation(4, 1, ""), **options)
    assert not left_over()
    assert said(hook) == f"{machine}; workers are left alone: {reason}"


def test_no_folder_to_be_had_is_told_and_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parent, "detect_topology", lambda: TWO_NODES)
    with monkeypatch.context() as patched:
        patched.setattr(tempfile, "tempdir", "/nowhere/at/all")
        hook = begin(Supplies(), Allocation(4, 1, ""))
    assert "workers are left alone: [Errno 2]" in said(hook)


def test_an_allocation_that_comes_later_changes_the_places(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parent, "detect_topology", lambda: TWO_NODES)
    hook = begin(core := Supplies(), Allocation(1, 1, ""), mode="cores")
    slots = [Slot(parent._run.claims.folder) for _ in range(2)]
    assert [slot.place for slot in slots] == [Place(0, (0, 1))] * 2
    hook.optimizer_allocate(
        group=Group("all", (FILE,)), files=(), machine=None, measured=None, settings=None
    )
    assert core.allocation.workers == 4
    assert [slot.look() for slot in slots] == [True, True]
    assert [slot.place for slot in slots] == [Place(0, (0,)), Place(1, (2,))]
    for slot in slots:
        slot.note()
        slot.release()
    assert said(hook).endswith("2 workers bound to 1 CPU each: 1 on node 0, 1 on node 1")


def test_where_files_share_a_process_it_has_a_whole_node(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parent, "detect_topology", lambda: TWO_NODES)
    hook = begin(Supplies(isolates=False), Allocation(4, 1, ""), mode="cores")
    slot = Slot(parent._run.claims.folder)
    assert slot.place == Place(0, (0, 1))
    slot.release()
    assert "whole nodes, since several files share a process" in said(hook)


def test_a_batch_without_a_run_says_nothing() -> None:
    hook = hooks(Supplies())
    assert hook.optimizer_batch_finished(batch=None, report=None, settings=None) == []
    hook.optimizer_worker_started(settings=settings_of(plugin))  # no plan: nothing happens
    assert worker._worker is None


def test_what_is_no_executor_is_left_to_the_core(monkeypatch: pytest.MonkeyPatch) -> None:
    core = Supplies()
    core.executor = core.allocation = "nothing of the kind"  # type: ignore[assignment]
    hook = begin(core, Allocation(4, 1, ""))
    assert parent._run is None
    hook.optimizer_allocate(group=None, files=(), machine=None, measured=None, settings=None)


@POSIX
def test_a_worker_that_takes_another_batch_begins_where_it_was(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = os.sched_getaffinity(0)
    one = {min(before)}
    monkeypatch.setattr(claiming, "_parent", os.getpid)
    run = Claims((Place(0, tuple(one)),), local_memory=False)
    settings = settings_of(plugin)
    bound = []
    monkeypatch.setattr(worker, "pin", bound.append)
    hook = hooks(Supplies())
    hook.optimizer_worker_started(settings=settings)
    run.close()
    hook.optimizer_worker_started(settings=settings)  # of a run that plans nothing
    assert bound == [tuple(one), before]
    assert worker._worker is None


@pytest.mark.parametrize("refused", [OSError("not permitted"), ValueError("no such CPU")])
def test_a_worker_that_cannot_be_bound_goes_on_and_is_told(
    monkeypatch: pytest.MonkeyPatch, refused: Exception
) -> None:
    def fail(_: object) -> None:
        raise refused

    monkeypatch.setattr(parent, "detect_topology", lambda: TWO_NODES)
    monkeypatch.setattr(claiming, "_parent", os.getpid)
    monkeypatch.setattr(worker, "pin", fail)
    hook = begin(Supplies(), Allocation(4, 1, ""))
    hook.optimizer_worker_started(settings=settings_of(plugin))
    assert said(hook).endswith(f"; 1 worker met: {refused}")
    assert worker._worker is not None
    worker._worker.slot.release()


def test_results_that_are_kept_stay_valid_whether_workers_are_bound_or_not() -> None:
    known = [item for item in installed_plugins() if item.name in ("affinity", "checks")]
    said = build_manager(known).describe_others(settings_of(plugin))
    assert "affinity" not in said
    assert "checks" in said

"""What processes use: looked at once, and kept as samples of a whole batch."""

from __future__ import annotations

import contextlib
import itertools
import os
import subprocess
import sys
from collections.abc import Iterator

import psutil
import pytest

from digitalmodel_optimizer.batch.resources import (
    MOST_SAMPLES,
    ProcessUsage,
    Resources,
    tree_usage,
)

MB = 1_000_000


def used(pids: list[int]) -> dict[int, tuple[float, float]]:
    return {pid: (item.memory_mb, item.cpu_s) for pid, item in tree_usage(pids).items()}


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    """A process that has begun to wait for its input to be closed."""
    code = "import sys; print(flush=True); sys.stdin.read()"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", code], **pipes) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process


class Sums:
    """Each process has 10 MB and 2 CPU seconds; says whose was asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: list[int] = []
        memory = psutil.Process().memory_info()._replace(rss=10 * MB)
        times = psutil.Process().cpu_times()._replace(user=1.5, system=0.5)

        def memory_info(process: psutil.Process) -> object:
            self.asked.append(process.pid)
            return memory

        monkeypatch.setattr(psutil.Process, "oneshot", contextlib.nullcontext)
        monkeypatch.setattr(psutil.Process, "memory_info", memory_info)
        monkeypatch.setattr(psutil.Process, "cpu_times", lambda _process: times)


def test_known_workers_are_looked_at_without_a_search_for_others(
    monkeypatch: pytest.MonkeyPatch, child: subprocess.Popen[bytes]
) -> None:
    sums = Sums(monkeypatch)
    monkeypatch.setattr(psutil.Process, "children", lambda *_, **__: pytest.fail("a search"))
    assert used([child.pid, os.getpid()]) == {child.pid: (10, 2), os.getpid(): (10, 2)}
    assert sorted(sums.asked) == sorted([child.pid, os.getpid()])
    assert used([]) == {os.getpid(): (10, 2)}


def test_all_descendants_are_looked_at_where_no_workers_are_known(
    monkeypatch: pytest.MonkeyPatch, child: subprocess.Popen[bytes]
) -> None:
    sums = Sums(monkeypatch)
    tree_usage()
    assert {child.pid, os.getpid()} <= set(sums.asked)


def test_workers_that_have_vanished_are_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    Sums(monkeypatch)
    assert used([ended.pid]) == {os.getpid(): (10, 2)}


def test_a_worker_that_vanishes_while_it_is_looked_at_counts_for_nothing(
    monkeypatch: pytest.MonkeyPatch, child: subprocess.Popen[bytes]
) -> None:
    Sums(monkeypatch)
    counted = psutil.Process.cpu_times

    def cpu_times(process: psutil.Process) -> object:
        if process.pid == child.pid:
            raise psutil.NoSuchProcess(process.pid)
        return counted(process)

    monkeypatch.setattr(psutil.Process, "cpu_times", cpu_times)
    assert used([child.pid]) == {os.getpid(): (10, 2)}


def test_this_process_is_told_whole() -> None:
    found = tree_usage([], unique=True)[os.getpid()]
    assert 0 < found.unique_mb <= found.memory_mb
    assert found.threads >= 1
    if sys.platform == "linux":
        assert found.read_mb > 0
        assert found.page_faults is not None


def take(resources: Resources, at_s: float, **usage: ProcessUsage) -> None:
    by_pid = {int(name[1:]): item for name, item in usage.items()}
    resources.take(
        at_s, by_pid, files_running=len(by_pid), workers_limit=2, memory_available_mb=500.0
    )


def test_samples_add_up_what_ended_processes_have_used_and_leave_out_what_was_before() -> None:
    resources = Resources()
    resources.began({1: ProcessUsage(50.0, 3.0, 1, 100.0, 7.0, 2)})
    take(
        resources,
        1.0,
        p1=ProcessUsage(60.0, 4.0, 2, 110.0, 8.0, 2),
        p2=ProcessUsage(30, 2, 1, 5, 0, 1),
    )
    take(resources, 2.0, p1=ProcessUsage(55.0, 4.5, 2, 110.0, 9.0, 2))  # 2 has ended
    first, second = resources.samples
    assert (first.memory_mb, first.cpu_s, first.read_mb, first.written_mb) == (90, 3, 15, 1)
    assert (first.threads, first.processes, first.page_faults) == (3, 2, 1)
    assert (second.memory_mb, second.cpu_s, second.read_mb, second.written_mb) == (55, 3.5, 15, 2)
    assert resources.peak_mb == 90
    assert second.unique_mb is None


def test_what_the_system_does_not_tell_stays_untold() -> None:
    resources = Resources()
    take(resources, 1.0, p1=ProcessUsage(10.0, 1.0))
    (sample,) = resources.samples
    assert (sample.read_mb, sample.written_mb, sample.page_faults) == (None, None, None)


def test_a_long_batch_keeps_its_whole_length_in_few_samples() -> None:
    resources = Resources()
    for number in range(20 * MOST_SAMPLES):
        take(resources, number / 4, p1=ProcessUsage(10.0 + (number == 777), number / 8))
    times = [sample.at_s for sample in resources.samples]
    assert len(times) <= MOST_SAMPLES
    assert times == sorted(times)
    assert times[0] == 0.0
    assert times[-1] > 0.98 * 20 * MOST_SAMPLES / 4
    widest = max(after - before for before, after in itertools.pairwise(times))
    assert widest < 10 * times[-1] / len(times)
    assert resources.peak_mb == 11


def test_what_is_a_processs_own_is_looked_at_rarely() -> None:
    resources, looks = Resources(), 0
    for number in range(400):
        at_s = number / 4
        unique = resources.wants_unique(at_s)
        looks += unique
        take(resources, at_s, p1=ProcessUsage(10.0, at_s, unique_mb=6.0 if unique else None))
    assert 5 <= looks <= 8
    assert sum(sample.unique_mb is not None for sample in resources.samples) == looks

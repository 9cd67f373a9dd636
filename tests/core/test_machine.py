"""What this process may use: affinity, control groups, variables of schedulers; who uses it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import loky
import psutil
import pytest

from digitalmodel_optimizer.batch import cgroups, machine
from digitalmodel_optimizer.batch.machine import CpuBound, cpu_bound, measure_memory_mb

MB = 1_000_000
V2_MOUNT = "31 23 0:28 {top} {folder} rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
V1_MOUNT = "33 31 0:30 {top} {folder} rw,relatime - cgroup cgroup rw,{controllers}\n"
OTHER_MOUNTS = "23 27 0:22 / /sys rw - sysfs sysfs rw\n24 27 8:1 / / rw - ext4 /dev/sda1 rw\nodd\n"


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in machine.CPU_VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def eight_cpus(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with 8 CPUs, all of which this process may run on."""
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    monkeypatch.setattr(psutil, "cpu_count", lambda logical=True: 8)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(range(8)), raising=False)


def tree(root: Path, memberships: str, mounts: str, files: dict[str, str]) -> Path:
    """``root`` as the folder that stands for ``/``; files stand under /sys/fs/cgroup."""
    texts = {
        "proc/self/cgroup": memberships,
        "proc/self/mountinfo": OTHER_MOUNTS + mounts,
        **{f"sys/fs/cgroup/{name}": text for name, text in files.items()},
    }
    for name, text in texts.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


def v2(root: Path, group: str, files: dict[str, str], top: str = "/") -> Path:
    mount = V2_MOUNT.format(top=top, folder="/sys/fs/cgroup")
    return tree(root, f"0::{group}\n", mount, files)


def v1(root: Path, group: str, files: dict[str, str], top: str = "/") -> Path:
    mounts = "".join(
        V1_MOUNT.format(top=top, folder=f"/sys/fs/cgroup/{folder}", controllers=controllers)
        for folder, controllers in (("cpu", "cpu,cpuacct"), ("memory", "memory"))
    )
    return tree(
        root, f"5:memory:{group}\n4:cpu,cpuacct:{group}\n1:name=systemd:{group}\n", mounts, files
    )


# -- CPU quotas --------------------------------------------------------------------------------


def test_a_quota_outside_of_containers_is_seen(tmp_path: Path) -> None:
    root = v2(tmp_path, "/user.slice/job.scope", {"user.slice/job.scope/cpu.max": "250000 100000"})
    assert cgroups.cpu_quota(root) == 2.5


def test_the_strictest_of_a_group_and_its_parents_decides(tmp_path: Path) -> None:
    files = {"a/b/cpu.max": "max 100000", "a/cpu.max": "150000 100000", "cpu.max": "600000 100000"}
    assert cgroups.cpu_quota(v2(tmp_path, "/a/b", files)) == 1.5


def test_other_groups_set_no_quota(tmp_path: Path) -> None:
    files = {"a/cpu.max": "max 100000", "b/cpu.max": "100000 100000"}
    assert cgroups.cpu_quota(v2(tmp_path, "/a", files)) is None


@pytest.mark.parametrize(("group", "top"), [("/", "/"), ("/docker/abc", "/docker/abc")])
def test_a_container_has_its_own_group_topmost(tmp_path: Path, group: str, top: str) -> None:
    assert cgroups.cpu_quota(v2(tmp_path, group, {"cpu.max": "300000 100000"}, top)) == 3


@pytest.mark.parametrize(
    ("group", "top"), [("/../other", "/"), ("/", "/.."), ("/system.slice/x", "/docker/abc")]
)
def test_a_mount_of_another_namespace_counts_by_its_topmost_group(
    tmp_path: Path, group: str, top: str
) -> None:
    assert cgroups.cpu_quota(v2(tmp_path, group, {"cpu.max": "300000 100000"}, top)) == 3


def test_of_several_mounts_that_which_shows_most_parents_is_read(tmp_path: Path) -> None:
    mounts = V2_MOUNT.format(top="/a", folder="/elsewhere")
    mounts += V2_MOUNT.format(top="/", folder="/sys/fs/cgroup")
    root = tree(tmp_path, "0::/a\n", mounts, {"cpu.max": "100000 100000"})
    assert cgroups.cpu_quota(root) == 1


def test_quotas_of_version_1_are_read_too(tmp_path: Path) -> None:
    files = {
        "cpu/slurm/cpu.cfs_quota_us": "400000",
        "cpu/slurm/cpu.cfs_period_us": "100000",
        "cpu/cpu.cfs_quota_us": "-1",
        "cpu/cpu.cfs_period_us": "100000",
    }
    assert cgroups.cpu_quota(v1(tmp_path, "/slurm/job_7", files)) == 4


@pytest.mark.parametrize("text", ["", "max", "x y", "100000 0", "-5 100000", "1 2 3", "max max"])
def test_a_malformed_quota_is_none(tmp_path: Path, text: str) -> None:
    assert cgroups.cpu_quota(v2(tmp_path, "/", {"cpu.max": text})) is None


@pytest.mark.parametrize("memberships", ["", "0\n", "nonsense", ":::\n"])
def test_without_control_groups_there_are_no_limits(tmp_path: Path, memberships: str) -> None:
    assert cgroups.cpu_quota(tmp_path) is None
    root = tree(tmp_path / "odd", memberships, "31 23 - cgroup2\n - \n", {})
    assert cgroups.cpu_quota(root) is None
    assert list(cgroups.memory_limits(1e12, root)) == []


def test_a_blank_in_a_mounts_path_is_read_as_one(tmp_path: Path) -> None:
    mount = V2_MOUNT.format(top="/", folder="/sys/fs/cgroup/of\\040all")
    root = tree(tmp_path, "0::/\n", mount, {"of all/cpu.max": "200000 100000"})
    assert cgroups.cpu_quota(root) == 2


def test_a_process_that_is_moved_to_another_group_has_that_ones_quota(tmp_path: Path) -> None:
    root = v2(tmp_path, "/a", {"a/cpu.max": "100000 100000", "b/cpu.max": "200000 100000"})
    assert cgroups.cpu_quota(root) == 1
    (root / "proc/self/cgroup").write_text("0::/b\n")
    assert cgroups.cpu_quota(root) == 2


def test_a_quota_that_is_changed_while_a_batch_runs_is_noticed(tmp_path: Path) -> None:
    root = v2(tmp_path, "/a", {"a/cpu.max": "100000 100000"})
    assert cgroups.cpu_quota(root) == 1
    (root / "sys/fs/cgroup/a/cpu.max").write_text("max 100000")
    assert cgroups.cpu_quota(root) is None


# -- the number of CPUs ------------------------------------------------------------------------


@pytest.mark.usefixtures("eight_cpus")
def test_a_whole_machine_needs_no_reason(tmp_path: Path) -> None:
    assert cpu_bound(tmp_path) == CpuBound(8, "")


@pytest.mark.usefixtures("eight_cpus")
@pytest.mark.parametrize("name", ["SLURM_CPUS_PER_TASK", "LOKY_MAX_CPU_COUNT", "PYTHON_CPU_COUNT"])
def test_variables_of_schedulers_and_libraries_are_upper_bounds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "3")
    assert cpu_bound(tmp_path) == CpuBound(3, name)
    monkeypatch.setenv(name, "300")
    assert cpu_bound(tmp_path) == CpuBound(8, "")


@pytest.mark.usefixtures("eight_cpus")
@pytest.mark.parametrize("text", ["", "default", "0", "-2", "2.5", "four", "9" * 5000])
def test_a_malformed_variable_is_ignored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    for name in machine.CPU_VARIABLES:
        monkeypatch.setenv(name, text)
    assert cpu_bound(tmp_path).cpus == 8


@pytest.mark.usefixtures("eight_cpus")
def test_python_may_be_told_of_more_cpus_than_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 1000)
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(psutil.Process, "cpu_affinity", lambda _self: [], raising=False)
    assert cpu_bound(tmp_path).cpus == 8


@pytest.mark.usefixtures("eight_cpus")
def test_part_of_a_cpu_counts_as_one(tmp_path: Path) -> None:
    root = v2(tmp_path, "/a", {"a/cpu.max": "250000 100000"})
    assert cpu_bound(root) == CpuBound(3, "CPU quota of a control group")


@pytest.mark.usefixtures("eight_cpus")
def test_affinity_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {1, 5})
    assert cpu_bound(tmp_path) == CpuBound(2, "CPU affinity")


@pytest.mark.usefixtures("eight_cpus")
def test_affinity_counts_on_windows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(psutil.Process, "cpu_affinity", lambda _self: [0, 1, 2], raising=False)
    assert cpu_bound(tmp_path) == CpuBound(3, "CPU affinity")


@pytest.mark.usefixtures("eight_cpus")
def test_one_processor_groups_mask_does_not_bound_a_large_windows_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(psutil.Process, "cpu_affinity", lambda _self: [*range(64)], raising=False)
    for count in (os, psutil):
        monkeypatch.setattr(count, "cpu_count", lambda: 128)
    assert cpu_bound(tmp_path) == CpuBound(128, "")


@pytest.mark.usefixtures("eight_cpus")
def test_a_system_without_affinity_has_all_its_cpus(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.delattr(psutil.Process, "cpu_affinity", raising=False)
    assert cpu_bound(tmp_path) == CpuBound(8, "")


def test_loky_counts_no_fewer_and_as_many_without_control_groups(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert machine.usable_cpus() <= loky.cpu_count()
    if cgroups.cpu_quota() is None:
        assert machine.usable_cpus() == loky.cpu_count()
    monkeypatch.setenv("LOKY_MAX_CPU_COUNT", "1")
    assert machine.usable_cpus() == loky.cpu_count() == 1


# -- memory ------------------------------------------------------------------------------------


@pytest.fixture
def roomy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with 64 GB, of which 60 GB are available."""
    memory = psutil.virtual_memory()._replace(total=64_000 * MB, available=60_000 * MB)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)


def test_memory_in_a_group_as_it_is(tmp_path: Path, roomy: None) -> None:
    assert measure_memory_mb(tmp_path) == (64_000, 60_000)


STAT = f"anon 1\ninactive_file {500 * MB}\nactive_file {200 * MB}\nfile_mapped {50 * MB}\n"


def test_page_cache_is_available_but_for_what_is_mapped(tmp_path: Path, roomy: None) -> None:
    files = {
        "job/memory.max": str(1000 * MB),
        "job/memory.high": "max",
        "job/memory.current": str(900 * MB),
        "job/memory.stat": STAT,
    }
    assert measure_memory_mb(v2(tmp_path, "/job", files)) == (1000, 100 + 500 + 200 - 50)


def test_mapped_files_take_nothing_from_the_inactive_list(tmp_path: Path, roomy: None) -> None:
    files = {
        "memory.max": str(1000 * MB),
        "memory.current": str(900 * MB),
        "memory.stat": f"inactive_file {300 * MB}\nactive_file 5\nfile_mapped {250 * MB}",
    }
    assert measure_memory_mb(v2(tmp_path, "/", files)) == (1000, 400)


def test_a_group_is_slowed_down_above_its_high_limit(tmp_path: Path, roomy: None) -> None:
    files = {
        "job/memory.max": str(4000 * MB),
        "job/memory.high": str(3000 * MB),
        "job/memory.current": str(1000 * MB),
    }
    assert measure_memory_mb(v2(tmp_path, "/job", files)) == (3000, 2000)


def test_parents_limit_memory_and_their_other_children_use_it(tmp_path: Path, roomy: None) -> None:
    files = {
        "a/b/memory.max": str(1000 * MB),
        "a/b/memory.current": str(100 * MB),
        "a/memory.max": str(5000 * MB),
        "a/memory.current": str(4800 * MB),
    }
    assert measure_memory_mb(v2(tmp_path, "/a/b", files)) == (1000, 200)


@pytest.mark.parametrize(("group", "folder"), [("/slurm/job", "slurm/job/"), ("/slurm/job", "")])
def test_memory_limits_of_version_1(tmp_path: Path, roomy: None, group: str, folder: str) -> None:
    unlimited = str(2**63 - 4096)
    files = {
        "memory/slurm/memory.limit_in_bytes": unlimited,
        "memory/slurm/memory.usage_in_bytes": "5",
        f"memory/{folder}memory.limit_in_bytes": str(2000 * MB),
        f"memory/{folder}memory.usage_in_bytes": str(1900 * MB),
        f"memory/{folder}memory.stat": f"inactive_file 1\ntotal_inactive_file {900 * MB}\n"
        f"total_active_file {300 * MB}\ntotal_mapped_file {100 * MB}\n",
    }
    assert measure_memory_mb(v1(tmp_path, group, files)) == (2000, 100 + 900 + 300 - 100)


def test_a_container_of_version_1_sees_its_group_topmost(tmp_path: Path, roomy: None) -> None:
    files = {
        "memory/memory.limit_in_bytes": str(2000 * MB),
        "memory/memory.usage_in_bytes": str(500 * MB),
    }
    root = v1(tmp_path, "/docker/abc", files, top="/docker/abc")
    assert measure_memory_mb(root) == (2000, 1500)


def test_available_memory_is_never_below_zero(tmp_path: Path, roomy: None) -> None:
    files = {"memory.max": str(100 * MB), "memory.current": str(101 * MB)}
    assert measure_memory_mb(v2(tmp_path, "/", files)) == (100, 0)


def test_what_groups_use_is_not_read_where_nothing_limits_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = v2(tmp_path, "/", {"memory.max": "max", "memory.current": "5", "memory.stat": STAT})
    read = []
    real = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: (read.append(path.name), real(path))[1])
    measure_memory_mb(root)
    assert "memory.max" in read
    assert not {"memory.current", "memory.stat"} & set(read)


def test_a_limit_whose_use_is_unknown_is_left_out(tmp_path: Path, roomy: None) -> None:
    root = v2(tmp_path, "/", {"memory.max": str(100 * MB)})
    assert measure_memory_mb(root) == (64_000, 60_000)


def test_this_machine_is_measured() -> None:
    measured = machine.measure_machine()
    assert measured.logical_cpus >= 1
    assert 0 < measured.memory_available_mb <= measured.memory_total_mb
    assert measured.platform == sys.platform

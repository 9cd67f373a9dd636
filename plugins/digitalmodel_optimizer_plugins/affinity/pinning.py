"""Binding this process to CPUs, and asking for memory near them."""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import sys
from collections.abc import Collection, Mapping
from typing import Any

from digitalmodel_optimizer.plugin.topology.windows import (
    load_kernel32,
    masks_of,
    process_groups,
)

# set_mempolicy by machine (asm/unistd.h); no C library but libnuma has it.
_SET_MEMPOLICY = {"x86_64": 238, "aarch64": 237, "riscv64": 237, "ppc64le": 261, "s390x": 270}
_PREFERRED, _LOCAL = 1, 4  # linux/mempolicy.h; the first without nodes means the second
_TASKS = "/proc/self/task"


class _GroupAffinity(ctypes.Structure):
    """GROUP_AFFINITY of Windows."""

    _fields_ = (
        ("mask", ctypes.c_size_t),
        ("group", ctypes.c_ushort),
        ("reserved", ctypes.c_ushort * 3),
    )


def why_not() -> str | None:
    """Why this system cannot bind a process to CPUs; None if it can."""
    if sys.platform == "win32" or hasattr(os, "sched_setaffinity"):
        return None
    return f"{sys.platform} cannot bind a process to CPUs"


def pin(cpus: Collection[int]) -> None:
    """Bind all threads of this process, and those that they start, to ``cpus``.

    :raises OSError: the system refuses.
    """
    if sys.platform == "win32":
        pin_on_windows(cpus, load_kernel32())
        return
    # The call is for one thread. Others run already (native pools, the one that listens).
    for thread in _threads():
        try:
            os.sched_setaffinity(thread, cpus)
        except ProcessLookupError:  # it has ended
            continue


def _threads() -> list[int]:
    try:
        return [int(name) for name in os.listdir(_TASKS)]
    except OSError:
        return [0]


def pin_on_windows(cpus: Collection[int], kernel32: Any) -> None:
    """The same by what this Windows has.

    A process in one group is bound by its mask. Where the CPUs are in another group or in several,
    Windows 11 and Server 2022 take masks of groups for a whole process; before them a thread can be
    moved to a group, and takes those along that it starts from then on.
    """
    masks = masks_of(cpus)
    process = ctypes.c_void_p(kernel32.GetCurrentProcess())
    if len(masks) == 1 and list(masks) == process_groups(kernel32):
        mask = ctypes.c_size_t(next(iter(masks.values())))
        _check(kernel32.SetProcessAffinityMask(process, mask))
        return
    whole_process = getattr(kernel32, "SetProcessDefaultCpuSetMasks", None)
    if whole_process is not None:
        _check(whole_process(process, _affinities(masks), ctypes.c_ushort(len(masks))))
    group = max(masks, key=lambda number: masks[number].bit_count())
    one = _affinities({group: masks[group]})
    thread = ctypes.c_void_p(kernel32.GetCurrentThread())
    _check(kernel32.SetThreadGroupAffinity(thread, one, None))


def _affinities(masks: Mapping[int, int]) -> Any:
    entries = [_GroupAffinity(mask, group) for group, mask in sorted(masks.items())]
    return (_GroupAffinity * len(entries))(*entries)


def _check(done: int) -> None:
    if not done:
        code = getattr(ctypes, "get_last_error", int)()
        raise OSError(f"Windows refuses it (error {code})")


def prefer_local_memory() -> str | None:
    """Have this thread, and those that it starts, take memory of the node on which they run.

    Linux does so by itself unless a policy was inherited (``numactl --interleave``). Windows has no
    such policy. Returns why it could not be asked for; None if it was, or need not be.
    """
    number = _SET_MEMPOLICY.get(platform.machine())
    if sys.platform != "linux":
        return None
    if number is None:
        return f"set_mempolicy is not known for {platform.machine()}"
    code = 0
    for policy in (_LOCAL, _PREFERRED):  # Linux before 3.8 has only the second
        code = _set_mempolicy(number, policy)
        if code != errno.EINVAL:
            break
    return None if not code else f"set_mempolicy: {os.strerror(code)}"


def _set_mempolicy(number: int, policy: int) -> int:
    """0, or the error."""
    libc = ctypes.CDLL(None, use_errno=True)
    done = libc.syscall(ctypes.c_long(number), ctypes.c_int(policy), None, ctypes.c_ulong(0))
    return ctypes.get_errno() if done else 0

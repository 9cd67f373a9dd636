"""A worker's side: it takes a place and stays there, until the parent plans another one for it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from digitalmodel_optimizer_plugins.affinity.claims import Slot
from digitalmodel_optimizer_plugins.affinity.pinning import pin, prefer_local_memory


@dataclass
class _Worker:
    """The slot of this process, and the CPUs that it had before (None: not known)."""

    slot: Slot
    before: set[int] | None


_worker: _Worker | None = None


def begin(options: Mapping[str, Any]) -> None:
    """Take a place, should the parent have planned any."""
    global _worker
    _leave_place()
    if options["mode"] == "off":
        return
    try:
        slot = Slot()
    except Exception:  # nothing is planned for this process, or it is on another machine
        return
    _worker = _Worker(slot, _own_cpus())
    with contextlib.suppress(Exception):  # it is bound or not, and cannot tell
        _settle(slot)


def look() -> None:
    """Go over to another place, if there is one."""
    if _worker is not None:
        with contextlib.suppress(Exception):  # the run is over, or its folder was removed
            if _worker.slot.look():
                _settle(_worker.slot)


def _settle(slot: Slot) -> None:
    try:
        pin(slot.place.cpus)
    except (OSError, ValueError) as error:  # CPUs that have been taken away since
        slot.note(bound=False, fault=str(error))
    else:
        slot.note(fault=(prefer_local_memory() or "") if slot.local_memory else "")


def _leave_place() -> None:
    """A worker that takes another batch begins as one that is new."""
    global _worker
    if _worker is not None:
        with contextlib.suppress(OSError):
            _worker.slot.release()
            if _worker.before:
                pin(_worker.before)
        _worker = None


def _own_cpus() -> set[int] | None:
    return os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None

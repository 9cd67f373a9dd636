"""gc: garbage is collected between files and by need, and its memory goes back to the system.

Python's cyclic collector stays off while a file is processed: it would walk the whole imported
engine again and again, and might finalise a model on a thread that does not own it. After a file,
with its model released, one collection runs if memory or the number of objects has grown enough,
then the C allocator returns what is free. Parent and workers freeze what they start with, so that a
collection looks only at what files left behind. A worker that keeps growing asks to be replaced.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import Any

from digitalmodel_optimizer.plugin import (
    FileResult,
    Option,
    PluginOptions,
    Settings,
    hookimpl,
)
from digitalmodel_optimizer_plugins.garbage_collection import process_memory as memory

NAME = "gc"

# While other threads have a file open, a collection may meet their garbage and stops them all, so
# the need must be so many times greater.
SHARED_NEED = 4.0
# A collection that gives back less than this share of the growth was not worth it: the next one
# waits for twice the growth, at most so many times the setting.
WORTHWHILE = 0.1
# Python 3.12 counts some hundred objects of its own as frozen; from here on it was the user.
FROZEN_BY_SOMEBODY = 5_000
MOST_PATIENCE = 4.0

OPTIONS = (
    Option(
        "trigger_growth_mb",
        float,
        50.0,
        "Growth of the process's memory since the last collection at which a file is followed by "
        "one.",
        unit="MB",
        minimum=0,
    ),
    Option(
        "trigger_objects",
        int,
        100_000,
        "New container objects since the last collection at which a file is followed by one.",
        minimum=1,
    ),
    Option("release_memory", bool, True, "Return free memory to the system after a collection."),
    Option("freeze", bool, True, "Exempt from collection what a process starts the batch with."),
    Option(
        "replace_growth_mb",
        float,
        500.0,
        "Growth of a worker's memory between files at which it is replaced; empty for never.",
        unit="MB",
        minimum=1,
        optional=True,
    ),
)


@dataclass
class _ProcessState:
    """What this process has seen; ``lock`` guards it when files run in threads.

    ``base_mb`` is the memory after the last collection, ``lowest_mb`` the least that the worker
    held between files, ``patience`` the factor on the triggers.
    """

    is_worker: bool = False
    froze: bool = False
    files_open: int = 0
    was_enabled: bool = True
    base_mb: float | None = None
    lowest_mb: float | None = None
    patience: float = 1.0
    lock: threading.Lock = field(default_factory=threading.Lock)


_state = _ProcessState()


@hookimpl
def optimizer_options() -> PluginOptions:
    return PluginOptions("Collects garbage by need and returns memory to the system.", OPTIONS)


@hookimpl
def optimizer_configure(settings: Settings) -> None:
    """Exempt what this process has imported, so that collecting the rest is quick."""
    if not settings.plugin(NAME)["freeze"]:
        return
    if gc.get_freeze_count() < FROZEN_BY_SOMEBODY:
        gc.freeze()
        _state.froze = True


@hookimpl
def optimizer_worker_started(settings: Settings) -> None:
    global _state  # what a forked worker inherited is its parent's
    _state = _ProcessState(is_worker=True)
    memory.forget()
    freeze = settings.plugin(NAME)["freeze"]
    # A worker that was started early has looked through its imports while nobody waited.
    if not freeze or gc.get_freeze_count() < FROZEN_BY_SOMEBODY:
        gc.unfreeze()
        gc.collect()
    if freeze:
        gc.freeze()


@hookimpl
def optimizer_batch_started() -> None:
    """What the parent did since the last batch is none of this batch's growth."""
    _state.base_mb, _state.patience = None, 1.0


@hookimpl
def optimizer_batch_finished() -> None:
    """Leave the parent's objects to its own collector again."""
    if _state.froze:
        gc.unfreeze()
        _state.froze = False


@hookimpl(wrapper=True)
def optimizer_process_file(
    settings: Settings,
) -> Generator[None, FileResult | None, FileResult | None]:
    options = settings.plugin(NAME)
    _open_file()
    try:
        result = yield
        notes, retire = _tidy(options)
    finally:
        _close_file()
    if result is None:
        return None
    all_notes = {**result.notes, NAME: notes}
    return replace(result, notes=all_notes, retire_worker=result.retire_worker or retire)


def _open_file() -> None:
    """Suspend automatic collection; of several files at once the first one does."""
    with _state.lock:
        if _state.base_mb is None:
            _state.base_mb = memory.resident_mb()
        if _state.files_open == 0:
            _state.was_enabled = gc.isenabled()
            gc.disable()
        _state.files_open += 1


def _close_file() -> None:
    """Leave automatic collection as it was found; of several files at once the last one does."""
    with _state.lock:
        _state.files_open -= 1
        if _state.files_open == 0 and _state.was_enabled:
            gc.enable()


def _tidy(options: Mapping[str, Any]) -> tuple[dict[str, float], bool]:
    """Collect and release if need be; the figures for the report, and whether it did not help."""
    notes = dict.fromkeys(("collect_s", "trim_s", "collections", "freed_mb", "trimmed_mb"), 0.0)
    with _state.lock:
        alone = _state.files_open == 1
        before_mb = memory.resident_mb()
        base_mb = before_mb if _state.base_mb is None else _state.base_mb
        need = _state.patience * (1.0 if alone else SHARED_NEED)
        growth_mb = before_mb - base_mb
        collected = (
            growth_mb > need * options["trigger_growth_mb"]
            or gc.get_count()[0] > need * options["trigger_objects"]
        )
        if collected:
            after_mb = _collect(before_mb, options, notes)
            if before_mb - after_mb >= WORTHWHILE * growth_mb:
                _state.patience = 1.0
            else:
                _state.patience = min(2 * _state.patience, MOST_PATIENCE)
        # With other files open nobody can tell growth from what they hold.
        limit_mb = options["replace_growth_mb"]
        if not (_state.is_worker and alone and limit_mb is not None):
            return notes, False
        after_mb = memory.resident_mb()
        if _state.lowest_mb is None:
            _state.lowest_mb = after_mb
        if after_mb - _state.lowest_mb > limit_mb and not collected:
            after_mb = _collect(after_mb, options, notes)
        retire = after_mb - _state.lowest_mb > limit_mb
        _state.lowest_mb = min(_state.lowest_mb, after_mb)
    return notes, retire


def _collect(before_mb: float, options: Mapping[str, Any], notes: dict[str, float]) -> float:
    """Memory in MB after a collection and, where the platform can, a release."""
    start = perf_counter()
    gc.collect()
    collected_at = perf_counter()
    collected_mb = memory.resident_mb()
    released = options["release_memory"] and memory.release_to_system()
    notes["trim_s"] += perf_counter() - collected_at if released else 0.0
    after_mb = memory.resident_mb() if released else collected_mb
    notes["collect_s"] += collected_at - start
    notes["collections"] += 1.0
    notes["freed_mb"] += max(0.0, before_mb - collected_mb)
    notes["trimmed_mb"] += max(0.0, collected_mb - after_mb)
    _state.base_mb = after_mb
    return after_mb

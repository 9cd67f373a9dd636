"""gc: collection by need, the collector's state restored, memory returned, workers replaced."""

from __future__ import annotations

import ctypes
import gc
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pluggy
import pytest
from plugin_settings import settings_of

from digitalmodel_optimizer.plugin import (
    FileResult,
    FileTask,
    Settings,
    SimulationFile,
    hookimpl,
    hookspecs,
)
from digitalmodel_optimizer.plugin.hookspecs import PROJECT_NAME
from digitalmodel_optimizer_plugins import garbage_collection as plugin
from digitalmodel_optimizer_plugins.garbage_collection import process_memory as _process_memory

FILE = SimulationFile(0, "case.sim", 1_000_000)
QUIET = {"trigger_growth_mb": 1e9, "trigger_objects": 10**9}


def settings(**options: Any) -> Settings:
    return settings_of(plugin, **options)


class Cycle:
    """Garbage that only the cyclic collector can free; ``load`` is what it holds."""

    def __init__(self, load: object = None) -> None:
        self.load = load
        self.itself = self


def resident(size_mb: int) -> bytearray:
    """Memory that is really there, without a second copy while it is made."""
    block = bytearray(size_mb * 1_000_000)
    block[::4096] = b"x" * len(range(0, len(block), 4096))
    return block


@pytest.fixture(autouse=True)
def _fresh_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Each test sees the plugin as a new process does, and leaves the collector as it was."""
    monkeypatch.setattr(plugin, "_state", plugin._ProcessState())
    assert gc.isenabled()
    gc.unfreeze()  # Python 3.12 counts its immortal objects as frozen
    gc.collect()
    _process_memory.release_to_system()
    yield
    gc.unfreeze()
    enabled = gc.isenabled()
    gc.enable()
    assert enabled
    _process_memory.forget()


def run(work: Callable[[], object], **options: Any) -> FileResult:
    """One file through real hooks, with ``work`` in the place of the engine's loop."""
    manager = pluggy.PluginManager(PROJECT_NAME)
    manager.add_hookspecs(hookspecs)

    class Core:
        @hookimpl
        def optimizer_process_file(self, task: FileTask) -> FileResult:
            work()
            return FileResult(file=task.file, notes={"other": {"x_s": 1.0}})

    manager.register(Core())
    manager.register(plugin)
    manager.check_pending()
    task = FileTask(FILE, native_threads=1)
    result = manager.hook.optimizer_process_file(task=task, settings=settings(**options))
    assert isinstance(result, FileResult)
    return result


def test_a_file_that_leaves_little_is_not_followed_by_a_collection() -> None:
    left: list[weakref.ref[Cycle]] = []
    result = run(lambda: left.append(weakref.ref(Cycle())), **QUIET)
    assert result.notes["gc"]["collections"] == 0
    assert result.notes["gc"]["collect_s"] == 0
    assert left[0]() is not None
    assert result.notes["other"] == {"x_s": 1.0}


def test_many_new_objects_trigger_one_collection() -> None:
    left: list[weakref.ref[Cycle]] = []

    def work() -> None:
        left.extend(weakref.ref(Cycle()) for _ in range(5000))

    result = run(work, **{**QUIET, "trigger_objects": 4000})
    assert result.notes["gc"]["collections"] == 1
    assert result.notes["gc"]["collect_s"] > 0
    assert not any(cycle() for cycle in left)


def test_grown_memory_triggers_one_collection_which_frees_it() -> None:
    def work() -> None:
        Cycle(resident(80))

    result = run(work, trigger_growth_mb=50.0)
    assert result.notes["gc"]["collections"] == 1
    assert result.notes["gc"]["freed_mb"] == pytest.approx(80, abs=10)


def test_growth_counts_from_the_last_collection() -> None:
    kept: list[bytearray] = []

    def work() -> None:
        kept.append(resident(30))

    def collections() -> float:
        return run(work, trigger_growth_mb=50.0, trigger_objects=10**9).notes["gc"]["collections"]

    assert [collections() for _ in range(5)] == [0, 1, 0, 0, 0]
    assert plugin._state.patience == 2, "what gave nothing back is tried less often"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's malloc_trim")
def test_free_memory_goes_back_to_the_system() -> None:
    if _process_memory._releaser() is None:
        pytest.skip("this C library has no malloc_trim")
    pins: list[bytes] = []

    def work() -> None:
        blocks = [bytes(1000) for _ in range(150_000)]
        pins.extend(blocks[::100])

    kept = run(work, trigger_growth_mb=20.0, release_memory=False).notes["gc"]
    assert kept["trimmed_mb"] == kept["trim_s"] == 0
    plugin._state.base_mb = plugin._state.base_mb and plugin._state.base_mb - 100
    returned = run(lambda: None, trigger_growth_mb=20.0).notes["gc"]
    assert returned["trimmed_mb"] > 80
    assert returned["trim_s"] > 0


@pytest.mark.parametrize("found_enabled", [True, False])
def test_automatic_collection_is_suspended_and_left_as_found(found_enabled: bool) -> None:
    seen: list[bool] = []
    if not found_enabled:
        gc.disable()
    run(lambda: seen.append(gc.isenabled()))
    left = gc.isenabled()
    gc.enable()
    assert seen == [False]
    assert left is found_enabled


@pytest.mark.parametrize("error", [ValueError("engine"), KeyboardInterrupt(), SystemExit(3)])
def test_exceptions_pass_through_and_the_collector_is_restored(error: BaseException) -> None:
    def work() -> None:
        raise error

    with pytest.raises(type(error)) as caught:
        run(work)
    assert caught.value is error
    assert gc.isenabled()
    assert plugin._state.files_open == 0


def test_the_collector_returns_with_the_last_of_several_threads() -> None:
    inside = threading.Barrier(3, timeout=10)
    leave = [threading.Event(), threading.Event()]
    seen: list[bool] = []

    def file(number: int) -> None:
        def work() -> None:
            inside.wait()
            assert leave[number].wait(10)

        run(work, **QUIET)
        seen.append(gc.isenabled())

    threads = [threading.Thread(target=file, args=(number,)) for number in (0, 1)]
    for thread in threads:
        thread.start()
    inside.wait()
    for number in (1, 0):
        leave[number].set()
        threads[number].join(10)
    assert seen == [False, True]


def test_with_other_files_open_the_need_must_be_greater() -> None:
    plugin._open_file()
    try:
        calm = run(lambda: [Cycle() for _ in range(5000)], **{**QUIET, "trigger_objects": 4000})
        need = run(lambda: [Cycle() for _ in range(15000)], **{**QUIET, "trigger_objects": 4000})
    finally:
        plugin._close_file()
    assert calm.notes["gc"]["collections"] == 0
    assert need.notes["gc"]["collections"] == 1


def test_the_parent_is_never_asked_to_retire() -> None:
    kept: list[bytearray] = []

    def work() -> None:
        kept.append(resident(20))

    plugin.optimizer_batch_started()
    results = [run(work, replace_growth_mb=5.0) for _ in range(3)]
    assert not any(result.retire_worker for result in results)


def test_the_parent_is_frozen_for_the_time_of_a_batch() -> None:
    before = gc.get_freeze_count()
    plugin.optimizer_configure(settings=settings(freeze=False))
    assert gc.get_freeze_count() == before
    plugin.optimizer_configure(settings=settings())
    assert gc.get_freeze_count() > before + 1000
    plugin.optimizer_batch_finished()
    assert gc.get_freeze_count() < plugin.FROZEN_BY_SOMEBODY


def test_what_the_user_froze_stays_frozen() -> None:
    gc.freeze()
    frozen = gc.get_freeze_count()
    plugin.optimizer_configure(settings=settings())
    plugin.optimizer_batch_finished()
    assert gc.get_freeze_count() == frozen


def test_a_worker_freezes_its_baseline_unless_asked_not_to() -> None:
    plugin.optimizer_worker_started(settings=settings(freeze=False))
    few = gc.get_freeze_count()
    plugin.optimizer_worker_started(settings=settings())
    assert gc.get_freeze_count() > few + 1000


def test_a_worker_that_was_started_early_does_not_look_through_its_imports_again() -> None:
    gc.freeze()  # as the core does in one that waits for a batch
    assert gc.get_freeze_count() > plugin.FROZEN_BY_SOMEBODY
    later = Cycle()
    left = weakref.ref(later)
    del later
    plugin.optimizer_worker_started(settings=settings())
    assert left() is not None


def test_a_worker_that_was_started_early_is_thawed_where_freezing_is_off() -> None:
    gc.freeze()
    frozen = gc.get_freeze_count()
    plugin.optimizer_worker_started(settings=settings(freeze=False))
    assert gc.get_freeze_count() < frozen - 1000


def test_a_worker_forgets_what_it_inherited_from_its_parent() -> None:
    plugin._open_file()
    plugin.optimizer_worker_started(settings=settings(freeze=False))
    gc.enable()
    assert plugin._state == plugin._ProcessState(is_worker=True, lock=plugin._state.lock)
    run(lambda: None)


def test_a_worker_that_keeps_growing_is_to_be_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory that other tests have freed would hide the growth, so it is counted here."""
    plugin.optimizer_worker_started(settings=settings(freeze=False))
    kept: list[int] = []
    monkeypatch.setattr(_process_memory, "resident_mb", lambda: 100.0 + 20.0 * len(kept))

    def work() -> None:
        kept.append(1)

    results = [run(work, replace_growth_mb=50.0, **QUIET) for _ in range(5)]
    assert [result.retire_worker for result in results] == [False, False, False, True, True]
    assert results[3].notes["gc"]["collections"] == 1, "a last collection may still save it"


def test_a_worker_whose_growth_is_garbage_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    plugin.optimizer_worker_started(settings=settings(freeze=False))
    made: list[weakref.ref[Cycle]] = []

    def resident_mb() -> float:
        return 100.0 + 20.0 * sum(left() is not None for left in made)

    monkeypatch.setattr(_process_memory, "resident_mb", resident_mb)

    def work() -> None:
        made.append(weakref.ref(Cycle()))

    gc.disable()  # Python's own collector may come before
    try:
        results = [run(work, replace_growth_mb=50.0, **QUIET) for _ in range(8)]
    finally:
        gc.enable()
    assert not any(result.retire_worker for result in results)
    assert sum(result.notes["gc"]["collections"] for result in results) >= 1


def test_replacement_can_be_switched_off() -> None:
    plugin.optimizer_worker_started(settings=settings(freeze=False))
    kept: list[bytearray] = []

    def work() -> None:
        kept.append(resident(20))

    results = [run(work, replace_growth_mb=None) for _ in range(4)]
    assert not any(result.retire_worker for result in results)


def test_a_new_batch_in_the_parent_starts_its_account_anew() -> None:
    run(lambda: None)
    assert plugin._state.base_mb is not None
    plugin.optimizer_batch_started()
    assert plugin._state.base_mb is None


def test_a_platform_without_a_release_call_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    _process_memory.forget()
    monkeypatch.setattr(ctypes, "CDLL", lambda _: SimpleNamespace())
    assert _process_memory.release_to_system() is False
    result = run(lambda: [Cycle() for _ in range(5000)], trigger_objects=1000)
    assert result.notes["gc"]["collections"] == 1
    assert result.notes["gc"]["trimmed_mb"] == 0


def test_on_windows_the_c_heap_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    _process_memory.forget()
    asked: list[str] = []
    library = SimpleNamespace(_heapmin=lambda: asked.append("_heapmin"))
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(ctypes, "CDLL", {"ucrtbase": library}.__getitem__)
    assert _process_memory.release_to_system() is True
    assert asked == ["_heapmin"]


def test_no_answer_stays_no_answer() -> None:
    wrapper = plugin.optimizer_process_file(settings=settings())
    next(wrapper)
    with pytest.raises(StopIteration) as ended:
        wrapper.send(None)
    assert ended.value.value is None


def test_options_are_in_order() -> None:
    faults = [o.fault(o.default) for o in plugin.optimizer_options().options]
    assert faults == [None] * len(plugin.OPTIONS)


@pytest.mark.parametrize("module", ["garbage_collection", "thread_allocation", "batch_grouping"])
def test_importing_the_plugin_loads_nothing_heavy(module: str) -> None:
    code = (
        f"import sys, digitalmodel_optimizer_plugins.{module}\n"
        "print(*{'psutil', 'numpy', 'joblib', 'loky', 'pandas', 'OrcFxAPI'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""

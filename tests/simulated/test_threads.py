"""A model belongs to the thread that made it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from simulated_orcaflex import statistics

Writer = Callable[..., Path]


def in_thread(call: Callable[[], object]) -> object:
    """What a call returns, or raises, on a thread of its own."""
    answer: list[object] = []

    def run() -> None:
        try:
            answer.append(call())
        except Exception as error:
            answer.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return answer[0]


def test_every_call_from_another_thread_is_refused(api: Any, write: Writer) -> None:
    model = api.Model(str(write()))
    line = model["Mooring 1"]
    calls: list[Callable[[], object]] = [
        lambda: model.state,
        lambda: model["Mooring 1"],
        lambda: len(model.objects),
        lambda: line.GetData("Name", 0),
        lambda: line.varID("Bend Moment"),
        lambda: line.TimeHistory("Bend Moment", 32003, api.oeEndA),
        lambda: line.RangeGraph("Bend Moment", 32003),
        lambda: model.LoadSimulation("x.sim"),
    ]
    for call in calls:
        before = statistics().affinity_breaches
        error = in_thread(call)
        assert isinstance(error, api.DLLError)
        assert error.status == api.StatusCode.ThreadAffinityError
        assert "thread" in str(error)
        assert statistics().affinity_breaches == before + 1
    assert line.name == "Mooring 1"


def test_a_new_thread_is_another_even_with_an_old_identifier(api: Any, write: Writer) -> None:
    path = str(write())
    models: list[Any] = []
    in_thread(lambda: models.append(api.Model(path)))
    for _ in range(5):
        error = in_thread(lambda: models[0].state)
        assert isinstance(error, api.DLLError)
    models[0].ownsModelHandle = False  # its thread is gone: nobody can destroy it
    leaked = statistics().leaked
    status = api.ctypes.c_int()
    api._DestroyModel(models[0].handle, status)
    assert status.value == 68
    assert statistics().leaked == leaked + 1


def test_destruction_on_another_thread_leaks_until_the_owner_does_it(
    api: Any, write: Writer
) -> None:
    model = api.Model(str(write()))
    handle = model.handle
    before = statistics()

    def destroy() -> int:
        status = api.ctypes.c_int()
        api._DestroyModel(handle, status)
        return int(status.value)

    assert in_thread(destroy) == 68
    during = statistics()
    assert during.leaked == before.leaked + 1
    assert during.alive == before.alive
    del model
    after = statistics()
    assert after.leaked == before.leaked
    assert after.alive == before.alive - 1


def test_a_model_can_be_handed_over(api: Any, write: Writer) -> None:
    model = api.Model(str(write()))
    with pytest.raises(AssertionError):
        assert in_thread(model.AttachToThread) is None
    model.DetachFromThread()
    with pytest.raises(api.DLLError):
        _ = model.state

    def use() -> object:
        model.AttachToThread()
        count = len(model.objects)
        model.DetachFromThread()
        return count

    assert in_thread(use) == 11
    model.AttachToThread()
    assert len(model.objects) == 11


def test_handles_of_destroyed_models_are_refused(api: Any, write: Writer) -> None:
    model = api.Model(str(write()))
    line = model["Mooring 1"]
    del model
    with pytest.raises(api.DLLError) as caught:
        line.varID("Bend Moment")
    assert caught.value.status == api.StatusCode.ObjectHandleError


def test_threads_with_a_model_each_do_not_disturb_each_other(api: Any, write: Writer) -> None:
    path = str(write())

    def use() -> object:
        model = api.Model(path)
        try:
            return float(model["Vessel 1"].TimeHistory("X").sum())
        finally:
            del model

    expected = use()
    results: list[object] = []
    threads = [threading.Thread(target=lambda: results.append(in_thread(use))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [expected] * 6

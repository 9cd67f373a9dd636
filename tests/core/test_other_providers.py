"""The engine's seams on models that are not OrcFxAPI's own classes, and on plugins that fail."""

from __future__ import annotations

import enum
import gc
import threading
from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from digitalmodel_optimizer.file.context import FileContext
from digitalmodel_optimizer.file.keys import UncacheableArgumentError, freeze
from digitalmodel_optimizer.file.native_threads import OrcFxAPIOfThread
from digitalmodel_optimizer.file.proxies import ModelProxy
from digitalmodel_optimizer.file.unit import BatchFiles, Unit
from digitalmodel_optimizer.plugin import FileTask, Request, RequestKind, Settings, SimulationFile

TASK = FileTask(SimulationFile(0, "case.sim", 1), 2)


class Period:
    def __init__(self, begin: float, end: float | None) -> None:
        self.begin, self.end = begin, end


class OtherPeriod(Period):
    pass


class Slotted:
    __slots__ = ("begin",)


def test_plain_objects_are_compared_by_what_they_hold() -> None:
    assert freeze(Period(0.0, 1.0)) == freeze(Period(0.0, 1.0))
    assert freeze(Period(0.0, 1.0)) != freeze(Period(0.0, 2.0))
    assert freeze(Period(0.0, 1.0)) != freeze(OtherPeriod(0.0, 1.0))
    nested = [SimpleNamespace(period=Period(0.0, None), of=Colour.RED) for _ in range(2)]
    assert freeze(nested[0]) == freeze(nested[1])
    nested[1].of = Colour.BLUE
    assert freeze(nested[0]) != freeze(nested[1])


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


@pytest.mark.parametrize(
    "value",
    [Slotted(), type("Half", (Slotted,), {})(), threading.Lock(), Period, lambda: None, {1: 2}],
    ids=["slots", "slots below", "c", "class", "function", "dict"],
)
def test_objects_with_more_than_their_dict_are_not_understood(value: Any) -> None:
    with pytest.raises(UncacheableArgumentError):
        freeze(value)
    with pytest.raises(UncacheableArgumentError):
        freeze(SimpleNamespace(inner=value))


@pytest.mark.parametrize("times", [(0.0, 0.5), [0.0, 0.5]])
def test_sample_times_that_are_no_array_pass_as_they_are(times: Any) -> None:
    model = SimpleNamespace(SampleTimes=lambda _period: times)
    proxy = ModelProxy(model, None, lambda _: None)
    assert [proxy.SampleTimes(None), proxy.SampleTimes(None)] == [times, times]
    assert type(proxy.SampleTimes(None)) is type(times)


class Lowered(Mapping[str, Any]):
    """Names its objects by lower-case keys."""

    def __getitem__(self, name: str) -> Any:
        return SimpleNamespace(name="FST1")

    def __iter__(self) -> Iterator[str]:
        return iter(["fst1"])

    def __len__(self) -> int:
        return 1


def test_a_listing_by_names_that_lacks_an_object_gives_way_to_the_engines() -> None:
    pandas = pytest.importorskip("pandas")
    proxy = ModelProxy(Lowered(), None, lambda _: None)

    def engine_listing(_model: Any) -> Any:
        return {"object_df": pandas.DataFrame({"ObjectName": ["FST1"]})}

    item = proxy["FST1"]
    table = proxy._self_listed(engine_listing)["object_df"]
    assert item.name in list(table["ObjectName"])


def context(hook: Any = None, folder: str = "") -> FileContext:
    return FileContext(TASK, Settings(), hook, folder, None)


def test_a_model_that_knows_nothing_of_native_threads_is_made_without() -> None:
    class Model:
        def __init__(self, filename: str) -> None:
            self.filename = filename

    class Threaded(Model):
        def __init__(self, filename: str, threadCount: int = 8) -> None:  # noqa: N803
            super().__init__(filename)
            self.threadCount = threadCount

    with context() as file:
        for kind, expected in ((Model, None), (Threaded, 2)):
            binding = OrcFxAPIOfThread(SimpleNamespace(Model=kind))
            file.engine_load = lambda binding=binding: binding.Model("case.sim")
            model = file.load_natively(2)
            assert getattr(model, "threadCount", None) == expected


class Ring:
    """A model whose objects hold it."""

    def __init__(self) -> None:
        self.objects = [SimpleNamespace(model=self)]
        self.freed_by = FREED
        self.thread = threading.get_ident()

    def __del__(self) -> None:
        self.freed_by.append(threading.get_ident())


FREED: list[int] = []


class Loads:
    def optimizer_load_model(self, **_: Any) -> Any:
        return Ring()


def test_a_model_in_a_ring_with_its_objects_is_freed_on_its_own_thread_at_once() -> None:
    FREED.clear()
    gc.disable()
    try:
        with context(Loads()) as file:
            file.load(lambda: None)
        assert [threading.get_ident()] == FREED
        assert file.warnings == []
    finally:
        gc.enable()


def test_a_model_that_somebody_holds_is_told_of() -> None:
    held = []
    with context(Loads()) as file:
        held.append(file.load(lambda: None).objects[0])
    assert ["still holds the model" in text for text in file.warnings] == [True]


def test_a_plugin_that_fails_to_read_ahead_leaves_the_reading_to_the_engine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Inside the engine's own ``try`` its error would become an empty column."""

    def run(answer: Any) -> FileContext:
        hooks = SimpleNamespace(optimizer_read_results=answer)
        hooks.optimizer_read_results.get_hookimpls = lambda: [1]
        host: Any = SimpleNamespace()
        files = BatchFiles((), "", b"", "", "")
        unit = Unit(host, hooks, Settings(), files, lambda *_: (), lambda _: "plugin mine")
        with context() as file:
            file.model_dict = {}
            file.cfg = {}
            monkeypatch.setattr("digitalmodel_optimizer.file.unit.plan_requests", plan)
            reader = unit._make_reader(file, ModelProxy(SimpleNamespace(), None, None))
            assert reader is not None
            assert reader.answer("key") is not None
        return file

    def plan(*_: Any) -> list[Any]:
        return [("key", Request(RequestKind.TIME_HISTORY, None, "X", None))]

    def broken(**_: Any) -> Any:
        raise RuntimeError("out of order")

    (told,) = run(broken).warnings
    assert "plugin mine: RuntimeError: out of order" in told
    (told,) = run(lambda **_: [1, 2]).warnings
    assert "2 answers to 1 requests" in told

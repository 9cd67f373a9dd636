"""The plugin under providers of OrcFxAPI that are none of ours: what differs is not answered."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from digitalmodel_optimizer.plugin import Request, RequestKind, Settings
from digitalmodel_optimizer_plugins.result_extraction import optimizer_read_results

STATIC = 7
TIMES = np.linspace(0.0, 1.0, 5)


class Period:
    """A plain object, whose text says nothing."""

    def __init__(self, start: float, end: float) -> None:
        self.start, self.end = start, end

    def __repr__(self) -> str:
        return "Period"


@dataclass
class Thing:
    """An object of a model: what it answers alone, and at static state."""

    alone: Callable[[Any], Any] = TIMES.astype
    static: Callable[[], Any] = lambda: np.float64(3.0)
    asked: list[str] = field(default_factory=list)

    def varID(self, _name: str) -> int:  # noqa: N802 - OrcFxAPI's name
        return 1

    def TimeHistory(self, variable: str, period: Any, _extra: Any) -> Any:  # noqa: N802
        self.asked.append(variable)
        return np.array([3.0]) if period == STATIC else self.alone(np.float64)

    def StaticResult(self, variable: str, _extra: Any) -> Any:  # noqa: N802
        self.asked.append(variable)
        return self.static()


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Reads all columns at once as they are alone in a provider without faults."""
    module: Any = ModuleType("OrcFxAPI")
    module.reads = []

    def read(specifications: list[Any], period: Any) -> Any:
        module.reads.append(len(specifications))
        column = [3.0] if period == STATIC else TIMES
        return np.column_stack([column] * len(specifications))

    module.PeriodNum = type("PeriodNum", (), {"StaticState": STATIC})
    module.TimeHistorySpecification = lambda *parts: parts
    module.GetMultipleTimeHistories = read
    monkeypatch.setitem(sys.modules, "OrcFxAPI", module)
    return module


def read(thing: Any, *periods: Any) -> list[Any]:
    requests = [
        Request(RequestKind.TIME_HISTORY, thing, f"v{place}", period)
        for place, period in enumerate(periods)
    ]
    return optimizer_read_results(requests=requests, settings=Settings())


def test_equal_periods_of_plain_objects_are_read_at_once(provider: Any) -> None:
    answers = read(Thing(), Period(0, 1), Period(0, 1), Period(0, 2), Period(0, 2), STATIC, STATIC)
    assert provider.reads == [2, 2, 2]
    assert all(answer is not None for answer in answers)


def test_periods_of_unclear_meaning_are_not_taken_for_equal(provider: Any) -> None:
    class Opaque:
        __slots__ = ("end",)

        def __repr__(self) -> str:
            return "Opaque"

    read(Thing(), Opaque(), Opaque())
    assert provider.reads == []


def test_a_provider_without_specifications_is_read_column_by_column(provider: Any) -> None:
    del provider.TimeHistorySpecification
    answers = read(Thing(), None, None, None)
    assert provider.reads == []
    assert [answer.tolist() for answer in answers] == [TIMES.tolist()] * 3


def test_a_provider_without_identifiers_of_variables_is_read_at_once(
    provider: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(Thing, "varID")
    assert None not in [type(answer) for answer in read(Thing(), None, None)]
    assert provider.reads == [2]


@pytest.mark.parametrize(
    "alone",
    [
        lambda _: np.nextafter(TIMES, 9.0),
        lambda _: TIMES.astype(np.float32),
        lambda _: TIMES.tolist(),
        lambda _: TIMES[:-1],
        lambda _: np.where(TIMES == 0, -0.0, TIMES),
    ],
    ids=["last digit", "float32", "list", "shorter", "negative zero"],
)
def test_what_differs_from_a_column_read_alone_is_not_answered(
    provider: Any, alone: Callable[[Any], Any]
) -> None:
    assert read(Thing(alone), None, None) == [None, None]
    assert provider.reads == [2]


@pytest.mark.parametrize(
    "static", [lambda: 3.5, lambda: np.float32(3.0), lambda: None, lambda: 1 / 0]
)
def test_static_results_of_another_source_are_not_answered(
    provider: Any, static: Callable[[], Any]
) -> None:
    assert read(Thing(static=static), STATIC, STATIC) == [None, None]


def test_a_single_static_result_is_left_to_the_engine(provider: Any) -> None:
    thing = Thing()
    assert read(thing, STATIC) == [None]
    assert thing.asked == []


def test_missing_values_agree(provider: Any) -> None:
    gaps = np.full(5, np.nan)
    provider.GetMultipleTimeHistories = lambda wanted, _: np.column_stack([gaps] * len(wanted))
    answers = read(Thing(lambda _: gaps.copy()), None, None)
    assert all(np.isnan(answer).all() for answer in answers)

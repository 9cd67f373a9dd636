"""The seams of the host: put in place together, once in a process, and taken away together."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from digitalmodel_optimizer.file.context import FileContext
from digitalmodel_optimizer.file.seams import Seams
from digitalmodel_optimizer.host.layouts import Layout
from digitalmodel_optimizer.host.modules import Host
from digitalmodel_optimizer.plugin import FileTask, Settings, SimulationFile

pandas = pytest.importorskip("pandas")
NOTHING = Layout("test", "", "", "", noted_tables=(), growing_tables=(), global_switches=())


class Utilities:
    def loadSimulation(self, name: str) -> str:  # noqa: N802 - the host's name
        return f"model of {name}"

    def get_model_and_metadata(self, name: str) -> Any:
        return {"model": self.loadSimulation(name)}


class Objects:
    def get_model_objects(self, model: Any) -> Any:
        return model

    def get_orcaflex_objects(self, model_dict: Any, cfg: Any) -> Any:
        return model_dict, cfg


def host(layout: Layout = NOTHING) -> Host:
    opp = ModuleType("opp")
    summary = SimpleNamespace(save_summary=None)
    linked = SimpleNamespace(save_linked_statistics=None)
    return Host(layout, opp, object, Utilities(), summary, linked, Objects)


def state(of: Host) -> list[Any]:
    owners = (of.opp, of.utilities, of.summary, of.linked, Objects, pandas.DataFrame)
    return [dict(vars(owner)) for owner in owners]


class Hooks:
    def __init__(self) -> None:
        self.loads = 0

    def optimizer_load_model(self, **_: Any) -> Any:
        self.loads += 1
        return SimpleNamespace()


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    before = pandas.DataFrame.to_csv
    yield
    assert Seams._in_place is None
    assert pandas.DataFrame.to_csv is before


def load(hooks: Hooks, of: Host) -> None:
    task = FileTask(SimulationFile(0, "a.sim", 0), 0)
    with FileContext(task, Settings(), hooks, "", None):
        of.utilities.get_model_and_metadata("a.sim")


def in_place(of: Host) -> Seams:
    seams = Seams(of)
    seams.put_in_place()
    return seams


def test_a_process_that_serves_several_batches_asks_the_plugins_once_a_file() -> None:
    of = host()
    before = state(of)
    several = [in_place(of) for _ in range(3)]
    hooks = Hooks()
    load(hooks, of)
    assert hooks.loads == 1
    for seams in several:  # the first two have nothing left to undo
        seams.close()
    assert state(of) == before


def test_an_earlier_batchs_seams_do_not_take_away_the_later_ones() -> None:
    of = host()
    earlier, later = in_place(of), in_place(of)
    earlier.close()
    hooks = Hooks()
    load(hooks, of)
    assert hooks.loads == 1
    later.close()


def test_putting_in_place_that_fails_half_way_leaves_nothing_replaced() -> None:
    layout = Layout("test", "", "", "", growing_tables=("no_such_module_of_the_host",))
    of = host(layout)
    before = state(of)
    with pytest.raises(ModuleNotFoundError):
        in_place(of)
    assert state(of) == before
    assert "no_such_module_of_the_host" not in sys.modules
    in_place(host()).close()

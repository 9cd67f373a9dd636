"""How often the model is asked: once for its objects, once per period, once per range graph."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from batches import END_A, column, configuration, series, write
from host_process import HostProcess, Outcome

HISTORIES = [
    column(f"{name}_{variable}_{kind}", name, variable, Statistic_Type=kind)
    for name in ("FST1", "FST2")
    for variable in ("X", "Y", "Rotation 1")
    for kind in ("Max", "Min", "Mean")
]
SAME_PERIOD = [series("x", "FST1", "X"), series("t", "Mooring1", "Effective Tension", **END_A)]
OTHER_PERIOD = [
    column(f"h_{kind}", "Hawser1", "Tension", SimulationPeriod=[2, 9], Statistic_Type=kind)
    for kind in ("Max", "Min")
] + [column("s_strut", "Strut1", "Connection Force", SimulationPeriod=[2, 9])]
STATICS = [
    column("static_1", "Strut1", "Connection Force", "Static Result"),
    column("static_2", "Hawser1", "Tension", "StaticResult"),
]
RANGES = [
    column(f"r_{variable}_{kind}", "Mooring1", variable, "Range Graph", Statistic_Type=kind)
    for variable in ("Bend Moment", "Effective Tension")
    for kind in ("Max", "Min", "Mean")
]
FILES = 3


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    return [write(tmp_path / "sim", f"case_{number}", seed=number) for number in range(FILES)]


def run(host: HostProcess, root: Path, files: list[Path], *columns: Any, **more: Any) -> Outcome:
    parallel = {"use_processes": False, "threads": 1, **more}
    summary = [(f"group_{place}", list(group)) for place, group in enumerate(columns)]
    found = host.run(configuration(root, files, summary, parallel=parallel))
    assert found.error is None, found.output[-2000:]
    return found


def test_the_engine_alone_asks_for_everything_again_and_again(
    plain_host: HostProcess, files: list[Path], tmp_path: Path
) -> None:
    """What the other tests are measured against; also that the counting counts."""
    found = run(plain_host, tmp_path, files, HISTORIES, STATICS)
    assert found.calls("C_EnumerateObjectsW") >= FILES * (len(HISTORIES) + len(STATICS))
    assert found.calls("C_GetTimeHistory2W") >= FILES * len(HISTORIES)


def test_a_models_objects_are_enumerated_once(
    plugin_host: HostProcess, files: list[Path], tmp_path: Path
) -> None:
    found = run(plugin_host, tmp_path, files, HISTORIES, STATICS, RANGES)
    assert found.calls("C_LoadSimulationW") == FILES
    # The wrapper asks twice for one enumeration: how many objects there are, then for them.
    assert found.calls("C_EnumerateObjectsW") <= 2 * FILES


def test_one_read_per_model_and_period_and_one_that_verifies_it(
    plugin_host: HostProcess, files: list[Path], tmp_path: Path
) -> None:
    found = run(plugin_host, tmp_path, files, HISTORIES, OTHER_PERIOD, STATICS)
    periods = 3  # [0, end], [2, 9] and the static state
    assert found.calls("C_GetMultipleTimeHistoriesW") == FILES * periods
    assert found.calls("C_GetTimeHistory2W") == FILES * periods
    found = run(plugin_host, tmp_path, files, HISTORIES, OTHER_PERIOD, STATICS, verify=False)
    assert found.calls("C_GetMultipleTimeHistoriesW") == FILES * periods
    assert found.calls("C_GetTimeHistory2W") == 0


def test_all_columns_of_a_batched_read_are_verified_if_asked_for(
    plugin_host: HostProcess, files: list[Path], tmp_path: Path
) -> None:
    found = run(plugin_host, tmp_path, files, HISTORIES, OTHER_PERIOD, STATICS, verify="all")
    columns = 6 + 2 + 2  # variables over [0, end], over [2, 9], and statically
    assert found.calls("C_GetTimeHistory2W") == FILES * columns


def test_one_range_graph_per_variable_and_range(
    plugin_host: HostProcess, plain_host: HostProcess, files: list[Path], tmp_path: Path
) -> None:
    def range_graphs(outcome: Outcome) -> int:
        return sum(
            count
            for name, count in outcome.statistics["native_calls"].items()
            if name in ("C_GetRangeGraph3W", "C_GetRangeGraph4W")
        )

    alone = range_graphs(run(plain_host, tmp_path, files, RANGES))
    found = range_graphs(run(plugin_host, tmp_path, files, RANGES))
    statistics = 3
    assert (alone, found) == (FILES * len(RANGES), FILES * len(RANGES) // statistics)


def test_time_series_and_summary_share_one_read(
    plugin_host: HostProcess, files: list[Path], tmp_path: Path
) -> None:
    """Their open periods end at the same time in a run that has finished."""
    cfg = configuration(
        tmp_path,
        files,
        [("main", HISTORIES)],
        [("motions", SAME_PERIOD)],
        parallel={"use_processes": False, "threads": 1},
    )
    found = plugin_host.run(cfg)
    assert found.error is None
    assert found.calls("C_GetMultipleTimeHistoriesW") == FILES


def test_one_model_at_a_time_lives_on_a_thread(
    plugin_host: HostProcess, files: list[Path], tmp_path: Path
) -> None:
    found = run(plugin_host, tmp_path, files, HISTORIES)
    assert found.statistics["alive"] == 0
    assert found.calls("C_DestroyModel") == FILES + 1  # the router's licence check makes one


def test_a_model_has_its_native_threads_from_its_first_moment(
    plugin_host: HostProcess, files: list[Path], tmp_path: Path
) -> None:
    """Asked for once it is loaded, and not set then, since it was made with them."""
    plugins = {"thread-allocation": {"native_threads": 1}}
    found = run(plugin_host, tmp_path, files, HISTORIES, plugins=plugins)
    assert found.calls("C_GetModelThreadCount") == FILES
    assert found.calls("C_SetModelThreadCount") == 0

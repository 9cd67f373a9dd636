"""The plugins write what the engine's own loop writes, byte for byte, for batches of every kind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from batches import (
    ALL_STATISTICS,
    END_A,
    backend,
    column,
    configuration,
    every_summary,
    every_time_series,
    series,
    write,
)
from host_process import HostProcess, Outcome, csv_files, first_difference, hashes

Same = Callable[..., Outcome]


@pytest.fixture
def same(plain_host: HostProcess, plugin_host: HostProcess) -> Same:
    """Runs a configuration on both hosts and holds that nothing differs but the speed."""

    def check(cfg: dict[str, Any], **variables: Any) -> Outcome:
        inputs = [Path(name) for name in cfg["file_management"]["input_files"]["sim"]]
        before = hashes(inputs)
        expected = plain_host.run(cfg, **variables)
        found = plugin_host.run(cfg, **variables)
        assert expected.error is None, expected.output[-3000:]
        assert found.error is None, found.output[-3000:]
        assert expected.files, "the engine wrote nothing, so nothing was compared"
        assert first_difference(expected.files, found.files) is None
        assert found.statistics["alive"] == 0
        assert found.statistics["affinity_breaches"] == 0
        assert hashes(inputs) == before
        assert not [name for name in found.threads if name.startswith("optimizer-")]
        assert set(found.environment) <= {"KMP_INIT_AT_FORK"}  # joblib sets it on import
        return found

    return check


@pytest.fixture(scope="module")
def sims(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Files that differ in all that the engine looks at; by name."""
    folder = tmp_path_factory.mktemp("sims")
    sea = {"wave_hs_m": 3.25, "active_current": "Current 1yr"}
    return {
        "a": write(folder, "case_a", seed=1),
        "b": write(folder, "case_b", seed=2, sea=sea),
        "c": write(folder, "case_c", seed=3, size_mb=0.5),
        "short": write(folder, "case_short", seed=4, stop_time_s=12.0),
        "long": write(folder, "case_long", seed=5, stop_time_s=30.0, size_mb=0.3),
        "unfinished": write(folder, "case_unfinished", seed=6, current_time_s=11.0),
        "unfinished_2": write(folder, "case_unfinished_2", seed=7, current_time_s=14.5),
    }


def test_every_kind_of_column_on_files_of_different_sizes(
    same: Same, sims: dict[str, Path], tmp_path: Path
) -> None:
    files = [sims[name] for name in ("c", "a", "b")]  # not sorted: rows keep this order
    found = same(configuration(tmp_path, files, every_summary(), every_time_series()))
    rows = found.files["batch_statics.csv"].decode().splitlines()
    assert [row.split(",")[1] for row in rows[1:]] == ["case_c", "case_a", "case_b"]


@pytest.mark.parametrize("name", ["serial", "threading", "loky", "hybrid"])
def test_every_backend_gives_the_same_bytes(
    same: Same, sims: dict[str, Path], tmp_path: Path, name: str
) -> None:
    files = [sims[key] for key in ("short", "b", "long", "a", "c")]
    found = same(
        configuration(tmp_path, files, every_summary(), every_time_series(), parallel=backend(name))
    )
    assert f"{name}:" in found.output


@pytest.mark.parametrize("order", [("short", "a", "long"), ("long", "short", "a")])
def test_an_open_period_keeps_the_first_files_stop_time_as_the_engine_has_it(
    same: Same, sims: dict[str, Path], tmp_path: Path, order: tuple[str, ...]
) -> None:
    files = [sims[name] for name in order]
    cfg = configuration(
        tmp_path, files, time_series=every_time_series(), parallel=backend("threading")
    )
    found = same(cfg)
    said = " ".join(found.output.split())
    assert "motions / x" in said
    assert "stop time of the first file" in said


def test_runs_that_did_not_finish(same: Same, sims: dict[str, Path], tmp_path: Path) -> None:
    files = [sims[name] for name in ("unfinished", "a", "unfinished_2")]
    summary = [
        ("open", [column("x", "FST1", "X"), column("t", "Hawser1", "Tension")]),
        ("static", [column("s", "Strut1", "Connection Force", "Static Result")]),
    ]
    closed = [series("x", "FST1", "X", SimulationPeriod=[0, 9])]
    groups = [("closed", closed), ("open", [series("y", "FST1", "Y")])]
    same(configuration(tmp_path, files, summary, groups))


def test_data_items_that_are_texts_and_whole_numbers(same: Same, tmp_path: Path) -> None:
    names = ("Kind", "Count", "Flag")
    files = [
        write(tmp_path, f"case_{number}", sea={"data": dict(zip(names, values, strict=True))})
        for number, values in enumerate(
            [(("JONSWAP",), (3,), ("Yes",)), (("Airy",), (4,), ("No",)), (("5th",), (2.5,), ("1",))]
        )
    ]
    data = [column(name.lower(), "Environment", [name, 0], "GetData") for name in names]
    numbers = [column("x", "FST1", "X"), *data]
    for chosen in (files, files[:1], files[::-1]):
        groups = [("texts", data), ("both", numbers)]
        same(configuration(tmp_path, chosen, groups))


def test_none_beside_numbers_in_a_summary_column(
    same: Same, tmp_path: Path, sims: dict[str, Path]
) -> None:
    """A result that only some files have: the engine folds None and numbers, row by row."""
    from simulated_orcaflex import ObjectDescription, VariableDescription

    rare = ObjectDescription("Rare", "Link", (VariableDescription("Rare", "kN", 5.0, 1.0),))
    plain = ObjectDescription("Rare", "Link")
    have = [
        write(tmp_path, f"case_{number}", seed=number, objects=(*_other_objects(), item))
        for number, item in enumerate((plain, rare, rare, plain, plain, rare, plain))
    ]
    summary = [
        (
            "mixed",
            [
                column("rare", "Rare", "Rare"),
                column("rare_static", "Rare", "Rare", "Static Result"),
                column("never", "Rare", "Never"),
                column("always", "FST1", "X"),
            ],
        )
    ]
    for files in (have, have[1:], have[:1], have[::-1]):
        same(configuration(tmp_path, files, summary, statistics=ALL_STATISTICS))


def _other_objects() -> tuple[Any, ...]:
    from batches import simulation

    return simulation().objects


@pytest.mark.parametrize("decimals", [0, 3, 12])
@pytest.mark.parametrize("statistics", [True, False])
def test_decimals_and_basic_statistics(
    same: Same, sims: dict[str, Path], tmp_path: Path, decimals: int, statistics: bool
) -> None:
    cfg = configuration(
        tmp_path,
        [sims["b"], sims["a"]],
        every_summary(),
        every_time_series()[:1],
        **({"statistics": ALL_STATISTICS} if statistics else {}),
    )
    for part in ("summary", "time_series"):
        cfg["orcaflex"]["postprocess"][part]["csv_decimal"] = decimals
    same(cfg)


@pytest.mark.parametrize("decimals", [6, 12])
def test_signals_near_zero(same: Same, tmp_path: Path, decimals: int) -> None:
    """Python spells numbers below 1e-4 with an exponent; a table of these is full of them."""
    from simulated_orcaflex import ObjectDescription, VariableDescription

    near_zero = tuple(
        VariableDescription(f"Slip {number}", "m", wave_frequency_std=10.0**-number)
        for number in (2, 3, 4, 5)
    )
    link = ObjectDescription("Slipping", "Link", near_zero)
    files = [
        write(tmp_path, f"case_{seed}", seed=seed, objects=(*_other_objects(), link))
        for seed in (1, 2)
    ]
    names = [item.name for item in near_zero]
    summary = [
        (
            "extremes",
            [
                column(f"{name} {kind}", "Slipping", name, Statistic_Type=kind)
                for name in names
                for kind in ("Min", "Max", "Mean")
            ],
        )
    ]
    groups = [("slips", [series(name, "Slipping", name) for name in names])]
    cfg = configuration(tmp_path, files, summary, groups, statistics=ALL_STATISTICS)
    for part in ("summary", "time_series"):
        cfg["orcaflex"]["postprocess"][part]["csv_decimal"] = decimals
    found = same(cfg)
    assert b"e-05" in found.files["case_1_slips.csv"]


def test_switches_of_histograms_raos_and_range_graphs_reach_nothing(
    same: Same, sims: dict[str, Path], tmp_path: Path
) -> None:
    """The engine's loop reads none of them: docs/explanation/hot-paths.md rests on this."""
    cfg = configuration(tmp_path, [sims["b"], sims["a"]], every_summary(), every_time_series())
    before = csv_files(same(cfg).files)
    for name in ("RAOs", "RangeGraph", "cummulative_histograms"):
        cfg["orcaflex"]["postprocess"][name] = {"flag": True}
    cfg["time_series_settings"] |= {"histogram": True, "summation": True}
    assert csv_files(same(cfg).files) == before


def test_one_file(same: Same, sims: dict[str, Path], tmp_path: Path) -> None:
    same(configuration(tmp_path, [sims["a"]], every_summary(), every_time_series()))


def test_no_file_at_all(same: Same, tmp_path: Path) -> None:
    same(configuration(tmp_path, [], every_summary(), every_time_series()))


def test_more_files_than_the_engine_folds_quickly(
    same: Same, sims: dict[str, Path], tmp_path: Path
) -> None:
    """The same file under many names, so that runs of equal tables are joined beforehand."""
    content = sims["a"].read_bytes(), sims["unfinished"].read_bytes()
    files = []
    for number in range(24):
        files.append(tmp_path / f"case_{number}.sim")
        files[-1].write_bytes(content[number % 7 == 3])
    summary = [("open", [column("x", "FST1", "X"), column("gone", "FST1", "Gone")])]
    same(configuration(tmp_path, files, summary, statistics=ALL_STATISTICS))


def test_files_of_one_name_in_two_folders_overwrite_each_other_in_the_engines_order(
    same: Same, tmp_path: Path
) -> None:
    files = [
        write(tmp_path / folder, "case", seed=number, size_mb=size)
        for number, (folder, size) in enumerate((("x", 1.0), ("y", 0.1), ("z", 0.4)))
    ]
    for order in (files, files[::-1]):
        same(
            configuration(
                tmp_path, order, every_summary(), every_time_series(), parallel=backend("threading")
            )
        )


def test_groups_of_one_label_overwrite_each_other(
    same: Same, sims: dict[str, Path], tmp_path: Path
) -> None:
    summary = [("twice", [column("x", "FST1", "X")]), ("twice", [column("y", "FST1", "Y")])]
    motions = [("twice_ts", [series("x", "FST1", "X")]), ("twice_ts", [series("y", "FST1", "Y")])]
    same(configuration(tmp_path, [sims["b"], sims["a"]], summary, motions))


def test_summaries_without_time_series_and_time_series_without_summaries(
    same: Same, sims: dict[str, Path], tmp_path: Path
) -> None:
    files = [sims["b"], sims["a"]]
    same(configuration(tmp_path, files, summary=every_summary()))
    same(configuration(tmp_path, files, time_series=every_time_series()))


def test_time_series_switched_on_without_data(
    same: Same, sims: dict[str, Path], tmp_path: Path
) -> None:
    cfg = configuration(tmp_path, [sims["a"]], every_summary(), every_time_series())
    cfg["time_series_settings"]["data"] = False
    same(cfg)


def test_master_settings_are_merged_into_the_groups(
    same: Same, sims: dict[str, Path], tmp_path: Path
) -> None:
    bare = [{"Label": label, "ObjectName": name} for label, name in (("a", "FST1"), ("b", "FST2"))]
    master = {
        "Variable": "X",
        "Command": "TimeHistory",
        "Statistic_Type": "Min",
        "SimulationPeriod": [0, None],
    }
    cfg = configuration(tmp_path, [sims["short"], sims["a"]], [("s", bare)], [("t", bare)])
    for section in ("summary_settings", "time_series_settings"):
        cfg[f"{section}_master"] = {"groups": [{"Columns": [dict(master)]}]}
    same(cfg)


def test_a_column_shared_by_two_groups(same: Same, sims: dict[str, Path], tmp_path: Path) -> None:
    """YAML anchors give one object in two places; the engine changes both at once."""
    shared = series("x", "FST1", "X")
    both = [("one", [shared]), ("two", [shared, series("y", "FST1", "Y")])]
    same(configuration(tmp_path, [sims["short"], sims["a"]], time_series=both))


def test_the_same_result_asked_many_times(
    same: Same, sims: dict[str, Path], tmp_path: Path
) -> None:
    columns = [
        column(f"{kind}_{number}", "Mooring1", "Effective Tension", Statistic_Type=kind, **END_A)
        for number in range(3)
        for kind in ("Max", "Min", "Mean")
    ]
    again = [series(f"s{number}", "Mooring1", "Effective Tension", **END_A) for number in range(2)]
    small_blocks = {**backend("serial"), "read_block_mb": 1}
    files = [sims["b"], sims["a"]]
    same(configuration(tmp_path, files, [("many", columns)], [("s", again)], parallel=small_blocks))


PLUGINS = (
    "thread-allocation",
    "gc",
    "io-buffering",
    "batch-grouping",
    "hybrid-executor",
    "result-extraction",
)


@pytest.mark.parametrize("plugin", PLUGINS)
@pytest.mark.parametrize("alone", [True, False])
def test_each_plugin_alone_and_each_plugin_left_out(
    same: Same, sims: dict[str, Path], tmp_path: Path, plugin: str, alone: bool
) -> None:
    files = [sims[name] for name in ("c", "short", "a")]
    switches = {name: (name == plugin) is alone for name in PLUGINS}
    parallel = {"threads": 2, "use_processes": False, "plugins": switches}
    same(configuration(tmp_path, files, every_summary(), every_time_series(), parallel=parallel))


def test_without_any_plugin_the_core_runs_alone(
    same: Same, sims: dict[str, Path], tmp_path: Path
) -> None:
    files = [sims[name] for name in ("c", "short", "a")]
    parallel = {"plugins": dict.fromkeys(PLUGINS, False)}
    same(configuration(tmp_path, files, every_summary(), every_time_series(), parallel=parallel))

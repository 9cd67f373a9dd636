"""Configurations and suites are found by name, and a slip gets the nearest right name."""

from __future__ import annotations

import pytest

from digitalmodel_optimizer.bench.configurations import (
    FOUNDING,
    GROUPS,
    KNOWN,
    Runner,
    chosen,
)
from digitalmodel_optimizer.bench.suites import SUITES, chosen_suites
from digitalmodel_optimizer.config.settings import read_settings
from digitalmodel_optimizer.plugin import OptimizerError
from digitalmodel_optimizer.plugin.manager import BUILT_IN, build_manager, installed_plugins


def test_the_founding_list_is_there_by_name() -> None:
    names = ["baseline_30", "small_files_45", "large_files_15", "dynamic_auto", "hybrid_model"]
    assert [item.name for item in FOUNDING] == names


def test_every_plugin_is_measured_alone_and_left_out() -> None:
    for plugin in BUILT_IN:
        assert f"only_{plugin}" in GROUPS["worth"]
        assert f"without_{plugin}" in GROUPS["worth"]


@pytest.mark.parametrize("group", GROUPS)
def test_groups_name_what_there_is(group: str) -> None:
    assert chosen(group)


@pytest.mark.parametrize("name", [n for n, c in KNOWN.items() if c.runner is Runner.PLUGINS])
def test_settings_of_a_configuration_are_valid(name: str) -> None:
    manager = build_manager([item for item in installed_plugins() if item.name in BUILT_IN])
    cfg = {"orcaflex": {"parallel": {"enabled": True, **KNOWN[name].parallel}}}
    settings = read_settings(cfg, manager.options())
    manager.hook.optimizer_configure(settings=settings)


def test_numbers_in_names_are_taken() -> None:
    workers, joblib = chosen("workers_7,plain_joblib_30")
    assert (workers.workers, workers.probe) == (7, True)
    assert (joblib.workers, joblib.runner) == (30, Runner.JOBLIB)


def test_a_batch_whose_results_are_kept_may_have_any_number_of_files_to_read_again() -> None:
    (some, none) = chosen("kept_7,kept_0")
    assert (some.again, none.again) == (7, 0)
    assert some.parallel["cache"] is True
    assert [item.name for item in chosen("kept")][-2:] == ["kept_0", "kept_20"]


def test_a_name_that_comes_twice_runs_once() -> None:
    assert [item.name for item in chosen("full,dynamic_auto, engine")] == ["dynamic_auto", "engine"]


@pytest.mark.parametrize("text", ["dynamic_autp", "workers_0", "nonsense", "", " , "])
def test_an_unknown_configuration_is_refused(text: str) -> None:
    with pytest.raises(OptimizerError, match=r"dynamic_auto|no configuration"):
        chosen(text)


def test_size_bounds_leave_configurations_out() -> None:
    small, large = chosen("small_files_45,large_files_15")
    assert small.applies_to([3.0, 99.0])
    assert not small.applies_to([3.0, 100.0])
    assert large.applies_to([500.0])
    assert not large.applies_to([499.0, 900.0])


@pytest.mark.parametrize("suite", SUITES, ids=lambda suite: suite.name)
def test_files_of_a_suite_hold_what_they_must(suite: object, tmp_path: object) -> None:
    """A description is checked when it is written: the smallest file, at a small scale."""
    from simulated_orcaflex import write_simulation

    (small,) = chosen_suites(suite.name, 1, 0.1)
    name, description = next(iter(small.simulations()))
    write_simulation(tmp_path / name, description)
    assert (tmp_path / name).stat().st_size == round(small.sizes_mb[0] * 1e6)


def test_fewer_files_keep_the_largest() -> None:
    (suite,) = chosen_suites("mixed", 5)
    assert len(suite.sizes_mb) == 5
    assert (min(suite.sizes_mb), max(suite.sizes_mb)) == (4.0, 400.0)


def test_suites_are_what_the_names_say() -> None:
    by_name = {suite.name: suite for suite in SUITES}
    assert len(by_name["small"].sizes_mb) >= 200
    assert min(by_name["large"].sizes_mb) >= 500
    assert max(by_name["mixed"].sizes_mb) == 100 * min(by_name["mixed"].sizes_mb)
    wide = by_name["wide"].configuration("sim")
    columns = sum(
        len(group["Columns"])
        for part in ("summary_settings", "time_series_settings")
        for group in wide[part]["groups"]
    )
    assert columns >= 2000
    _, objects = next(iter(by_name["objects"].simulations()))
    assert len(objects.objects) >= 2000


def test_an_unknown_suite_is_refused() -> None:
    with pytest.raises(OptimizerError, match="did you mean small"):
        chosen_suites("smal")

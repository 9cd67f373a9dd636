"""batch-grouping: every file in one group, start order, and the bounds as a setting."""

from __future__ import annotations

import heapq
import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as settings_of_hypothesis
from hypothesis import strategies as st
from plugin_settings import settings_of

from digitalmodel_optimizer.plugin import Settings, SettingsError, SimulationFile
from digitalmodel_optimizer_plugins import batch_grouping
from digitalmodel_optimizer_plugins.size_classes import (
    WORKERS_BY_SIZE,
    class_index,
    class_label,
    parse_bounds,
    parse_table,
    table_text,
)


def settings(**options: Any) -> Settings:
    return settings_of(batch_grouping, **options)


def files_of(*sizes_mb: float) -> list[SimulationFile]:
    return [
        SimulationFile(index, f"case_{index}.sim", int(size * 1_000_000))
        for index, size in enumerate(sizes_mb)
    ]


def grouped(files: list[SimulationFile], **options: Any) -> dict[str, list[int]]:
    groups = batch_grouping.optimizer_group_files(files=files, settings=settings(**options))
    return {group.label: [file.index for file in group.files] for group in groups}


def test_size_classes_start_longest_first_with_ties_in_engine_order() -> None:
    assert grouped(files_of(5, 1500, 99.9, 100, 5, 999, 1000, 0)) == {
        "from 1000 MB": [1, 6],
        "500-1000 MB": [5],
        "100-500 MB": [3],
        "under 100 MB": [2, 0, 4, 7],
    }


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("longest_first", {"100-500 MB": [1, 3], "under 100 MB": [2, 0]}),
        ("shortest_first", {"under 100 MB": [0, 2], "100-500 MB": [3, 1]}),
        ("engine", {"under 100 MB": [0, 2], "100-500 MB": [1, 3]}),
    ],
)
def test_start_orders(order: str, expected: dict[str, list[int]]) -> None:
    groups = grouped(files_of(5, 300, 50, 200), order=order)
    assert list(groups.items()) == list(expected.items())


def test_missing_and_empty_files_start_last_or_first() -> None:
    assert grouped(files_of(0, 5, 0)) == {"under 100 MB": [1, 0, 2]}
    assert grouped(files_of(0, 5, 0), order="shortest_first") == {"under 100 MB": [0, 2, 1]}


def test_bounds_are_a_setting() -> None:
    assert grouped(files_of(5, 15), size_bounds_mb="10") == {"from 10 MB": [1], "under 10 MB": [0]}
    assert grouped(files_of(5, 15), size_bounds_mb="") == {"any size": [1, 0]}
    assert grouped([]) == {}


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("100;500", "takes sizes in MB"),
        ("100,", "takes sizes in MB"),
        ("500,100", "takes rising sizes"),
        ("100,100", "takes rising sizes"),
        ("0,100", "takes sizes above 0 MB"),
        ("nan", "takes sizes above 0 MB"),
        ("100,inf", "takes sizes above 0 MB"),
    ],
)
def test_faulty_bounds_are_refused_before_any_file_is_opened(text: str, fault: str) -> None:
    with pytest.raises(SettingsError, match=fault) as caught:
        batch_grouping.optimizer_configure(settings=settings(size_bounds_mb=text))
    assert "orcaflex.parallel.plugins.batch-grouping.size_bounds_mb" in str(caught.value)


def test_default_options_are_in_order() -> None:
    batch_grouping.optimizer_configure(settings=settings())
    plugin = batch_grouping.optimizer_options()
    assert [option.fault(option.default) for option in plugin.options] == [None, None]


def test_the_table_and_its_text_are_one() -> None:
    assert parse_table(table_text()) == WORKERS_BY_SIZE
    assert parse_table("7") == ((float("inf"), 7),)


@pytest.mark.parametrize(
    "text", ["", "100:25", "a:1,2", "100:0,3", "500:1,100:2,3", "1:2:3,4", ":1,2"]
)
def test_faulty_tables_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="takes"):
        parse_table(text)


sizes = st.lists(st.one_of(st.just(0.0), st.floats(0, 4000)), max_size=60)
some_bounds = st.lists(st.integers(1, 4000), max_size=5, unique=True).map(
    lambda bounds: ",".join(map(str, sorted(bounds)))
)


@given(sizes, some_bounds, st.sampled_from(["longest_first", "engine", "shortest_first"]))
def test_every_file_is_in_exactly_one_group_of_its_class(
    sizes_mb: list[float], bounds: str, order: str
) -> None:
    files = files_of(*sizes_mb)
    options = settings(size_bounds_mb=bounds, order=order)
    groups = batch_grouping.optimizer_group_files(files=files, settings=options)
    members = [file for group in groups for file in group.files]
    assert sorted(members, key=lambda file: file.index) == files
    assert all(group.files for group in groups)
    assert len({group.label for group in groups}) == len(groups)
    limits = parse_bounds(bounds)
    for group in groups:
        labels = {class_label(class_index(file.size_mb, limits), limits) for file in group.files}
        assert labels == {group.label}


@given(sizes)
def test_starts_never_grow_again_across_groups(sizes_mb: list[float]) -> None:
    files = files_of(*sizes_mb)
    groups = batch_grouping.optimizer_group_files(files=files, settings=settings())
    starts = [(-file.size_bytes, file.index) for group in groups for file in group.files]
    assert starts == sorted(starts)


@settings_of_hypothesis(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 4000), min_size=1, max_size=6), st.integers(1, 3))
def test_the_last_file_leaves_no_worker_idle_for_long(sizes_mb: list[int], workers: int) -> None:
    """Graham's bound: longest first takes at most 4/3 - 1/(3 workers) of the best schedule."""
    groups = batch_grouping.optimizer_group_files(files=files_of(*sizes_mb), settings=settings())
    busy_until = [0.0] * workers
    for group in groups:
        for file in group.files:
            heapq.heapreplace(busy_until, busy_until[0] + file.size_mb)
    best = min(
        max(
            sum(size for size, place in zip(sizes_mb, places, strict=True) if place == worker)
            for worker in range(workers)
        )
        for places in itertools.product(range(workers), repeat=len(sizes_mb))
    )
    assert max(busy_until) <= (4 / 3 - 1 / (3 * workers)) * best + 1e-6

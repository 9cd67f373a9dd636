"""What a batch has waited for most is said, with the numbers; nothing where nothing stands out."""

from __future__ import annotations

from dataclasses import replace

import pytest
from facts import make_batch_report, timings

from digitalmodel_optimizer.plugin import BatchReport
from digitalmodel_optimizer.report.bottleneck import bottleneck_of


def with_timings(report: BatchReport, **changes: float) -> BatchReport:
    results = tuple(
        replace(
            item,
            timings=replace(
                item.timings,
                **{name: share * item.timings.total_s for name, share in changes.items()},
            ),
        )
        for item in report.results
    )
    return replace(report, results=results)


def test_busy_cores_are_the_processor() -> None:
    found = bottleneck_of(make_batch_report(workers=4))
    assert found.kind == "cpu"
    assert "4.0 of 4 cores busy" in found.sentence


def test_loading_that_does_not_compute_is_the_disk() -> None:
    report = with_timings(make_batch_report(40, busy=0.6), load_s=0.8, load_cpu_s=0.1)
    found = bottleneck_of(report)
    assert found.kind == "disk"
    assert "70% of the workers' time" in found.sentence
    assert "MB/s" in found.sentence


@pytest.mark.parametrize("limit", ["memory", "licences", "ceiling"])
def test_idle_cores_are_laid_to_what_limits_the_workers(limit: str) -> None:
    found = bottleneck_of(make_batch_report(40, workers=1, limited_by=limit))
    assert found.kind == limit
    assert "1 at a time, with 1.0 of 4 cores busy" in found.sentence


def test_waiting_for_a_licence() -> None:
    report = make_batch_report(busy=0.5)
    found = bottleneck_of(replace(report, licence_wait_s=0.6 * report.elapsed_s))
    assert found.kind == "licences"


def test_one_long_file_at_the_end() -> None:
    found = bottleneck_of(make_batch_report(12, slow={11: 30.0}, busy=1.2))
    assert found.kind == "one_file"
    assert "lc_0011" in found.sentence


def test_a_long_file_that_ran_beside_others_is_none() -> None:
    assert bottleneck_of(make_batch_report(60, slow={0: 12.0}, busy=2.0)).kind != "one_file"


def test_the_hosts_start_where_it_is_the_larger_part() -> None:
    report = make_batch_report(busy=0.5)
    found = bottleneck_of(replace(report, command_s=4 * report.elapsed_s))
    assert found.kind == "start"


def test_nothing_is_said_where_nothing_stands_out() -> None:
    assert bottleneck_of(make_batch_report(40, busy=1.5)) == ("none", "", 0.0)


def test_files_of_an_earlier_run_say_nothing_of_this_one() -> None:
    report = make_batch_report(4, busy=0.1)
    results = tuple(replace(item, timings=type(timings(0, 0))()) for item in report.results)
    assert bottleneck_of(replace(report, results=results, samples=())).kind == "none"

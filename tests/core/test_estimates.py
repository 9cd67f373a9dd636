"""What is left of a batch: by what this run has cost, and not by what an earlier one has done."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digitalmodel_optimizer.plugin import Measured, Progress, SimulationFile
from digitalmodel_optimizer.plugin.estimates import predict_s, remaining_s, share_done
from digitalmodel_optimizer.report.status import sentence


def progress(**known: Any) -> Progress:
    shape: dict[str, Any] = {
        "files_total": 100,
        "files_done": 0,
        "files_failed": 0,
        "size_total_mb": 1000.0,
        "size_done_mb": 0.0,
        "elapsed_s": 10.0,
        "running": (),
        "upcoming": (),
        "workers_limit": 1,
        "memory_available_mb": 1e6,
    }
    return Progress(**{**shape, **known})


def files(*sizes_mb: float) -> list[SimulationFile]:
    return [SimulationFile(n, f"{n}.sim", int(size * 1e6)) for n, size in enumerate(sizes_mb)]


def test_a_file_costs_half_by_its_number_and_half_by_its_size() -> None:
    measured = Measured(files=2, seconds=10.0, size_mb=100.0)
    assert predict_s(measured, files(50)) == 5.0
    assert predict_s(measured, files(150)) == 10.0
    assert predict_s(measured, files(0, 0)) == 5.0
    assert predict_s(measured, []) == 0.0


def test_without_sizes_files_count_by_their_number_and_without_files_nothing_is_known() -> None:
    assert predict_s(Measured(files=2, seconds=10.0), files(50, 50, 50)) == 15.0
    assert predict_s(Measured(), files(50)) == 0.0
    assert share_done(progress(files_done=25, size_total_mb=0.0)) == 0.25
    assert share_done(progress(files_total=0, size_total_mb=0.0)) == 1.0


def test_the_share_done_is_half_by_number_and_half_by_size() -> None:
    assert share_done(progress(files_done=20, size_done_mb=800.0)) == 0.5


def test_what_is_left_takes_as_long_as_what_is_done_has_taken() -> None:
    assert remaining_s(progress(files_done=25, size_done_mb=250.0)) == 30.0
    assert remaining_s(progress(files_done=100, size_done_mb=1000.0)) == 0.0


@pytest.mark.parametrize(
    "known",
    [{}, {"files_done": 1, "size_done_mb": 10.0, "elapsed_s": 0.0}],
    ids=["no file", "no time"],
)
def test_nothing_is_estimated_before_there_is_a_rate(known: dict[str, Any]) -> None:
    assert remaining_s(progress(**known)) is None


RESUMED = {"files_resumed": 80, "size_resumed_mb": 800.0}


def test_files_of_an_earlier_run_are_done_but_no_work_of_this_one() -> None:
    """80 were there; in 10 s this run has done 10 of the other 20."""
    now = progress(files_done=90, size_done_mb=900.0, **RESUMED)
    assert share_done(now) == 0.9
    assert remaining_s(now) == pytest.approx(10.0)
    assert sentence(now).startswith("90/100 files, 1 files/s, 10 MB/s, 10 s left")


def test_before_this_runs_first_file_neither_rate_nor_time_is_told() -> None:
    now = progress(files_done=80, size_done_mb=800.0, **RESUMED)
    assert remaining_s(now) is None
    assert sentence(now) == "80/100 files"


@given(st.integers(0, 50), st.integers(1, 50), st.floats(0.01, 1e4), st.floats(0.0, 1e4, width=32))
def test_taken_over_or_not_the_same_work_takes_the_same_time(
    resumed: int, done: int, elapsed_s: float, size_mb: float
) -> None:
    """50 files in this run, ``done`` of them done; those taken over change nothing."""

    def left_s(before: int) -> float | None:
        return remaining_s(
            progress(
                files_total=before + 50,
                files_done=before + done,
                files_resumed=before,
                size_total_mb=size_mb * (before + 50),
                size_done_mb=size_mb * (before + done),
                size_resumed_mb=size_mb * before,
                elapsed_s=elapsed_s,
            )
        )

    assert left_s(resumed) == pytest.approx(left_s(0), rel=1e-6, abs=1e-6)

"""The lines of the live view at any size, what keys do, and the real thing on a terminal."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from digitalmodel_optimizer.plugin import Progress, SimulationFile
from digitalmodel_optimizer.plugin.estimates import remaining_range_s, remaining_s
from digitalmodel_optimizer.report.controls import BY_KEY, Controls
from digitalmodel_optimizer.report.live_lines import View, live_lines

FILES = tuple(SimulationFile(n, f"sim/lc_{n:04d}_a_rather_long_name.sim", 6_700_000)
              for n in range(10_000))  # fmt: skip


def progress(running: int = 2, total: int = 100, done: int = 40) -> Progress:
    return Progress(
        files_total=total,
        files_done=done,
        files_failed=1,
        size_total_mb=6.7 * total,
        size_done_mb=6.7 * done,
        elapsed_s=20.0,
        running=FILES[done : done + running],
        upcoming=(),
        workers_limit=max(1, running),
        memory_available_mb=12_000.0,
        files_waiting=total - done - running,
        finished_s=tuple(0.5 * n + 0.1 * (n % 3) for n in range(done)),
        running_s={n: 1.0 + n - done for n in range(done, done + running)},
        stages=dict.fromkeys(range(done, done + running), "read"),
        memory_mb=812.0,
        memory_budget_mb=9_000.0,
        decision="workers 1 -> 2: the first file took 0.4 s",
    )


def lines(view: View, width: int = 80, height: int = 24, **options: object) -> list[str]:
    made: Any = {"width": width, "height": height, "file": io.StringIO(), **options}
    console = Console(**made)
    console.print(live_lines(view, width, height))
    return [line.rstrip() for line in console.file.getvalue().splitlines()]  # type: ignore[attr-defined]


MISSING = "lc_0003: missing: there is no file"
VIEW = View(progress(), failures=(MISSING,), host_line="20:01 | DEBUG |", keys=True)


def test_it_tells_all_that_was_asked_for() -> None:
    text = "\n".join(lines(VIEW, 120))
    for said in (
        "40/100 files  1 failed  2 files/s, 13 MB/s",
        "20.0 s so far, 30 s left (",
        "2 of at most 2 running, 58 waiting; memory 812 MB, 12 GB free, 9 GB for files",
        "failed  lc_0003: missing: there is no file",
        "decided workers 1 -> 2",
        "host    20:01 | DEBUG |",
        "p pause   + more   - fewer   s stop after the running files",
    ):
        assert said in text
    longest, shorter = (line for line in text.splitlines() if "a_rather_long_name" in line)
    assert longest.split() == ["lc_0041_a_rather_long_name", "6.7", "MB", "read", "2.00", "s"]
    assert shorter.split()[-2:] == ["1.00", "s"]


@pytest.mark.parametrize("width", [40, 60, 80, 200])
@pytest.mark.parametrize("running", [0, 1, 64])
def test_it_fits_on_any_terminal_and_words_stay(width: int, running: int) -> None:
    shown = lines(replace(VIEW, progress=progress(running)), width, 20)
    assert len(shown) <= 20
    assert max(map(len, shown)) <= width
    assert any("40/100 files" in line for line in shown)
    assert any("20.0 s so far" in line for line in shown)


def test_at_60_columns_the_bar_shrinks_and_no_word_is_lost() -> None:
    (first,) = (line for line in lines(VIEW, 60) if "files " in line and "failed " in line)
    assert first.endswith("40/100 files  1 failed  2 files/s, 13 MB/s")
    assert 6 <= first.count("━") + first.count("╸") + first.count("╺") < 20


def test_many_files_are_folded() -> None:
    shown = lines(replace(VIEW, progress=progress(64, total=10_000)), 100, 24)
    named = [line for line in shown if "a_rather_long_name" in line]
    assert len(named) == 11
    assert "and 53 more" in shown


def test_without_colour_there_is_none() -> None:
    assert "\x1b" not in "".join(lines(VIEW, color_system=None))


def test_a_windows_code_page_can_show_it() -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="cp850", errors="replace")
    console = Console(file=stream, width=80, legacy_windows=False, force_terminal=False)
    console.print(live_lines(VIEW, 80, 24))
    stream.flush()
    assert b"40/100 files" in stream.buffer.getvalue()  # type: ignore[attr-defined]


def test_it_grows_older_between_two_events() -> None:
    text = "\n".join(lines(replace(VIEW, since_told_s=5.0), 120))
    assert "25.0 s so far, 25 s left" in text
    assert "7.00 s" in text


def test_time_left_is_told_with_its_doubt() -> None:
    steady = replace(progress(), finished_s=tuple(0.5 * n for n in range(40)))
    expected = remaining_s(steady)
    assert remaining_range_s(steady) == (expected, expected)
    low, high = remaining_range_s(progress()) or (0, 0)
    assert expected is not None
    assert 0 < low < expected < high
    few = replace(progress(), finished_s=(1.0, 2.0))
    assert remaining_range_s(few) is None


# -- keys --------------------------------------------------------------------------------------


def test_without_a_key_nothing_is_asked_for() -> None:
    controls = Controls()
    assert controls.adjustment(progress()) is None
    controls.press("x")
    assert controls.adjustment(progress()) is None
    assert controls.words == ""


def test_more_and_fewer_start_from_the_limit_in_force_and_stay() -> None:
    controls = Controls()
    controls.adjustment(progress(running=3))
    controls.press("+")
    for _ in range(2):
        found = controls.adjustment(progress(running=3))
        assert found is not None
        assert (found.workers, found.reason, found.starting) == (4, BY_KEY, True)
    for _ in range(9):
        controls.press("-")
    found = controls.adjustment(progress(running=3))
    assert found is not None
    assert found.workers == 1
    assert controls.words == "at most 1 at a time"


def test_a_pause_holds_until_the_key_comes_again() -> None:
    controls = Controls()
    controls.press("p")
    found = controls.adjustment(progress())
    assert found is not None
    assert not found.starting
    assert controls.words == "no more files start"
    controls.press("p")
    found = controls.adjustment(progress())
    assert found is not None
    assert found.starting
    assert controls.adjustment(progress()) is None


def test_stop_is_told() -> None:
    controls = Controls()
    controls.press("s")
    found = controls.adjustment(progress())
    assert found is not None
    assert found.stop
    assert controls.words == "stopping after the running files"

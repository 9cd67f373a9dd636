"""A regression planted on purpose is caught; noise, another machine and a faster run are none."""

from __future__ import annotations

from dataclasses import replace

from made_results import COUNTS, MACHINE, result

from digitalmodel_optimizer.bench.comparing import compare_results

STEADY = {"engine": [3.0, 2.0, 2.02], "dynamic_auto": [0.5, 0.40, 0.41], "floor": [0.1, 0.1, 0.1]}


def bad(before, after) -> list[str]:
    return [item.words for item in compare_results(before, after) if item.bad]


def test_equal_runs_pass() -> None:
    assert bad(result(STEADY), result(STEADY)) == []


def test_a_planted_slowdown_is_caught_and_named() -> None:
    slower = {**STEADY, "dynamic_auto": [0.5, 0.60, 0.61]}
    found = [item for item in compare_results(result(STEADY), result(slower)) if item.bad]
    assert [(item.suite, item.configuration) for item in found] == [("guard", "dynamic_auto")]
    assert "1.49 x the baseline" in found[0].words


def test_a_slowdown_within_the_noise_is_not() -> None:
    noisy = {**STEADY, "dynamic_auto": [0.5, 0.35, 0.60]}
    assert bad(result(noisy), result(noisy)) == []
    assert bad(result(STEADY), result({**STEADY, "dynamic_auto": [0.5, 0.40, 0.55]})) == []


def test_a_slower_machine_is_no_slowdown() -> None:
    twice = {name: [2 * value for value in values] for name, values in STEADY.items()}
    other = {**MACHINE, "processor": "b"}
    assert bad(result(STEADY), result(twice, machine=other)) == []


def test_without_a_floor_another_machine_is_not_compared() -> None:
    times = {"engine": STEADY["engine"]}
    slower = {"engine": [9.0, 9.0, 9.0]}
    other = {**MACHINE, "processor": "b"}
    assert bad(result(times), result(slower, machine=other)) == []
    assert len(bad(result(times), result(slower))) == 1


def test_one_native_call_more_is_caught_on_any_machine() -> None:
    more = replace(COUNTS, native_calls={"C_LoadSimulationW": 5})
    other = {**MACHINE, "processor": "b"}
    after = result(STEADY, {"dynamic_auto": more}, machine=other, versions={"python": "3.12.1"})
    (words,) = bad(result(STEADY), after)
    assert "C_LoadSimulationW 4 -> 5" in words
    assert "python 3.11.7 -> 3.12.1" in words


def test_fewer_calls_differ_too() -> None:
    """Counts are equal or they are not; who improves them writes a new baseline."""
    fewer = replace(COUNTS, native_calls={})
    found = compare_results(result(STEADY), result(STEADY, {"engine": fewer}))
    (fell,) = [item for item in found if item.bad]
    assert "4 -> 0" in fell.words
    assert not fell.worse


def test_bytes_and_opened_files_are_compared() -> None:
    after = result(STEADY, {"engine": replace(COUNTS, output_bytes=1001, tables_opened=9)})
    (words,) = bad(result(STEADY), after)
    assert "output bytes 1000 -> 1001" in words
    assert "tables opened 8 -> 9" in words


def test_another_batch_or_nothing_in_common_is_no_pass() -> None:
    assert "another batch" in bad(result(STEADY), result(STEADY, files=3))[0]
    assert "nothing was compared" in bad(result({"engine": [1]}), result({"floor": [1]}))[0]


def test_too_few_rounds_are_said_and_not_judged() -> None:
    once = {"engine": [1.0], "floor": [0.1]}
    found = compare_results(result(once), result({"engine": [9.0], "floor": [0.1]}))
    assert not any(item.bad for item in found)


def test_what_only_the_baseline_has_is_said() -> None:
    now = result({"engine": STEADY["engine"]})
    words = [item.words for item in compare_results(result(STEADY), now)]
    assert words.count("in the baseline, not measured now") == 2
    assert bad(result(STEADY), now) == []

"""Costs are read off the moments of runs: made-up ones here, whose answer is known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from digitalmodel_optimizer.bench.json_form import write_json
from digitalmodel_optimizer.bench.machine_model import Costs, ModelMachine
from digitalmodel_optimizer.bench.planned_plugins import simulate_fixed
from digitalmodel_optimizer.bench.scaling import Measured, read_measured, runs_alone
from digitalmodel_optimizer.bench.scaling_costs import LARGE, SMALL, Run, Span, Trace, fit_costs
from digitalmodel_optimizer.bench.scaling_runs import RUNS, Checked, ScalingRuns, check
from digitalmodel_optimizer.plugin import OptimizerError

SIZES = {SMALL: 7.0, LARGE: 140.0}
TRUE = Costs(
    start_s=1.5,
    ready_s=0.1,
    spawn_s=0.05,
    file_s=0.03,
    mb_s=0.0005,
    grow_s=0.002,
    turn_s=0.005,
    batch_s=0.3,
    merge_s=0.001,
    contention=0.2,
    memory_factor=1.0,
)


def lone(batch: str, files: int, *, late: bool, workers: int = 1) -> Trace:
    """A run on a machine whose costs are TRUE; a second worker only makes files slower."""
    size_mb, slower = SIZES[batch], 1.0 + (TRUE.contention if workers == 2 else 0.0)
    now_s = TRUE.spawn_s + TRUE.start_s if late else TRUE.ready_s
    spans = []
    for n in range(files):
        took_s = TRUE.seconds(size_mb, 0.0 if n == 0 else size_mb) * slower
        spans.append(Span(size_mb, 1, now_s, now_s + took_s, took_s, size_mb))
        now_s += took_s + TRUE.turn_s
    loop_s = spans[-1].ended_s + TRUE.batch_s + TRUE.merge_s * files
    parent_cpu_s = TRUE.turn_s * files + (TRUE.spawn_s * (workers - 1) + 0.06 if late else 0.0)
    return Trace(batch, workers, late, 0 if late else 1, loop_s, parent_cpu_s, 0.0, tuple(spans))


TRACES = [
    lone(SMALL, 80, late=False),
    lone(SMALL, 80, late=True),
    lone(LARGE, 10, late=False),
    lone(SMALL, 80, late=False, workers=2),
    lone(LARGE, 10, late=False, workers=2),
    lone(SMALL, 80, late=True, workers=4),
]


def test_every_cost_is_found_again() -> None:
    found = fit_costs(TRACES)
    for name, value in vars(TRUE).items():
        assert getattr(found, name) == pytest.approx(value, rel=1e-6), name


def test_a_disturbed_round_among_three_changes_nothing() -> None:
    disturbed = [
        replace(trace, loop_s=9 * trace.loop_s, parent_cpu_s=9 * trace.parent_cpu_s)
        for trace in TRACES
    ]
    assert fit_costs([*TRACES, *TRACES, *disturbed]) == fit_costs(TRACES)


def test_moments_become_seconds_since_the_files_were_handed_out() -> None:
    files = [
        {
            "size_mb": 7.0,
            "worker": 11,
            "began_at_s": began_s,
            "ended_at_s": began_s + 0.5,
            "cpu_s": 0.4,
            "memory_growth_mb": 7.0,
        }
        for began_s in (103.0, 102.0)
    ]
    noted = {"executing_at_s": 100.0, "ready_workers": 2, "parent_cpu_s": 0.1, "files": files}
    trace = Trace.of(Run(SMALL, 1), 5.0, 0.1, noted)
    assert [span.began_s for span in trace.files] == [2.0, 3.0]
    assert trace.ready == 1, "no more early workers than workers"
    assert trace.rest_s == pytest.approx(1.5)


def test_the_model_is_put_beside_every_kind_of_run() -> None:
    traces = [
        replace(TRACES[0], batch=run.batch, workers=run.workers, late=run.late) for run in RUNS
    ]
    found = list(check(traces, TRUE, 2))
    assert [(item.batch, item.workers) for item in found] == [(r.batch, r.workers) for r in RUNS]
    own = simulate_fixed([7.0] * 80, 1, ModelMachine(2, 20_000.0), TRUE, ready=1).elapsed_s
    assert found[0].model_s == own == pytest.approx(TRACES[0].loop_s, rel=0.01)
    assert found[0].within == (own == TRACES[0].loop_s)


def test_a_run_that_others_disturb_is_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = object.__new__(ScalingRuns)
    busy = iter([0.9, 0.1, 0.0])
    monkeypatch.setattr(runs, "_trace", lambda *_: replace(TRACES[0], others=next(busy)))
    assert runs._undisturbed(RUNS[0], "round 1").others == 0.1
    busy = iter([0.5, 0.9, 0.0])
    assert runs._undisturbed(RUNS[0], "round 1").others == 0.5, "the less disturbed of two"


def test_runs_are_read_again_for_another_plan(tmp_path: Path) -> None:
    path = tmp_path / "scaling.json"
    machine = {"logical_cpus": 2}
    traces = tuple(
        replace(TRACES[0], batch=run.batch, workers=run.workers, late=run.late) for run in RUNS
    )
    measured = Measured("bench scaling", machine, {}, 1, 400.0, traces)
    write_json(runs_alone(measured), path)
    again = read_measured(path, "bench scaling --runs scaling.json")
    assert again == replace(measured, command="bench scaling\nbench scaling --runs scaling.json")
    write_json(runs_alone(replace(measured, traces=traces[:-1])), path)
    with pytest.raises(OptimizerError, match="it has no run of small, workers_4_late"):
        read_measured(path, "")
    path.write_text("{}")
    with pytest.raises(OptimizerError, match="is no result of this version"):
        read_measured(path, "")
    with pytest.raises(OptimizerError, match="cannot be read: No such file"):
        read_measured(tmp_path / "none.json", "")


def test_an_error_is_against_the_median() -> None:
    checked = Checked(SMALL, 1, 1, (1.0, 2.0, 4.0), 3.0)
    assert checked.error == pytest.approx(0.5)
    assert checked.within

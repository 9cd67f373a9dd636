"""What local memory would save at best: the model, and the command that prints it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digitalmodel_optimizer.plugin.topology import Node, Topology, one_node
from digitalmodel_optimizer_plugins.affinity import __main__ as command
from digitalmodel_optimizer_plugins.affinity.gain import (
    factor_of,
    remote_share,
    saved,
    share_of,
    slowdown,
)

PARTS = st.floats(0, 1)
TWO = Topology(
    (Node(0, ((0,), (1,)), 1000.0), Node(1, ((2,),), 1000.0)),
    {(0, 0): 10, (0, 1): 20, (1, 0): 32, (1, 1): 10},
)


def record(load_s: float, read_s: float, outcome: str = "done") -> dict[str, Any]:
    return {
        "outcome": outcome,
        "total_s": 20.0,
        "cpu_s": 10.0,
        "load_cpu_s": load_s,
        "read_cpu_s": read_s,
    }


def test_the_share_is_cpu_time_of_loading_and_reading() -> None:
    found = share_of([record(1.0, 2.0), record(3.0, 0.0), record(9.0, 9.0, "timed out")])
    assert found is not None
    assert (found.load, found.read, found.busy, found.files) == (0.2, 0.1, 0.5, 2)
    assert found.total == pytest.approx(0.3)
    assert share_of([record(1.0, 1.0, "earlier")]) is None


def test_two_nodes_by_hand() -> None:
    # Half of the accesses take 2.1 times as long: 0.4 of the time takes 0.4 * 1.55 = 0.62.
    assert slowdown(0.4, 0.5, 2.1) == pytest.approx(1.22)
    assert saved(0.4, 0.5, 2.1) == pytest.approx(0.22 / 1.22)


@given(PARTS, st.integers(1, 64), st.floats(1, 25))
def test_no_more_is_saved_than_the_remote_part_costs(
    share: float, nodes: int, factor: float
) -> None:
    remote = remote_share(nodes)
    best = saved(share, remote, factor)
    assert 0 <= best < 1
    assert best <= share * remote * (factor - 1) + 1e-12
    if nodes == 1 or share == 0 or factor == 1:
        assert best == 0
    assert saved(share, remote_share(nodes + 1), factor) >= best


def test_distances_count_by_cpus() -> None:
    assert factor_of(TWO) == pytest.approx((2 * 2.0 + 1 * 3.2) / 3)
    assert factor_of(one_node(range(4))) is None


def test_the_command_prints_a_line_for_each_number_of_nodes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    report = tmp_path / "report.json"
    report.write_text(json.dumps({"records": [record(1.0, 3.0)]}))
    monkeypatch.setattr(command, "detect_topology", lambda: TWO)
    assert command.main([str(report)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("at most 40% of a file's CPU time (loading 10%, reading results 30%)")
    assert lines[1].startswith("1 file has used a CPU for 50% of the time")
    rows = [line.split() for line in lines[4:8]]
    assert [row[0] for row in rows] == ["1", "2", "4", "8"]
    assert rows[1] == ["2", "50%", "18.0%"]
    assert lines[8].startswith("this machine: 2 nodes")
    assert lines[9].endswith("2.4 times as slow here; saved at best: 21.9%")


@pytest.mark.parametrize("content", [None, "{}", "no JSON", '{"records": []}'])
def test_what_is_no_report_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str | None
) -> None:
    report = tmp_path / "report.json"
    if content is not None:
        report.write_text(content)
    assert command.main([str(report)]) == 2
    assert "not the report of a run" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["--share", "2"], ["--share", "0.4", "--distance", "5"], []])
def test_values_that_mean_nothing_are_refused(words: list[str]) -> None:
    with pytest.raises(SystemExit):
        command.main(words)

"""``tuning`` after runs of the real host's command: equal bytes, one observation per run, words."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import command
import planning_ahead
import pytest
from batches import backend, column, series, write

Call = Callable[..., "subprocess.CompletedProcess[str]"]
STORE = "DIGITALMODEL_OPTIMIZER_TUNING"


@pytest.fixture
def batch(tmp_path: Path) -> Path:
    for number in range(14):
        write(tmp_path / "sim", f"lc_{number:02}", seed=number)
    learning = {"tuning": {"enabled": True, "learn_from_s": 0.0, "explore_from_s": 0.0}}
    cfg = command.user_configuration(
        tmp_path,
        [("main", [column("x", "FST1", "X")])],
        [("motions", [series("x", "FST1", "X")])],
        parallel={"enabled": True, "plugins": {**backend("loky")["plugins"], **learning}},
    )
    return command.prepare(tmp_path, cfg)


@pytest.fixture
def call(tmp_path: Path) -> Call:
    def run(*words: str, store: str = "") -> subprocess.CompletedProcess[str]:
        variables = {STORE: store or str(tmp_path / "kept" / "tuning.journal")}
        return planning_ahead.call(tmp_path, *words, variables={**variables, "COLUMNS": "120"})

    return run


def results(root: Path) -> dict[str, bytes]:
    """Each table's bytes; the host writes the moment of the run into no table."""
    return {path.name: path.read_bytes() for path in sorted((root / "results").rglob("*.csv"))}


def test_results_stay_equal_and_each_run_adds_one_observation(
    batch: Path, call: Call, tmp_path: Path
) -> None:
    plain = command.run(batch, variables={"DIGITALMODEL_OPTIMIZER": "off"})
    assert plain.returncode == 0, plain.stderr
    expected = results(tmp_path)
    assert len(expected) >= 15
    variables = {STORE: str(tmp_path / "kept" / "tuning.journal")}
    for number in range(1, 3):
        done = command.run(batch, variables=variables)
        assert done.returncode == 0, done.stderr
        assert "learned:" in done.stderr
        assert results(tmp_path) == expected
        assert call("tuning", "export", "runs.json").returncode == 0
        runs = json.loads((tmp_path / "runs.json").read_text("utf-8"))["observations"]
        assert len(runs) == number
    assert runs[0]["plan"]["files"] == 14
    assert runs[0]["place"]["batch"] == str(batch)

    said = call("tuning", "explain", "dm_fsts.yml").stdout
    for words in ("observed", "curve", "chosen now", "compared with", "margin", "trials"):
        assert f"  {words}: " in said

    assert "frozen" in call("tuning", "freeze").stdout
    command.run(batch, variables=variables)
    assert "2 runs" in call("tuning", "explain").stdout.splitlines()[0]
    assert "thawed" in call("tuning", "thaw").stdout
    assert "2 runs forgotten" in call("tuning", "reset").stdout
    assert "2 runs added" in call("tuning", "import", "runs.json").stdout


def test_what_cannot_be_done_is_one_line(call: Call, tmp_path: Path) -> None:
    off = call("tuning", "explain", store="off")
    assert (off.returncode, off.stderr.count("\n")) == (2, 1)
    assert "switched off" in off.stderr
    missing = call("tuning", "import", "nothing.json")
    assert missing.returncode == 2
    assert "nothing.json cannot be read" in missing.stderr
    assert "no run is known" in call("tuning", "explain").stdout

"""The counters see what the stand-in counts itself, in every process, and survive a kill."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from digitalmodel_optimizer.bench.counters import counting_environment, read_counts
from simulated_orcaflex import typical_simulation, write_simulation

READ = """
import os, sys, OrcFxAPI
model = OrcFxAPI.Model(sys.argv[1])
model["Hawser 1"].TimeHistory("Tension")
del model
import simulated_orcaflex
open(sys.argv[2], "w").write(repr(simulated_orcaflex.statistics().native_calls))
open(sys.argv[3], "w").write("a,b")
open(sys.argv[3]).read()
os.kill(os.getpid(), 9) if "kill" in sys.argv else None
"""


def run(tmp_path: Path, *words: str, **variables: str) -> tuple[dict[str, int], object]:
    sim, work, counted = (tmp_path / name for name in ("sim", f"a{os.pathsep}b", "counts"))
    for folder in (sim, work, counted):
        folder.mkdir()
    write_simulation(sim / "a.sim", typical_simulation())
    (work / "results").mkdir()
    script, own = work / "read.py", work / "own.txt"
    script.write_text(READ)
    base = {**os.environ, "SIMULATED_ORCAFLEX": "1", **variables}
    environment = {**base, **counting_environment(base, counted, [tmp_path, sim], work)}
    table = work / "results" / "t.csv"
    subprocess.run(
        [sys.executable, script, sim / "a.sim", own, table, *words],
        env=environment,
        check="kill" not in words,
        capture_output=True,
        timeout=60,
    )
    import ast

    calls = ast.literal_eval(own.read_text())
    del calls["C_GetDLLVersionW"]  # asked once more by each process's import
    return calls, read_counts(counted, work / "results", [sim])


def test_native_calls_are_those_that_the_stand_in_counts(tmp_path: Path) -> None:
    own, counts = run(tmp_path)
    assert counts.native_calls == own
    assert counts.native_calls["C_LoadSimulationW"] == 1


def test_simulations_and_tables_are_counted_and_nothing_else(tmp_path: Path) -> None:
    _, counts = run(tmp_path)
    assert counts.simulations_opened >= 1
    assert counts.tables_opened == 1  # reading it does not count
    assert (counts.output_files, counts.output_bytes) == (1, 3)


def test_counts_of_a_killed_process_are_kept(tmp_path: Path) -> None:
    if os.name == "nt":
        return
    own, counts = run(tmp_path, "kill")
    assert counts.native_calls == own


def test_another_sitecustomize_is_not_lost(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "sitecustomize.py").write_text("import os; os.environ['OTHER_CAME_TOO'] = '1'")
    base = {**os.environ, "PYTHONPATH": str(other)}
    environment = {**base, **counting_environment(base, tmp_path, [tmp_path], tmp_path)}
    said = subprocess.run(
        [sys.executable, "-c", "import os; print(os.environ['OTHER_CAME_TOO'])"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert said.stdout.strip() == "1"


def test_paths_and_start_time_do_not_count_as_bytes(tmp_path: Path) -> None:
    sizes = []
    for place in ("a", "a-much-longer-name"):
        results = tmp_path / place / "results"
        results.mkdir(parents=True)
        inputs = tmp_path / place / "sim"
        (results / "t.csv").write_text(f"{inputs}/case.sim,1\n")
        when = "2026-01-01 10:00:00" + ("" if place == "a" else ".123456")
        (results / "c.yml").write_text(f"A:\n  start_time: {when}\n  folder: {results}\n")
        sizes.append(read_counts(tmp_path, results, [inputs]).output_bytes)
    assert sizes[0] == sizes[1]

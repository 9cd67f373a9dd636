"""Under a native library that is not ours: equal bytes, no foreign thread, no model left alive."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import command
import pytest
from batches import END_A, backend, column, series
from host_process import Files, csv_files, first_difference, read_tree

PROVIDER = Path(__file__).with_name("other_provider")
OBJECTS = [["FST1", 5], ["FST2", 5], ["Mooring1", 6], ["Hawser1", 10]]
SUMMARY = [
    (
        "main",
        [
            column("x_max", "FST1", "X"),
            column("x_min", "FST1", "X", Statistic_Type="Min"),
            column("y", "FST2", "Y", SimulationPeriod=[1, 8], Position=[1, 2, 3]),
            column("t", "Mooring1", "Effective Tension", **END_A),
            column("static", "Mooring1", "Bend Moment", "StaticResult", **END_A),
            column("whole", "Hawser1", "Tension", SimulationPeriod="WholeSimulation"),
            column("unknown", "Hawser1", "No Such Result"),
            column("range_max", "Mooring1", "Bend Moment", "Range Graph"),
            column("range_min", "Mooring1", "Bend Moment", "Range Graph", Statistic_Type="Min"),
        ],
    )
]
SERIES = [("motions", [series("x", "FST1", "X"), series("y", "FST2", "Y")])]
FILES = 6


@dataclass(frozen=True)
class Use:
    """What the library's log says of one run, over all of its processes."""

    made: int
    alive: int
    breaches: int
    processes: int
    threads_most: int


def read_use(folder: Path) -> Use:
    events = sorted(
        (json.loads(line) for path in folder.glob("*") for line in path.read_text().splitlines()),
        key=lambda event: event["at"],
    )
    working: dict[str, int] = {}
    most = 0
    counts = dict.fromkeys(("created", "destroyed", "breach"), 0)
    for event in events:
        counts[event["event"]] = counts.get(event["event"], 0) + 1
        if event["event"] == "read":  # loaded, its thread count set, now asked for results
            working[event["model"]] = event["threads"]
            most = max(most, sum(working.values()))
        elif event["event"] == "destroyed":
            working.pop(event["model"], None)
    return Use(
        made=counts["created"],
        alive=counts["created"] - counts["destroyed"],
        breaches=counts["breach"],
        processes=len(list(folder.glob("*"))),
        threads_most=most,
    )


Run = Callable[..., tuple[Files, Use, str]]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Runs the command on the library: its tables, the use of the library, what was said."""
    root = tmp_path_factory.mktemp("other")
    (root / "sim").mkdir()
    for number in range(FILES):
        content = {
            "kind": "other provider",
            "start": -5.0,
            "stop": 20.0 + number % 2,
            "step": 0.5,
            "seed": number,
            "objects": OBJECTS,
        }
        (root / "sim" / f"case_{number}.sim").write_text(json.dumps(content))
    known: dict[str, tuple[Files, Use, str]] = {}

    def start(parallel: dict[str, Any] | None, *, status: int = 0, **variables: str) -> Any:
        key = json.dumps([parallel, status, variables])
        if key in known:
            return known[key]
        log = root / f"log-{len(known)}"
        log.mkdir(exist_ok=True)
        cfg = command.user_configuration(root, SUMMARY, SERIES)
        cfg["orcaflex"]["parallel"] = {"enabled": parallel is not None, **(parallel or {})}
        config = command.prepare(root, cfg)
        done = command.run(
            config,
            variables={
                "SIMULATED_ORCAFLEX": "0",
                "PYTHONPATH": os.pathsep.join(
                    filter(None, [str(PROVIDER), os.environ.get("PYTHONPATH")])
                ),
                "OTHER_PROVIDER_LOG": str(log),
                **variables,
            },
        )
        assert done.returncode == status, done.stderr[-3000:]
        files = csv_files(read_tree(root / "results"))
        for name in files:
            (root / "results" / name).unlink()
        known[key] = (files, read_use(log), done.stdout + done.stderr)
        return known[key]

    return start


def test_the_library_is_not_our_stand_in() -> None:
    for path in PROVIDER.glob("*.py"):
        assert "simulated" not in path.read_text()


@pytest.mark.parametrize("name", ["serial", "threading", "loky"])
def test_equal_bytes_no_breach_nothing_alive_and_threads_within_the_cores(
    run: Run, name: str
) -> None:
    expected, plain_use, _ = run(None)
    assert len(expected) == FILES + 1
    assert plain_use.breaches == 0
    found, use, said = run(backend(name))
    assert f"{name}:" in said
    assert first_difference(expected, found) is None
    assert use.breaches == 0
    assert use.alive == 0
    # What starts beside the first file starts from a guess, and is done again if that was wrong.
    again = FILES - 1 if name != "serial" else 0
    assert plain_use.made <= use.made <= plain_use.made + again
    assert use.threads_most <= (os.cpu_count() or 1)
    # A file goes to the worker that is free first: the later of two may come too late for any.
    assert use.processes in ((2, 3) if name == "loky" else (1,))


def test_a_library_without_multiple_time_histories(run: Run) -> None:
    """An older one: each column is then read in the engine's way."""
    without = {"OTHER_PROVIDER_WITHOUT": "C_GetMultipleTimeHistoriesW"}
    expected, _, _ = run(None)
    found, use, _ = run(backend("threading"), **without)
    assert first_difference(expected, found) is None
    assert (use.alive, use.breaches) == (0, 0)


LIES = {"OTHER_PROVIDER_LIES": "0.25"}


def test_one_column_is_compared_by_default_and_the_others_are_believed(run: Run) -> None:
    """What the two tests below are for."""
    expected, _, _ = run(None)
    found, _, _ = run(backend("loky"), **LIES)
    assert first_difference(expected, found) is not None


def test_all_columns_of_a_batched_read_are_compared(run: Run) -> None:
    expected, _, _ = run(None)
    found, use, said = run({**backend("loky"), "verify": "all"}, **LIES)
    assert first_difference(expected, found) is None
    told = re.search(
        r"\w+, [\w ]+: read alone and read with other columns it differs \((\S+) and (\S+) at ",
        " ".join(said.split()),
    )
    assert told is not None, said[-3000:]
    assert float(told[2]) - float(told[1]) == pytest.approx(0.25)
    assert (use.alive, use.breaches) == (0, 0)


@pytest.mark.parametrize("name", ["loky", "threading"])
def test_a_sample_that_differs_from_the_hosts_own_loop_stops_the_batch(run: Run, name: str) -> None:
    found, _, said = run({**backend(name), "verify": "sample"}, status=2, **LIES)
    (line,) = [line for line in said.splitlines() if "verify: sample: " in line][-1:]
    assert "main.csv" not in {name.partition("_")[2] for name in found}, "a summary was saved"
    values = re.search(
        r"(\w+\.csv), row (\S+), column \w+: the host's own loop has (\S+), "
        r"the plugins have (\S+)\.",
        line,
    )
    assert values is not None, line
    assert "case_" in values[1] + values[2]
    assert float(values[4]) - float(values[3]) == pytest.approx(0.25)


def test_a_sample_that_is_equal_is_told_and_leaves_nothing_behind(run: Run) -> None:
    expected, _, _ = run(None)
    found, use, said = run({**backend("loky"), "verify": "sample", "verify_files": 2})
    assert first_difference(expected, found) is None
    assert "verify: sample: 2 files (case_" in said
    assert (use.alive, use.breaches) == (0, 0)


def test_checks_do_without_what_a_library_lacks(run: Run) -> None:
    """This one cannot say which version made a file."""
    expected, _, _ = run(None)
    plugins = {"plugins": {"checks": {"enabled": True, "limits": {"x_max": {"max": 1e9}}}}}
    found, use, said = run(plugins)
    table = found.pop("dm_fsts.checks.csv").decode()
    assert first_difference(expected, found) is None
    assert table.count(",limit,pass,x_max,") == FILES
    assert "limits: all 6 load cases pass" in " ".join(said.split())
    assert (use.alive, use.breaches) == (0, 0)

"""Outputs that cannot be written where they belong: nothing is lost, nothing is half-written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from batches import ALL_STATISTICS, END_A, backend, column, configuration, series, write
from host_process import HostProcess, Outcome, csv_files, first_difference, hashes, without_inputs

SUMMARY = [
    ("main", [column("x", "FST1", "X"), column("t", "Mooring1", "Effective Tension", **END_A)])
]
SERIES = [("motions", [series("x", "FST1", "X"), series("y", "FST2", "Y")])]


@pytest.fixture
def sims(tmp_path: Path) -> list[Path]:
    return [write(tmp_path / "sim", f"case_{number}", seed=number) for number in range(5)]


def test_a_results_folder_that_cannot_be_written_to_stops_the_run_before_any_model(
    plugin_host: HostProcess, sims: list[Path], tmp_path: Path
) -> None:
    """Root may write anywhere, so a file stands where the folder should be."""
    cfg = configuration(tmp_path / "run", sims, SUMMARY, SERIES)
    blocked = tmp_path / "blocked"
    blocked.write_text("a file")
    cfg["Analysis"]["result_folder"] = str(blocked / "results")
    cfg_before = dict(cfg["Analysis"])
    found = plugin_host.run_again(cfg)
    assert found.error is not None
    assert found.error.startswith("OutputError: ")
    assert "cannot be written to" in found.error
    assert found.calls("C_LoadSimulationW") == 0
    assert cfg["Analysis"] == cfg_before


def test_an_output_that_would_overwrite_an_input_is_refused(
    plugin_host: HostProcess, tmp_path: Path
) -> None:
    """Only by way of a link can a CSV be a .sim: the group's file is one."""
    sim = write(tmp_path / "sim", "case")
    cfg = configuration(tmp_path / "run", [sim], SUMMARY, SERIES)
    results = Path(cfg["Analysis"]["result_folder"])
    results.mkdir(parents=True)
    (results / "case_motions.csv").symlink_to(sim)
    before = hashes([sim])
    found = plugin_host.run_again(cfg)
    assert found.error is not None
    assert found.error.startswith("OutputError: ")
    assert "would overwrite an input" in found.error
    assert hashes([sim]) == before


def blocked_run(
    plugin_host: HostProcess, cfg: dict[str, Any], name: str
) -> tuple[Outcome, Outcome, Path]:
    """A run in which ``name`` cannot be replaced, and another one when it can."""
    blocked = Path(cfg["Analysis"]["result_folder"], name)
    blocked.unlink(missing_ok=True)
    blocked.mkdir(parents=True)
    first = plugin_host.run_again(cfg)
    assert blocked.is_dir()
    blocked.rmdir()
    return first, plugin_host.run_again(cfg), blocked


def test_a_table_that_cannot_be_moved_into_place_costs_its_file(
    plain_host: HostProcess, plugin_host: HostProcess, sims: list[Path], tmp_path: Path
) -> None:
    parallel = {"use_processes": False}
    others = [path for path in sims if path != sims[2]]
    without = configuration(tmp_path / "run", others, SUMMARY, SERIES, parallel=parallel)
    expected = plain_host.run(without).files
    cfg = configuration(tmp_path / "run", sims, SUMMARY, SERIES, parallel=parallel)
    whole = plain_host.run(cfg).files
    first, again, blocked = blocked_run(plugin_host, cfg, "case_2_motions.csv")
    assert first.error is not None
    assert first.error.startswith("FilesFailedError: 1 of 5 files failed")
    assert f"{blocked} cannot be replaced" in first.error
    assert first_difference(without_inputs(expected), without_inputs(first.files)) is None
    assert again.error is None
    assert first_difference(whole, again.files) is None


def test_a_summary_that_cannot_be_replaced_is_told_and_the_rest_is_in_place(
    plain_host: HostProcess, plugin_host: HostProcess, sims: list[Path], tmp_path: Path
) -> None:
    summaries = [*SUMMARY, ("other", [column("y", "FST1", "Y")])]
    cfg = configuration(tmp_path / "run", sims, summaries, SERIES)
    expected = plain_host.run(cfg)
    first, again, blocked = blocked_run(plugin_host, cfg, "batch_main.csv")
    assert first.error is not None
    assert first.error.startswith("OutputError: ")
    assert f"{blocked} cannot be replaced" in first.error
    assert first.files["batch_other.csv"] == expected.files["batch_other.csv"]
    assert again.error is None
    assert first_difference(expected.files, again.files) is None
    assert "5 files were finished by an interrupted run" in " ".join(again.output.split())


@pytest.mark.parametrize("name", ["serial", "loky"])
def test_a_full_disk_stops_the_batch_and_leaves_nothing_half_written(
    plain_host: HostProcess, plugin_host: HostProcess, tmp_path: Path, name: str
) -> None:
    fine = {"sample_interval_s": 0.005}
    small = [write(tmp_path / "sim", f"case_{n}", seed=n) for n in range(2)]
    large = [write(tmp_path / "sim", f"large_{n}", seed=n, **fine) for n in range(4)]
    files = [*small, *large]
    parallel = {**backend(name), "plugins": backend(name)["plugins"] | {"batch-grouping": False}}
    cfg = configuration(tmp_path / "run", files, SUMMARY, SERIES, parallel=parallel)
    expected = plain_host.run(cfg)
    assert len(expected.files["large_0_motions.csv"]) > 50_000
    found = plugin_host.run(cfg, file_size_limit=50_000)
    assert found.error is not None
    assert found.error.startswith("OutputError: ")
    assert f"cannot write {tmp_path / 'run' / 'results'}/large_" in found.error
    whole = {key: value for key, value in found.files.items() if not key.startswith(".")}
    assert whole.keys() >= {"case_0_motions.csv", "case_1_motions.csv"}
    assert all(expected.files[key] == content for key, content in whole.items())
    if name == "serial":
        assert found.calls("C_LoadSimulationW") == len(small) + 1, "it went on with a full disk"
    # With room again, the same command goes on where it stopped.
    again = plugin_host.run_again(cfg)
    assert again.error is None
    assert first_difference(expected.files, again.files) is None
    assert "finished by an interrupted run before" in " ".join(again.output.split())


def test_tables_before_the_one_that_the_engine_fails_on_are_there_and_the_report_is_told(
    plain_host: HostProcess, plugin_host: HostProcess, sims: list[Path], tmp_path: Path
) -> None:
    """The engine takes a column for dates whose first value is one."""
    mixed = [
        write(tmp_path / "sim", f"mixed_{place}", sea={"data": {"Kind": (kind,)}})
        for place, kind in enumerate(("2024-05-01", "text"))
    ]
    summary = [
        *SUMMARY,
        ("broken", [column("kind", "Environment", ["Kind", 0], "GetData")]),
        ("never", [column("x", "FST1", "X")]),
    ]
    cfg = configuration(
        tmp_path / "run",
        mixed,
        summary,
        SERIES,
        statistics=ALL_STATISTICS,
        parallel={"use_processes": False},
    )
    expected = plain_host.run(cfg)
    assert expected.error is not None
    found = plugin_host.run(cfg)
    assert found.error == expected.error
    assert "batch_main.csv" in expected.files
    assert "batch_never.csv" not in expected.files
    assert first_difference(csv_files(expected.files), csv_files(found.files)) is None
    assert "2 files in" in found.output

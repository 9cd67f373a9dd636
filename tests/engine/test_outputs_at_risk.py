"""Outputs that cannot be written where they belong: nothing is lost, nothing is half-written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import command
import pytest
from batches import (
    ALL_STATISTICS,
    END_A,
    backend,
    column,
    configuration,
    series,
    write,
    write_bad,
)
from host_process import (
    HostProcess,
    Outcome,
    csv_files,
    first_difference,
    hashes,
    read_tree,
    without_inputs,
)
from test_plugins_of_others import run as run_with_plugin

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
    assert "5 files already finished by an interrupted run" in " ".join(again.output.split())


FULL_DISK = """
import errno

@hookimpl(tryfirst=True)
def optimizer_write_table(path, final):
    if final.name.startswith("large"):
        raise OSError(errno.ENOSPC, "No space left on device", str(path))
"""


@pytest.mark.parametrize("name", ["serial", "loky"])
def test_a_full_disk_stops_the_batch_and_leaves_nothing_half_written(
    tmp_path: Path, name: str
) -> None:
    """As the host's own to_csv has it where nobody writes behind: an error of its loop."""
    for place in range(2):
        write(tmp_path / "sim", f"case_{place}", seed=place)
    for place in range(4):
        write(tmp_path / "sim", f"large_{place}", seed=place, sample_interval_s=0.01)
    parallel = {**backend(name), "plugins": backend(name)["plugins"] | {"batch-grouping": False}}
    config = command.prepare(
        tmp_path,
        command.user_configuration(
            tmp_path, SUMMARY, SERIES, parallel={"enabled": True, **parallel}
        ),
    )
    found = run_with_plugin(config, FULL_DISK)
    assert found.returncode == 2, found.stderr[-2000:]
    assert "No space left on device" in found.stderr
    assert ".dmo-" not in found.stderr.partition("Error")[2], "staged names mean nothing to users"
    assert not list((tmp_path / "results").glob("large_*_motions.csv"))
    assert not list((tmp_path / "results").glob("*_main.csv"))
    # With room again, the same command goes on where it stopped.
    again = command.run(config)
    assert again.returncode == 0, again.stderr[-2000:]
    resumed = csv_files(read_tree(tmp_path / "results"))
    plain = command.run(config, variables={"DIGITALMODEL_OPTIMIZER": "off"})
    assert plain.returncode == 0
    assert first_difference(csv_files(read_tree(tmp_path / "results")), resumed) is None


FULL_AFTER_TWO = """
import errno
tables = []

@hookimpl(tryfirst=True)
def optimizer_write_table(path, final):
    if final.name.endswith("_motions.csv"):
        tables.append(path)
        if len(tables) > 2:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
"""
NO_ANSWER = """
from digitalmodel_optimizer.plugin import Group
failed = []

@hookimpl(tryfirst=True)
def optimizer_group_files(files):
    return [Group("all", tuple(sorted(files, key=lambda file: "bad" in file.stem)))]

@hookimpl(tryfirst=True)
def optimizer_file_failed(file, error, attempt):
    failed.append(file)  # the first one may be the batch's first file
    if len(failed) > 1:
        raise RuntimeError("no idea")
"""


@pytest.mark.parametrize("fault", ["a full disk", "a plugin"])
def test_a_batch_that_a_fault_ends_has_the_summaries_of_what_it_has_done(
    tmp_path: Path, fault: str
) -> None:
    """Under names of their own, until the same command has written the whole ones."""
    for number in range(4):
        write(tmp_path / "sim", f"case_{number}", seed=number)
    bad = []
    if fault == "a plugin":
        bad = [write_bad(tmp_path / "sim", f"bad_{number}", "text") for number in range(2)]
    parallel = {"enabled": True, "use_processes": False, **backend("serial")}
    cfg = command.user_configuration(tmp_path, SUMMARY, SERIES, parallel=parallel)
    config = command.prepare(tmp_path, cfg)
    results = tmp_path / "results"
    found = run_with_plugin(config, FULL_AFTER_TWO if fault == "a full disk" else NO_ANSWER)
    assert found.returncode == 2, found.stderr[-3000:]
    done, files = (2, 4) if fault == "a full disk" else (4, 6)
    said = " ".join(found.stderr.split())
    assert f"digitalmodel-optimizer: stopped, {done} of {files} files done" in said
    assert f"dm_fsts_main.partial.csv: only the {done} files that are done, out of {files}" in said
    assert not list(results.glob("*_main.csv"))
    partial = (results / "dm_fsts_main.partial.csv").read_text().splitlines()
    for path in bad:
        path.unlink()
    again = command.run(config)
    assert again.returncode == 0, again.stderr[-2000:]
    assert f"{done} files already finished by an interrupted run" in " ".join(again.stderr.split())
    assert not list(results.glob("*.partial.csv"))
    resumed = csv_files(read_tree(results))
    rows = resumed["dm_fsts_main.csv"].decode().splitlines()
    assert len(partial) == 1 + done
    assert set(partial) <= set(rows)
    plain = command.run(config, variables={"DIGITALMODEL_OPTIMIZER": "off"})
    assert plain.returncode == 0
    assert first_difference(csv_files(read_tree(results)), resumed) is None


SUMMARY_KEY = "orcaflex.postprocess.summary"


@pytest.mark.parametrize(
    ("part", "key", "value", "complaint"),
    [
        ("summary", "csv_decimal", "3", f"{SUMMARY_KEY}.csv_decimal is '3', which rounds no table"),
        ("time_series", "csv_decimal", 2.5, "time_series.csv_decimal is 2.5, which rounds no"),
        ("summary", "statistics", True, f"{SUMMARY_KEY}.statistics cannot be read"),
        ("summary", "statistics", {}, "(KeyError: 'Minimum'); it holds Minimum"),
    ],
)
def test_a_setting_that_no_table_can_be_written_with_is_named_before_any_model(
    plain_host: HostProcess,
    plugin_host: HostProcess,
    sims: list[Path],
    tmp_path: Path,
    part: str,
    key: str,
    value: object,
    complaint: str,
) -> None:
    cfg = configuration(tmp_path / "run", sims[:1], SUMMARY, SERIES)
    cfg["orcaflex"]["postprocess"][part][key] = value
    assert plain_host.run(cfg).error is not None
    found = plugin_host.run(cfg)
    assert found.error is not None
    assert found.error.startswith("SettingsError: ")
    assert complaint in found.error
    assert found.calls("C_LoadSimulationW") == 0


def test_labels_that_are_no_texts_are_named_before_any_model(
    plain_host: HostProcess, plugin_host: HostProcess, sims: list[Path], tmp_path: Path
) -> None:
    numbered: Any = [(12, SUMMARY[0][1])]
    cfg = configuration(tmp_path / "run", sims[:1], SUMMARY + numbered, SERIES)
    assert plain_host.run(cfg).error is not None
    found = plugin_host.run(cfg)
    assert "summary_settings.groups.2.Label is 12, of which" in (found.error or "")
    assert found.calls("C_LoadSimulationW") == 0


@pytest.mark.parametrize("decimals", [0, 3, -1, {"x": 2}])
def test_settings_that_the_host_takes_are_taken(
    plain_host: HostProcess,
    plugin_host: HostProcess,
    sims: list[Path],
    tmp_path: Path,
    decimals: Any,
) -> None:
    cfg = configuration(tmp_path / "run", sims[:2], SUMMARY, SERIES)
    for part in ("summary", "time_series"):
        cfg["orcaflex"]["postprocess"][part]["csv_decimal"] = decimals
    cfg["orcaflex"]["postprocess"]["summary"]["statistics"] = {"Minimum": True}
    expected, found = plain_host.run(cfg), plugin_host.run(cfg)
    assert (expected.error, found.error) == (None, None)
    assert first_difference(expected.files, found.files) is None


def test_settings_of_tables_that_nobody_asks_for_are_not_looked_at(
    plugin_host: HostProcess, sims: list[Path], tmp_path: Path
) -> None:
    cfg = configuration(tmp_path / "run", sims[:1], (), SERIES)
    cfg["orcaflex"]["postprocess"]["summary"] |= {"csv_decimal": "3", "statistics": None}
    assert plugin_host.run(cfg).error is None


def test_tables_that_cannot_be_written_cost_their_files_and_no_other(
    plain_host: HostProcess, plugin_host: HostProcess, tmp_path: Path
) -> None:
    """Too large for the file system, a name too long or no UTF-8: no reason to stop the batch."""
    small = [write(tmp_path / "sim", f"case_{n}", seed=n) for n in range(2)]
    fine = {"sample_interval_s": 0.005}
    large = [write(tmp_path / "sim", f"large_{n}", seed=n, **fine) for n in range(2)]
    long = write(tmp_path / "sim", "long", seed=7).rename(tmp_path / "sim" / f"{'x' * 245}.sim")
    no_text = write(tmp_path / "sim", "caf", seed=8).rename(tmp_path / "sim" / "caf\udce9.sim")
    parallel = {"use_processes": False}
    without = configuration(tmp_path / "run", small, SUMMARY, SERIES, parallel=parallel)
    expected = plain_host.run(without).files
    cfg = configuration(tmp_path / "run", [no_text, *large, long, *small], SUMMARY, SERIES)
    cfg["orcaflex"]["parallel"] |= parallel
    found = plugin_host.run(cfg, file_size_limit=50_000)
    assert found.error is not None
    assert found.error.startswith("FilesFailedError: 4 of 6 files failed")
    assert first_difference(csv_files(expected), csv_files(found.files)) is None


def test_labels_that_lead_elsewhere_write_nothing_there(
    plain_host: HostProcess, plugin_host: HostProcess, sims: list[Path], tmp_path: Path
) -> None:
    """A summary's costs itself; a time series' what it costs the engine: its file."""
    cfg = configuration(tmp_path / "run", sims, SUMMARY, SERIES)
    expected = plain_host.run(cfg).files
    evil = ("/../../../../evil", SUMMARY[0][1])
    found = plugin_host.run(configuration(tmp_path / "run", sims, [evil, *SUMMARY], SERIES))
    assert found.error is not None
    assert "rename the group" in found.error
    tables = {name: text for name, text in found.files.items() if not name.startswith(".")}
    assert first_difference(csv_files(expected), csv_files(tables)) is None
    again = configuration(tmp_path / "run", sims, SUMMARY, [(evil[0], SERIES[0][1])])
    found = plugin_host.run(again)
    assert found.error is not None
    assert found.error.startswith("FilesFailedError: 5 of 5 files failed")
    assert not list(tmp_path.rglob("*evil*"))


def test_a_table_that_the_engine_fails_on_costs_itself_and_the_report_is_told(
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
        ("later", [column("x", "FST1", "X")]),
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
    assert found.error is not None
    results = tmp_path / "run" / "results"
    assert found.error.startswith(f"OutputError: {results / 'batch_broken.csv'} cannot be written")
    tables = {name: text for name, text in found.files.items() if not name.startswith(".")}
    others = configuration(
        tmp_path / "run", mixed, [SUMMARY[0], summary[2]], SERIES, statistics=ALL_STATISTICS
    )
    expected = plain_host.run(others)
    assert "batch_later.csv" in expected.files
    assert first_difference(csv_files(expected.files), csv_files(tables)) is None
    assert "2 files in" in found.output


WINDOWS_LIMIT = """
import os, sys

def refuse(event, arguments):
    if event in ("open", "os.mkdir", "os.rename"):
        for path in arguments[:2]:
            if isinstance(path, str) and len(os.path.abspath(path)) >= 260:
                raise FileNotFoundError(2, "No such file or directory", path)

sys.addaudithook(refuse)
"""


@pytest.mark.parametrize("length", [230, 250, 259])
def test_whatever_name_the_engine_can_write_on_windows_can_be_written(
    plain_host: HostProcess, tmp_path: Path, length: int
) -> None:
    """Windows opens no path of 260 characters; in the staging folder names are 40 longer."""
    (tmp_path / "sitecustomize.py").write_text(WINDOWS_LIMIT)
    sim = write(tmp_path / "sim", "case")
    results = str(tmp_path / "run" / "results")
    label = "x" * (length - len(f"{results}/batch_.csv"))
    long = [(label, SUMMARY[0][1])], [(f"{label}y", SERIES[0][1])]
    cfg = configuration(tmp_path / "run", [sim], *long, parallel=backend("serial"))
    expected = plain_host.run(cfg)
    with HostProcess(tmp_path, PYTHONPATH=str(tmp_path)) as host:
        found = host.run(cfg)
    assert found.error is None, found.output[-3000:]
    assert {len(f"{results}/{name}") for name in found.files if name.endswith("csv")} == {length}
    assert first_difference(expected.files, found.files) is None

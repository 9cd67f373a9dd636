"""Plugins that are not ours, in a real run: what they do wrong is named and costs what it must."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import command
import pytest
from batches import backend, column, series, write

SUMMARY = [("main", [column("x", "FST1", "X")])]
SERIES = [("motions", [series("x", "FST1", "X")])]
IMPORTS = "from dataclasses import replace\nfrom digitalmodel_optimizer.plugin import hookimpl\n"
WHO = "plugin stranger (stranger, from strange-plugins)"
MISSPELLED = "@hookimpl\ndef optimizer_batch_finnished(batch): pass\n"
BLOCK = "DIGITALMODEL_OPTIMIZER_BLOCK"

NOTES = """
@hookimpl(wrapper=True)
def optimizer_process_file():
    result = yield
    return replace(result, notes={**result.notes, "stranger": {"sea_state": "calm", "n": 1}})
"""

RESULT = """
@hookimpl(wrapper=True)
def optimizer_process_file():
    yield
"""

EXECUTOR = """
@hookimpl
def optimizer_executor(schedule, process_file):
    return [process_file(task) for task in schedule.order]
"""


def batch(root: Path, parallel: dict[str, Any] | None = None, files: int = 2) -> Path:
    for number in range(files):
        write(root / "sim", f"case_{number}", seed=number)
    parallel = {"enabled": True, **(parallel or backend("serial"))}
    return command.prepare(
        root, command.user_configuration(root, SUMMARY, SERIES, parallel=parallel)
    )


def run(
    config: Path, source: str, *more: str, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run with a distribution ``strange-plugins`` whose one plugin, ``stranger``, is ``source``."""
    site = config.parent / "site"
    (site / "strange_plugins-1.0.dist-info").mkdir(parents=True)
    metadata = "Metadata-Version: 2.1\nName: strange-plugins\nVersion: 1.0\n"
    (site / "strange_plugins-1.0.dist-info" / "METADATA").write_text(metadata)
    entry = "[digitalmodel_optimizer.plugins]\nstranger = stranger\n"
    (site / "strange_plugins-1.0.dist-info" / "entry_points.txt").write_text(entry)
    (site / "stranger.py").write_text(IMPORTS + source)
    return command.run(config, *more, variables={"PYTHONPATH": os.fspath(site), **variables})


def said(done: subprocess.CompletedProcess[str]) -> str:
    return " ".join(done.stderr.split())


def tables(config: Path) -> set[str]:
    return {path.name for path in (config.parent / "results").rglob("*.csv")}


def test_one_that_fails_at_the_end_is_named_below_the_report(tmp_path: Path) -> None:
    config = batch(tmp_path)
    fault = "@hookimpl\ndef optimizer_batch_finished(report): raise KeyError('boom')\n"
    done = run(config, fault)
    assert done.returncode == 2, done.stderr[-3000:]
    assert "2 files in" in said(done)
    assert f"{WHO}: optimizer_batch_finished raised KeyError: 'boom'" in said(done)
    assert "Traceback" not in done.stderr
    assert len(tables(config)) == 3


@pytest.mark.parametrize("hook", ["batch_started", "progress", "file_finished"])
def test_one_that_fails_when_it_is_told_costs_no_output(tmp_path: Path, hook: str) -> None:
    config = batch(tmp_path)
    done = run(config, f"@hookimpl\ndef optimizer_{hook}(): raise KeyError('boom')\n")
    assert done.returncode == 2, done.stderr[-3000:]
    assert "2 files in" in said(done)
    assert f"{WHO}: optimizer_{hook} raised KeyError: 'boom'" in said(done)
    assert "Traceback" not in done.stderr
    assert len(tables(config)) == 3
    assert not list((tmp_path / "results").glob(".dmo-*")), "the batch is complete"


@pytest.mark.parametrize("hook", ["group_files", "allocate", "executor", "configure"])
def test_one_that_fails_when_it_is_asked_ends_the_batch_and_is_named(
    tmp_path: Path, hook: str
) -> None:
    config = batch(tmp_path)
    done = run(config, f"@hookimpl\ndef optimizer_{hook}(): raise KeyError('boom')\n")
    assert done.returncode == 2, done.stderr[-3000:]
    assert f"{WHO}: optimizer_{hook} raised KeyError: 'boom'" in said(done)
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("switch", ["environment", "file"])
def test_one_that_breaks_the_contract_can_be_switched_off(tmp_path: Path, switch: str) -> None:
    config = batch(tmp_path)
    variables = {BLOCK: "stranger"} if switch == "environment" else {}
    off = repr({"orcaflex": {"parallel": {"plugins": {"stranger": False}}}})
    done = run(config, MISSPELLED, *([off] if switch == "file" else []), **variables)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "2 files in" in said(done)


def test_one_that_is_blocked_is_not_imported(tmp_path: Path) -> None:
    config = batch(tmp_path)
    done = run(config, "print('imported!', flush=True)\n", **{BLOCK: "stranger"})
    assert done.returncode == 0, done.stderr[-3000:]
    assert "imported!" not in done.stdout


def test_one_that_cannot_be_imported_is_told_of_once_and_its_options_are_let_be(
    tmp_path: Path,
) -> None:
    config = batch(tmp_path)
    options = repr({"orcaflex": {"parallel": {"plugins": {"stranger": {"level": 3}}}}})
    done = run(config, "import nothing_of_that_name\n", options)
    assert done.returncode == 0, done.stderr[-3000:]
    warned = f"digitalmodel-optimizer: warning: {WHO} is left out, it cannot be imported"
    assert [line.startswith(warned) for line in done.stderr.splitlines()].count(True) == 1
    assert done.stderr.count("left out") == 1


def test_notes_that_are_no_numbers_cost_nothing(tmp_path: Path) -> None:
    config = batch(tmp_path)
    done = run(config, NOTES, DIGITALMODEL_OPTIMIZER_REPORT="nowhere/report.json")
    assert done.returncode == 0, done.stderr[-3000:]
    assert "plugin stranger notes sea_state as 'calm', which is no number" in said(done)
    assert "nowhere/report.json cannot be written" in said(done)
    assert len(tables(config)) == 3


def test_a_result_that_is_none_costs_its_file_and_names_the_plugin(tmp_path: Path) -> None:
    config = batch(tmp_path, {**backend("loky")})
    done = run(config, RESULT)
    assert done.returncode == 1, done.stderr[-3000:]
    assert f"{WHO}: optimizer_process_file returned None, not a FileResult" in said(done)
    assert "Traceback" not in done.stderr


def test_an_executor_that_is_none_is_named(tmp_path: Path) -> None:
    config = batch(tmp_path, files=3)
    done = run(config, EXECUTOR)
    assert done.returncode == 2, done.stderr[-3000:]
    assert f"{WHO}: optimizer_executor returned [FileResult" in said(done)
    assert "not an Executor" in said(done)


def test_an_error_log_that_cannot_be_removed_is_no_failed_run(tmp_path: Path) -> None:
    config = batch(tmp_path)
    (tmp_path / "results" / "case_0_error.log").mkdir(parents=True)
    done = command.run(config)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "case_0_error.log could not be updated" in said(done)


@pytest.mark.parametrize(
    ("written", "complaint"),
    [
        ({"parralel": {"enabled": True}}, "orcaflex.parralel (line 2) is an unknown key"),
        ({"parallel": {"enbaled": True}}, "did you mean enabled?"),
        ({"parallel": {"enabled": "sure"}}, "must be True or False (got 'sure')"),
    ],
)
def test_a_batch_that_is_not_enabled_by_a_typo_does_not_run_and_says_so(
    tmp_path: Path, written: dict[str, Any], complaint: str
) -> None:
    import yaml

    config = batch(tmp_path)
    cfg = yaml.safe_load(config.read_text())
    del cfg["orcaflex"]["parallel"]
    engine = {"orcaflex": {**written, **cfg.pop("orcaflex")}}
    config.write_text(yaml.safe_dump({**engine, **cfg}, sort_keys=False))
    done = command.run(config)
    assert done.returncode == 2, done.stderr[-3000:]
    (line,) = done.stderr.splitlines()
    assert line.startswith("digitalmodel-optimizer: dm_fsts.yml")
    assert complaint in line


def test_one_that_would_end_the_process_costs_its_file(tmp_path: Path) -> None:
    config = batch(tmp_path)
    source = (
        "@hookimpl(wrapper=True)\n"
        "def optimizer_load_model(file):\n"
        "    if file.index == 1:\n"
        "        raise SystemExit('no licence today')\n"
        "    return (yield)\n"
    )
    done = run(config, source)
    assert done.returncode == 1, done.stderr[-3000:]
    assert "SystemExit: no licence today" in said(done)
    assert len(tables(config)) == 2

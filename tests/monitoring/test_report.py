"""The report: a screenful for a clean batch, every failure named, all of it as plain data."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from digitalmodel_optimizer.plugin import (
    Allocation,
    Assignment,
    Batch,
    BatchReport,
    ErrorKind,
    FileError,
    FileResult,
    Group,
    Measured,
    Schedule,
    SimulationFile,
)
from digitalmodel_optimizer.report.facts import report_as_dict
from digitalmodel_optimizer.report.report import print_report

REASON = "2 workers: 2 cores (size class under 100 MB would allow 25); 1 native thread each"


def make_report(
    files: int = 100, errors: dict[int, FileError] | None = None, **changes: Any
) -> BatchReport:
    errors = errors or {}
    listed = tuple(SimulationFile(i, f"sim/lc{i:03d}.sim", 6_700_000) for i in range(files))
    results = tuple(
        FileResult(
            file,
            errors.get(file.index),
            attempt=2 if file.index in errors else 1,
            notes={"gc": {"collect_s": 0.01, "freed_mb": 2.0, "collections": 1.0}},
        )
        for file in listed
    )
    group = Group("under 100 MB", listed)
    schedule = Schedule((Assignment(group, Allocation(2, 1, REASON)),), (), Measured())
    values: dict[str, Any] = {
        "batch": Batch("abc", listed, "results"),
        "results": results,
        "schedule": schedule,
        "backend": "loky",
        "elapsed_s": 5.0,
        "decisions": (f"under 100 MB: {REASON}", "loky: 2 worker processes"),
        "warnings": (),
        "memory_peak_mb": 812.0,
    }
    return BatchReport(**{**values, **changes})


def printed(report: BatchReport) -> str:
    stream = io.StringIO()
    print_report(report_as_dict(report), stream)
    return stream.getvalue()


def test_the_headline_of_a_command_has_the_hosts_start() -> None:
    text = printed(make_report(command_s=7.25))
    expected = "100 files in 5.00 s (7.25 s with the host's start), none failed"
    assert text.splitlines()[0] == f"digitalmodel-optimizer: {expected}"


def test_a_clean_batch_fits_on_a_screen() -> None:
    text = printed(make_report())
    lines = text.splitlines()
    assert lines[0] == "digitalmodel-optimizer: 100 files in 5.00 s, none failed"
    assert len(lines) <= 20
    assert all(line == line.rstrip() for line in lines)
    assert "\x1b" not in text
    words = " ".join(text.split())
    assert "20 files/s, 134 MB/s" in words
    assert "loky, 2 workers, 1 native thread a model, 812 MB at the peak" in words
    assert words.count("2 workers: 2 cores") == 1
    assert "loky: 2 worker processes" in words
    assert "gc collect 1.00 s, freed 200 MB, collections 100" in words


def test_every_failure_is_named_with_kind_message_and_log() -> None:
    errors = {
        3: FileError(ErrorKind.MISSING, "there is no file"),
        7: FileError(ErrorKind.CRASHED, "x"),
    }
    text = printed(make_report(errors=errors))
    assert "2 of 100 files failed" in text.splitlines()[0]
    assert "lc003.sim: missing (tried 2 times): there is no file" in text
    assert "lc007.sim: worker crashed" in text
    assert "_error.log in results" in text


def test_many_failures_are_folded() -> None:
    errors = {i: FileError(ErrorKind.MISSING, "there is no file") for i in range(60)}
    text = printed(make_report(errors=errors))
    assert "and 50 more" in text
    assert len(text.splitlines()) < 40


def test_an_interrupted_batch_says_how_to_go_on() -> None:
    stopped = FileError(ErrorKind.STOPPED, "the batch was stopped")
    report = make_report(errors=dict.fromkeys(range(40, 100), stopped), interrupted=True)
    text = printed(report)
    assert "interrupted, 40 of 100 files done" in text.splitlines()[0]
    assert "60 files left; the same command goes on where this run stopped" in text
    assert "_error.log" not in text


def test_a_stopped_batch_names_its_partial_tables() -> None:
    stopped = FileError(ErrorKind.STOPPED, "the batch was stopped")
    report = make_report(
        errors=dict.fromkeys(range(40, 100), stopped),
        partial_tables=("results/batch_main.partial.csv",),
    )
    text = printed(report)
    assert "stopped, 40 of 100 files done" in text.splitlines()[0]
    words = " ".join(text.split())
    assert "60 files left; the same command goes on where this run stopped" in words
    assert "batch_main.partial.csv: only the 40 files that are done, out of 100;" in words
    assert report_as_dict(report)["partial_tables"] == ["results/batch_main.partial.csv"]


def test_doubtful_columns_are_told() -> None:
    assert "doubtful" in printed(make_report(warnings=("summary a / b: the engine's answer",)))


def test_brackets_and_odd_characters_come_out_as_they_are() -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="cp1252")
    print_report(report_as_dict(make_report(warnings=("[bold]\u6d77[/x] stays",))), stream)
    stream.flush()
    assert b"[bold]?[/x] stays" in stream.buffer.getvalue()  # type: ignore[attr-defined]


def test_the_report_is_plain_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report = make_report(errors={3: FileError(ErrorKind.MISSING, "gone")})
    content = report_as_dict(report)
    assert json.loads(json.dumps(content)) == content
    assert content["files_done"] == 99
    assert content["failed"] == [
        {"file": "sim/lc003.sim", "kind": "missing", "message": "gone", "attempt": 2}
    ]
    assert content["groups"][0]["reason"] == REASON
    named = tmp_path / "report.json"
    monkeypatch.setenv("DIGITALMODEL_OPTIMIZER_REPORT", str(named))
    print_report(report_as_dict(report), io.StringIO())
    assert json.loads(named.read_text()) == content


def test_an_empty_batch_has_a_report_too() -> None:
    text = printed(make_report(files=0, schedule=None, elapsed_s=0.0, decisions=()))
    assert "0 files" in text

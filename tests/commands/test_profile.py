"""``digitalmodel-optimizer profile``: sizes of batches side by side, and what would be decided."""

from __future__ import annotations

import itertools
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from digitalmodel_optimizer.commands.app import app
from digitalmodel_optimizer.dry_run.profile import Described, histogram, profile_of

RUNNER = CliRunner()


def call(*words: str) -> Any:
    return RUNNER.invoke(app, ["profile", *words], env={"COLUMNS": "100"})


def sparse(path: Path, size_mb: float) -> None:
    """A file of that size that takes no space."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as stream:
        stream.truncate(int(size_mb * 1e6))


@pytest.fixture
def batches(tmp_path: Path) -> Path:
    for n in range(40):
        sparse(tmp_path / "standard" / f"lc_{n}.sim", 4 + n / 10)
    for n in range(6):
        sparse(tmp_path / "lngc" / f"part_{n % 2}" / f"lc_{n}.SIM", 400 + 100 * n)
    (tmp_path / "lngc" / "notes.txt").write_text("no simulation")
    return tmp_path


def test_two_batches_side_by_side(batches: Path) -> None:
    done = call(str(batches / "standard"), str(batches / "lngc"))
    assert done.exit_code == 0, done.output
    row = next(line for line in done.output.splitlines() if line.startswith("files"))
    assert row.split() == ["files", "40", "6"]
    assert re.search(r"largest +7\.9 MB +900 MB", done.output)
    assert "3.16 GB" not in done.output
    assert done.output.count("expected") == 1


def test_as_json_with_everything(batches: Path) -> None:
    (found,) = json.loads(call("--json", str(batches / "lngc")).stdout)
    assert found["files"] == 6
    assert found["size_mb"] == 3900
    assert found["quantiles_mb"]["0.5"] == 700
    assert sum(item["files"] for item in found["histogram"]) == 6
    assert sum(group["files"] for group in found["groups"]) == 6
    assert found["expected"]["seconds"] > 0


def test_a_described_machine_decides_otherwise(batches: Path) -> None:
    def workers(*words: str) -> int:
        (found,) = json.loads(call("--json", *words, str(batches / "lngc")).stdout)
        return min(group["workers"] for group in found["groups"])

    assert workers("--cpus", "1", "--memory", "64GB") == 1
    many = workers("--cpus", "64", "--memory", "256GB")
    assert many > 2
    assert workers("--cpus", "64", "--memory", "256GB", "--licences", "2") == 2
    assert workers("--cpus", "64", "--memory", "4GB") < many


def test_a_page_has_the_histograms(batches: Path, tmp_path: Path) -> None:
    page = tmp_path / "sizes.html"
    done = call("--page", str(page), str(batches / "standard"), str(batches / "lngc"))
    assert done.exit_code == 0, done.output
    text = page.read_text(encoding="utf-8")
    assert text.count("<svg") == 2
    assert "<script" not in text


def test_a_folder_without_files_is_said(tmp_path: Path) -> None:
    (found,) = json.loads(call("--json", str(tmp_path)).stdout)
    assert (found["files"], found["groups"], found["expected"]) == (0, [], None)
    assert call(str(tmp_path)).exit_code == 0


@pytest.mark.parametrize("words", [("nowhere",), ("--memory", "much", "."), ("--cpus", "0", ".")])
def test_what_cannot_be_read_is_status_2(
    words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert call(*words).exit_code == 2


def test_nothing_is_opened_or_written(batches: Path) -> None:
    before = {str(path): os.stat(path).st_atime_ns for path in batches.rglob("*")}
    profile_of(str(batches), Described())
    assert {str(path) for path in batches.rglob("*")} == set(before)


def test_bins_hold_every_file_once() -> None:
    bins = histogram([0.0, 1.0, 1.7, 1.8, 10.0, 99.9, 100.0, 3000.0])
    assert sum(number for _, _, number in bins) == 8
    for (_, high, _), (low, _, _) in itertools.pairwise(bins):
        assert high == low
    assert histogram([]) == []
    assert histogram([5.0, 5.0])[0][2] == 2

"""``digitalmodel-optimizer run`` does what ``python -m digitalmodel`` does."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from digitalmodel_optimizer.demo.study import DM_FSTS, write_configuration, write_files

Dmo = Callable[..., subprocess.CompletedProcess[str]]

OFF = "plugins are off for this run"


def make_batch(folder: Path, *, enabled: bool) -> None:
    study = replace(DM_FSTS, files=2, file_mb=1.0, duration_s=60.0)
    list(write_files(study, folder / "sim"))
    write_configuration(folder, study, enabled)


def test_a_missing_configuration_is_one_line_and_status_2(dmo: Dmo, tmp_path: Path) -> None:
    (tmp_path / "dm_fsts.yml").write_text("{}")
    done = dmo("run", "dm_fst.yml")
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "digitalmodel-optimizer: there is no file dm_fst.yml; did you mean dm_fsts.yml?"
    ]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (
            b"meta:\n\tbasename: orcaflex\n",
            "is not YAML: line 2, column 1: a tab; YAML takes spaces only",
        ),
        (b"", "is not a settings file"),
        (b"# \xe9\nmeta: {}\n", "is not UTF-8"),
    ],
)
def test_a_configuration_that_nobody_can_read_is_one_line_and_status_2(
    dmo: Dmo, tmp_path: Path, content: bytes, complaint: str
) -> None:
    (tmp_path / "dm_fsts.yml").write_bytes(content)
    done = dmo("run", "dm_fsts.yml")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("digitalmodel-optimizer: dm_fsts.yml")
    assert complaint in line


def test_an_enabled_batch_goes_through_the_plugins(dmo: Dmo, tmp_path: Path) -> None:
    make_batch(tmp_path, enabled=True)
    done = dmo("run", "dm_fsts.yml", "--meta", "label=night")
    assert done.returncode == 0, done.stderr
    assert "digitalmodel-optimizer: 2 files in" in done.stderr
    assert "2/2 files" in done.stderr
    assert done.stdout.count("Post-processing file:") == 2
    assert (tmp_path / "results" / "dm_fsts_night_struts.csv").is_file()


@pytest.mark.parametrize(
    ("enabled", "environment"), [(False, {}), (True, {"DIGITALMODEL_OPTIMIZER": "off"})]
)
def test_off_is_said_and_the_host_runs_without_plugins(
    dmo: Dmo, tmp_path: Path, enabled: bool, environment: dict[str, str]
) -> None:
    make_batch(tmp_path, enabled=enabled)
    done = dmo("run", "dm_fsts.yml", **environment)
    assert done.returncode == 0, done.stderr
    assert OFF in done.stderr
    assert "2 files in" not in done.stderr
    assert (tmp_path / "results" / "dm_fsts_struts.csv").is_file()


def test_a_dict_literal_reaches_the_host_as_it_is(dmo: Dmo, tmp_path: Path) -> None:
    make_batch(tmp_path, enabled=False)
    literal = "{'orcaflex': {'parallel': {'enabled': True}}, 'meta': {'label': 'x'}}"
    done = dmo("run", "dm_fsts.yml", literal)
    assert done.returncode == 0, done.stderr
    assert "2 files in" in done.stderr
    assert (tmp_path / "results" / "dm_fsts_x_struts.csv").is_file()


def test_a_failed_file_ends_with_status_1(dmo: Dmo, tmp_path: Path) -> None:
    make_batch(tmp_path, enabled=True)
    (tmp_path / "sim" / "broken.sim").write_bytes(b"no simulation")
    done = dmo("run", "dm_fsts.yml")
    assert done.returncode == 1
    assert "1 of 3 files failed" in done.stderr
    assert "broken.sim: not a simulation" in done.stderr
    assert "_error.log in" in done.stderr

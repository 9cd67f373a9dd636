"""An older host, as released: one clear line, and it runs untouched, wherever that leads it."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest
from host_process import STAND_IN, environment

from digitalmodel_optimizer.demo.study import BASENAME, DM_FSTS, write_configuration, write_files

OLDER = ("0.0.4", "0.0.5", "0.0.6", "0.0.7", "0.0.8")
OURS = "digitalmodel-optimizer: "


def host_version() -> str:
    try:
        return version("digitalmodel")
    except PackageNotFoundError:
        return "none"


pytestmark = pytest.mark.skipif(host_version() not in OLDER, reason="needs an older digitalmodel")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A batch that enables us, with the key at which older hosts look for the basename."""
    study = replace(DM_FSTS, files=2, file_mb=0.5, duration_s=20.0)
    list(write_files(study, tmp_path / "sim"))
    config = write_configuration(tmp_path, study, enabled=True)
    for path in (config, tmp_path / "src/digitalmodel/tests/test_data" / f"{BASENAME}.yml"):
        path.write_text(f"basename: {BASENAME}\n{path.read_text('utf-8')}", encoding="utf-8")
    return tmp_path


def run(folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "digitalmodel", "dm_fsts.yml"],
        cwd=folder,
        env=environment(**STAND_IN, **variables),
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )


def without_times_and_addresses(text: str) -> str:
    text = re.sub(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d[.,]?\d*", "<time>", text)
    text = re.sub(r"\b\d+\.\d+( ?s(econds)?)\b", r"<seconds>\1", text)
    return re.sub(r"0x[0-9a-f]+", "<address>", text)


def test_one_line_and_everything_else_as_without_us(folder: Path) -> None:
    plain = run(folder, DIGITALMODEL_OPTIMIZER="off")
    ours = run(folder)
    said = [line for line in ours.stderr.splitlines() if line.startswith(OURS)]
    assert len(said) == 1
    assert f"digitalmodel {host_version()}" in said[0]
    assert said[0].startswith("digitalmodel-optimizer: plugins are off for this run: ")
    rest = ours.stderr.replace(f"{said[0]}\n", "")
    assert without_times_and_addresses(rest) == without_times_and_addresses(plain.stderr)
    assert without_times_and_addresses(ours.stdout) == without_times_and_addresses(plain.stdout)
    assert ours.returncode == plain.returncode


def test_nothing_is_said_where_the_batch_does_not_enable_us(folder: Path) -> None:
    config = folder / "dm_fsts.yml"
    text = config.read_text("utf-8")
    config.write_text(text.replace("enabled: true", "enabled: false"), encoding="utf-8")
    assert OURS not in run(folder).stderr

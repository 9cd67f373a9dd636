"""Migrated files and templates run on the real host to the same results, plugins or not."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from digitalmodel_optimizer_migration import (
    TEMPLATES,
    Choice,
    chosen,
    plan_file,
    write_plan,
    write_template,
)

RUNNER = Path(__file__).parent / "host_runs.py"
pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("digitalmodel") is None
    or importlib.util.find_spec("OrcFxAPI") is None,
    reason="needs digitalmodel and OrcFxAPI",
)


@pytest.fixture(scope="module")
def studies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for each study with its simulation files and the base configuration."""
    from digitalmodel_optimizer.demo.study import (
        DM_FSTS,
        DM_FSTS_LNGC,
        write_configuration,
        write_files,
    )

    root = tmp_path_factory.mktemp("studies")
    for study in (DM_FSTS, DM_FSTS_LNGC):
        small = replace(study, files=2, file_mb=0.5, duration_s=20.0, sample_interval_s=0.5)
        list(write_files(small, root / study.name / "sim"))
        write_configuration(root / study.name, small, enabled=False)
    return root


def run_host(configs: list[Path], optimizer: str) -> str:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("DIGITALMODEL_OPTIMIZER")}
    kept["DIGITALMODEL_OPTIMIZER_HISTORY"] = "off"
    done = subprocess.run(
        [sys.executable, str(RUNNER), *map(str, configs)],
        env={**kept, "SIMULATED_ORCAFLEX": "1", "DIGITALMODEL_OPTIMIZER": optimizer},
        capture_output=True,
        encoding="utf-8",
        timeout=250,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stderr


def results(folder: Path) -> dict[str, bytes]:
    """Result files; the final configuration holds a start time, so only its name counts."""
    found = {}
    for path in sorted((folder / "results").rglob("*")):
        if path.is_file():
            name = path.relative_to(folder).as_posix()
            # The host writes the files' full names into its tables.
            raw = path.read_bytes().replace(str(folder).encode(), b"")
            found[name] = b"" if path.suffix == ".yml" else raw
    return found


@pytest.mark.slow
def test_a_migrated_file_and_the_templates_give_the_same_results(studies: Path) -> None:
    from ruamel.yaml import YAML

    yaml = YAML(typ="safe", pure=True)
    configs = []
    for study, name, kind in (
        ("dm_fsts", "dm_fsts.yml", "before"),
        ("dm_fsts", "dm_fsts.yml", "migrated"),
        *((Path(name).stem, name, "template") for name in TEMPLATES),
    ):
        folder = studies / study / kind
        for part in ("sim", "src"):
            shutil.copytree(studies / study / part, folder / part)
        path = folder / name
        configs.append(path)
        if kind == "template":
            write_template(name, str(path))
            continue
        settings = yaml.load((studies / study / name).read_text("utf-8"))
        settings["orcaflex"]["parallel"] = {"enabled": True, "threads": 30, "use_processes": True}
        settings["parallel_processing"] = {"enabled": True, "max_workers": 30}
        with path.open("w", encoding="utf-8", newline="\r\n") as stream:
            yaml.dump(settings, stream)
    before, migrated = configs[:2]
    write_plan(plan_file(str(migrated), Choice(chosen())))
    raw = before.read_bytes().replace(b"threads: 30", b"threads: 15")
    assert migrated.read_bytes() == raw.replace(b"max_workers: 30", b"max_workers: auto")

    outcome, told = {}, {}
    for optimizer in ("off", "on"):
        for config in configs:
            shutil.rmtree(config.parent / "results", ignore_errors=True)
        told[optimizer] = run_host(configs, optimizer)
        outcome[optimizer] = [results(config.parent) for config in configs]
    assert told["on"].count("2 files in") == len(configs)
    assert "2 files in" not in told["off"]
    assert outcome["on"] == outcome["off"]
    assert len(outcome["off"][0]) > 4
    assert outcome["off"][0] == outcome["off"][1]
    for found in outcome["off"][2:]:
        tables = [text.decode() for name, text in found.items() if name.endswith("_moorings.csv")]
        assert [float(table.splitlines()[1].split(",")[-1]) > 0 for table in tables] == [True]

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
        small = replace(study, files=2, file_mb=0.5, duration_s=20.0, sample_interval_s=0.1)
        list(write_files(small, root / study.name / "sim"))
        write_configuration(root / study.name, small, enabled=False)
    return root


def run_host(configs: list[Path], optimizer: str) -> str:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("DIGITALMODEL_OPTIMIZER")}
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
    """Result files; the final configuration holds a start time, so its name counts, not its bytes."""
    found = {}
    for path in sorted((folder / "results").rglob("*")):
        if path.is_file():
            name = path.relative_to(folder).as_posix()
            found[name] = b"" if path.suffix == ".yml" else path.read_bytes()
    return found


def test_a_migrated_file_and_the_templates_give_the_same_results(
    studies: Path, tmp_path: Path
) -> None:
    from ruamel.yaml import YAML

    yaml = YAML(typ="safe", pure=True)
    made = (studies / "dm_fsts" / "dm_fsts.yml").read_text("utf-8")
    settings = yaml.load(made)
    settings["orcaflex"]["parallel"] = {"enabled": True, "threads": 30, "use_processes": True}
    settings["parallel_processing"] = {"enabled": True, "max_workers": 30}

    # The study's folder itself: the host writes the files' full names into its tables.
    migrated = studies / "dm_fsts" / "dm_fsts.yml"
    with migrated.open("w", encoding="utf-8", newline="\r\n") as stream:
        yaml.dump(settings, stream)
    run_host([migrated], "off")
    before = results(migrated.parent)
    assert len(before) > 4

    raw = migrated.read_bytes()
    write_plan(plan_file(str(migrated), Choice(chosen())))
    assert migrated.read_bytes() == raw.replace(b"threads: 30", b"threads: 15").replace(
        b"max_workers: 30", b"max_workers: auto"
    )

    templates = []
    for name in TEMPLATES:
        folder = studies / Path(name).stem / "template"
        shutil.copytree(folder.parent / "src", folder / "src")
        shutil.copytree(folder.parent / "sim", folder / "sim")
        write_template(name, str(folder / name))
        templates.append(folder / name)

    configs = [migrated, *templates]
    told = {}
    outcome = {}
    for optimizer in ("off", "on"):
        for config in configs:
            shutil.rmtree(config.parent / "results", ignore_errors=True)
        told[optimizer] = run_host(configs, optimizer)
        outcome[optimizer] = [results(config.parent) for config in configs]
    assert outcome["off"][0] == before
    assert outcome["on"] == outcome["off"]
    assert told["on"].count("2 files in") == len(configs)
    assert "2 files in" not in told["off"]
    for found, tables in zip(
        outcome["on"][1:], (("motions", "moorings"), ("motions",)), strict=True
    ):
        for table in tables:
            (csv,) = [
                text
                for name, text in found.items()
                if name.endswith(f"{table}.csv") and "_lc0" not in name
            ]
            rows = csv.decode().splitlines()
            assert rows[1].split(",")[-1] not in ("", "nan")

"""A user's own batch: the files that the host would take, and nothing written beside them."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from tiny_runs import dmo, snapshot

from digitalmodel_optimizer.bench.batches import BenchError, users_batch
from digitalmodel_optimizer.bench.configurations import ENGINE
from digitalmodel_optimizer.bench.json_form import read_as
from digitalmodel_optimizer.bench.results import SCHEMA, Result
from digitalmodel_optimizer.bench.running import Bench
from digitalmodel_optimizer.bench.users_files import at_most, inputs
from digitalmodel_optimizer.demo.study import DM_FSTS, write_configuration, write_files

NAMES = ("a_one.sim", "a_two.sim", "b_one.sim", "b_two.sim")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a configuration, its base, and simulation files that nobody reads."""
    study = replace(DM_FSTS, files=0)
    write_configuration(tmp_path, study, enabled=False, files="sims")
    (tmp_path / "sims").mkdir()
    for size, name in enumerate(NAMES, start=1):
        (tmp_path / "sims" / name).write_bytes(bytes(1024 * size))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def changed(path: Path, *keys: str, value: Any) -> None:
    yaml = YAML(typ="safe", pure=True)
    content = yaml.load(path)
    place = content
    for key in keys[:-1]:
        place = place.setdefault(key, {})
    place[keys[-1]] = value
    yaml.dump(content, path)


def names(**managed: Any) -> list[str]:
    sims, _ = inputs(Path("dm_fsts.yml"), {"flag": True, **managed}, None)
    return [path.name for path in sims]


@pytest.mark.parametrize(
    ("filename", "found"),
    [
        ({"pattern": "one"}, ["a_one.sim", "b_one.sim"]),
        ({"filters": {"contains": ["a_", "two"]}}, ["a_two.sim"]),
        ({"filters": {"not_contains": ["one"]}}, ["a_two.sim", "b_two.sim"]),
        ({"filters": {"min_size_kb": 2, "max_size_kb": 3}}, ["a_two.sim", "b_one.sim"]),
        ({"filters": {"regex": "^b"}}, ["b_one.sim", "b_two.sim"]),
        ({"filters": {"regex": "("}}, []),
        ({"filters": {"contains": [], "regex": "NULL", "min_size_kb": None}}, list(NAMES)),
        (None, list(NAMES)),
    ],
)
def test_files_are_those_that_the_host_lists(
    project: Path, filename: dict[str, Any] | None, found: list[str]
) -> None:
    management = pytest.importorskip("assetutilities.common.file_management").FileManagement()
    assert names(input_directory="sims", filename=filename) == found
    if filename and "filters" in filename:
        paths = sorted((project / "sims").iterdir())
        hosts = management.get_filtered_files(paths, filename["filters"])
        assert [path.name for path in hosts] == found


def test_the_base_configuration_counts(project: Path) -> None:
    config = project / "dm_fsts.yml"
    base = next(project.glob("src/**/*.yml"))
    changed(config, "file_management", value={})
    changed(base, "file_management", value={"flag": True, "input_directory": "sims"})
    assert users_batch(config, None).files == tuple((project / "sims" / name) for name in NAMES)


def test_a_part_of_the_files_is_evenly_taken(project: Path) -> None:
    batch = users_batch(project / "dm_fsts.yml", None, choose=at_most(2))
    assert [path.name for path in batch.files] == ["a_one.sim", "b_one.sim"]
    managed = batch.overrides["file_management"]
    assert managed["input_files"]["sim"] == [str(path) for path in batch.files]
    assert not managed["flag"]


@pytest.mark.parametrize(
    "key", ["analysis.static", "analysis.iterate.flag", "preprocess.load_vessel.flag"]
)
def test_what_would_write_simulations_is_refused(project: Path, key: str) -> None:
    changed(project / "dm_fsts.yml", "orcaflex", *key.split("."), value=True)
    with pytest.raises(BenchError, match=f"more than post-processing: orcaflex.{key}"):
        users_batch(project / "dm_fsts.yml", None)


def test_odd_configurations_are_errors_in_words(project: Path) -> None:
    config = project / "dm_fsts.yml"
    config.write_text("meta:\nfile_management: [1]\n")
    with pytest.raises(BenchError, match="no base configuration for None"):
        users_batch(config, project / "sims")
    config.write_text("basename: x\ndefault_yaml: gone.yml\n")
    with pytest.raises(Exception, match=r"gone\.yml cannot be read"):
        users_batch(config, project / "sims")


def test_somebody_elses_folder_is_never_worked_in(project: Path) -> None:
    """``--work ..`` from the folder ``dm_fsts`` would mean that folder, and empty its results."""
    batch = users_batch(project / "dm_fsts.yml", None)
    before = snapshot(project)
    with pytest.raises(BenchError, match="holds files that are not of an earlier bench"):
        Bench(batch, project)
    assert snapshot(project) == before
    Bench(batch, project / "new")
    Bench(batch, project / "new")


def test_a_reference_without_tables_is_no_reference(project: Path) -> None:
    bench = Bench(users_batch(project / "dm_fsts.yml", None), project / "new")
    (bench.results / "Data").mkdir(parents=True)
    (bench.results / "dm_fsts.yml").touch()
    with pytest.raises(BenchError, match="wrote no table, so that there is nothing to compare"):
        bench._compared(ENGINE)


def test_what_an_earlier_bench_planned_for_the_floor_is_forgotten(project: Path) -> None:
    bench = Bench(users_batch(project / "dm_fsts.yml", None), project / "new")
    (project / "new" / "floor.plan").write_text("of other files")
    bench.results.mkdir()
    (bench.results / "table.csv").touch()
    assert bench._compared(ENGINE) == ()
    assert not (project / "new" / "floor.plan").exists()


@pytest.mark.parametrize("listed", [False, True])
def test_outputs_never_go_where_the_user_has_them(tmp_path: Path, listed: bool) -> None:
    pytest.importorskip("digitalmodel")
    mine = tmp_path / "mine"
    study = replace(DM_FSTS, files=2, file_mb=0.7, duration_s=20.0)
    sims = [str(path) for path in write_files(study, mine / "simulations")]
    write_configuration(mine, study, enabled=False, files="simulations")
    config = mine / "dm_fsts.yml"
    (mine / "simulations" / "dm_fsts_moorings.csv").write_text("an earlier result\n")
    changed(config, "file_management", "output_directory", value=str(mine / "simulations"))
    if listed:
        changed(config, "file_management", "flag", value=False)
        changed(config, "file_management", "input_files", value={"sim": sims})
    before, inodes = snapshot(mine), {path: os.stat(path).st_ino for path in sims}
    words = ("--configurations", "engine,full", "--rounds", "0", "--json", "../found.json")
    done = dmo(mine, "--config", "dm_fsts.yml", *words)
    assert done.returncode == 0, done.stdout + done.stderr
    assert snapshot(mine) == before
    assert {path: os.stat(path).st_ino for path in sims} == inodes
    result: Result = read_as(Result, tmp_path / "found.json", SCHEMA)
    assert result.same
    assert {item.counts.output_files for item in result.suites[0].measured if item.counts} == {9}

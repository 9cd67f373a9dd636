"""A slip in the YAML that would cost a night ends at once, under either command."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from digitalmodel_optimizer.demo.study import DM_FSTS, configuration, write_configuration
from digitalmodel_optimizer.demo.study import write_files as write_simulations
from simulated_orcaflex import read_log

Done = subprocess.CompletedProcess[str]
Ways = Callable[..., list[Done]]
STUDY = replace(DM_FSTS, files=1, file_mb=0.2, duration_s=20.0, hawsers=1, struts=1)
OFF = "plugins are off for this run: "
COMMANDS = {
    "plain": [sys.executable, "-m", "digitalmodel"],
    "run": [
        sys.executable,
        "-c",
        "from digitalmodel_optimizer.commands import main; main()",
        "run",
    ],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's folder: one simulation, a base configuration, a configuration that is right."""
    folder = tmp_path_factory.mktemp("mistakes")
    list(write_simulations(STUDY, folder / "sim"))
    write_configuration(folder, STUDY, enabled=True)
    return folder


def run(way: str, folder: Path, *words: str, **variables: str) -> Done:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("DIGITALMODEL_OPTIMIZER")}
    kept["DIGITALMODEL_OPTIMIZER_HISTORY"] = "off"
    return subprocess.run(
        [*COMMANDS[way], *words],
        cwd=folder,
        env={**kept, "SIMULATED_ORCAFLEX": "1", **variables},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )


def write(folder: Path, change: Callable[[dict[str, Any]], object], name: str = "slip.yml") -> Path:
    cfg = configuration(STUDY, enabled=True)
    change(cfg)
    path = folder / name
    path.write_text(yaml.safe_dump(cfg, sort_keys=False), encoding="utf-8")
    return path


def ours(done: Done) -> list[str]:
    """What we have said, without the host's log."""
    lines = done.stderr.splitlines()
    return [line for line in lines if line.startswith(("digitalmodel-optimizer: ", "  - "))]


def refused(folder: Path, way: str, name: str = "slip.yml") -> list[str]:
    """What is said of a run that opens no file, says nothing else, and ends with status 2."""
    log = folder / f"log-{way}"
    log.mkdir(exist_ok=True)
    done = run(way, folder, name, SIMULATED_ORCAFLEX_LOG=str(log))
    assert done.returncode == 2, done.stderr[-3000:]
    assert "Traceback" not in done.stderr
    assert sum(record.loaded for record in read_log(log)) == 0
    assert not list(folder.rglob("*.csv"))
    return ours(done)


def line_of(path: Path, key: str) -> int:
    lines = path.read_text(encoding="utf-8").splitlines()
    return next(n for n, line in enumerate(lines, 1) if line.strip().startswith(f"{key}:"))


BLOCK = "orcaflex.parallel"
ALLOCATION = f"{BLOCK}.plugins.thread-allocation"
# Where each is written, and what to write instead, where.
MISPLACED = {
    f"{BLOCK}.licences": ("licences: 2", ALLOCATION),
    f"{BLOCK}.num_threads": ("threads: 4", BLOCK),
    f"{BLOCK}.workers": ("threads: 4", BLOCK),
    f"{BLOCK}.timeout": ("timeout_per_file: 60", BLOCK),
    "orcaflex.max_workers": ("threads: 4", BLOCK),
    "orcaflex.timeout_per_file": ("timeout_per_file: 60", BLOCK),
    "licenses": ("licences: 2", ALLOCATION),
}


@pytest.mark.parametrize("way", COMMANDS)
def test_keys_that_stand_where_nobody_reads_them_are_named_with_the_right_form(
    folder: Path, way: str
) -> None:
    def change(cfg: dict[str, Any]) -> None:
        for key, (right, _) in MISPLACED.items():
            *above, name = key.split(".")
            place = cfg
            for part in above:
                place = place[part]
            place[name] = int(right.split()[1])

    path = write(folder, change)
    title, *faults = refused(folder, way)
    assert f"{len(MISPLACED)} settings in slip.yml cannot be used:" in title
    for key, (right, place) in MISPLACED.items():
        line = line_of(path, key.rpartition(".")[2])
        said = f"  - {key} (line {line}) is not read; write  {right}  under {place}"
        assert said in faults


def test_a_licence_cap_in_the_wrong_place_alone_ends_the_run(folder: Path) -> None:
    write(folder, lambda cfg: cfg["orcaflex"]["parallel"].update(licences=2))
    assert len(refused(folder, "plain")) == 2


NOT_ENABLED = {
    "parallel: true": (
        {"parallel": True},
        "orcaflex.parallel (line 5) must hold keys (got True); write  parallel: {enabled: True}",
    ),
    "parallel: 8": ({"parallel": 8}, "write  parallel: {enabled: True, threads: 8}"),
    "one level too high": (
        {"parallel": None, "enabled": True},
        "orcaflex.enabled (line 6) is not read there; write  orcaflex: {parallel: {enabled: True}}",
    ),
    "one level too low": (
        {"parallel": {"plugins": {"enabled": True}}},
        "orcaflex.parallel.plugins.enabled (line 7) is not read there",
    ),
    "no such word": (
        {"parallel": {"enabled": "sure"}},
        "orcaflex.parallel.enabled (line 6) must be True or False (got 'sure')",
    ),
    "a typo": (
        {"parallel": {"Enabeld": True}},
        "orcaflex.parallel.Enabeld (line 6) is an unknown key; did you mean enabled?",
    ),
    "a typo above": (
        {"parralel": {"enabled": True}},
        "orcaflex.parralel (line 5) is an unknown key; did you mean parallel?",
    ),
}


@pytest.mark.parametrize("way", COMMANDS)
@pytest.mark.parametrize("case", NOT_ENABLED)
def test_a_block_that_was_meant_to_enable_the_plugins_is_named(
    folder: Path, way: str, case: str
) -> None:
    written, complaint = NOT_ENABLED[case]

    def change(cfg: dict[str, Any]) -> None:
        del cfg["orcaflex"]["parallel"]
        cfg["orcaflex"] = {**written, **cfg["orcaflex"]}

    write(folder, change)
    (line,) = refused(folder, way)
    assert line.startswith("digitalmodel-optimizer: slip.yml: ")
    assert complaint in line


def test_so_is_a_block_beside_the_host_s_instead_of_inside_it(folder: Path) -> None:
    def change(cfg: dict[str, Any]) -> None:
        cfg["parallel"] = {**cfg["orcaflex"].pop("parallel"), "plugins": {"gc": False}}

    path = write(folder, change)
    (line,) = refused(folder, "plain")
    assert f"parallel.enabled (line {line_of(path, 'enabled')}) is not read there" in line


def test_one_that_may_be_the_host_s_own_is_told_and_the_batch_runs_without_plugins(
    folder: Path, tmp_path: Path
) -> None:
    def change(cfg: dict[str, Any]) -> None:
        del cfg["orcaflex"]["parallel"]
        cfg["parallel"] = {"enabled": True, "threads": 30}
        cfg["file_management"]["output_directory"] = str(tmp_path)

    path = write(folder, change)
    done = run("plain", folder, path.name)
    assert done.returncode == 0, done.stderr[-3000:]
    (line,) = ours(done)
    assert line.startswith(f"digitalmodel-optimizer: {OFF}slip.yml: parallel.enabled (line ")


SECOND_BLOCKS = {
    "the last enables, and nothing is asked for": (
        lambda cfg: cfg["orcaflex"].pop("parallel"),
        "orcaflex:\n  parallel:\n    enabled: True\n",
    ),
    "the first enables": (
        lambda cfg: None,
        "orcaflex:\n  postprocess:\n    summary: {flag: True}\n",
    ),
    "the block itself stands twice": (
        lambda cfg: cfg.update(orcaflex=None),
        "orcaflex:\n  postprocess: {summary: {flag: True}}\n"
        "  parallel: {enabled: True}\n  parallel: {threads: 2}\n",
    ),
}


@pytest.mark.parametrize("way", COMMANDS)
@pytest.mark.parametrize("case", SECOND_BLOCKS)
def test_of_two_blocks_one_is_lost_so_both_are_named(folder: Path, way: str, case: str) -> None:
    change, more = SECOND_BLOCKS[case]
    path = write(folder, change)
    text = path.read_text(encoding="utf-8")
    path.write_text(text + more, encoding="utf-8")
    (line,) = refused(folder, way)
    last = text.count("\n") + 1
    assert f"slip.yml: orcaflex is repeated (line 4 and line {last}), and the last one" in line


@pytest.mark.parametrize("way", COMMANDS)
def test_a_folder_without_a_simulation_is_named(folder: Path, way: str) -> None:
    (folder / "none").mkdir(exist_ok=True)
    path = write(folder, lambda cfg: cfg["file_management"].update(input_directory="none"))
    _, fault = refused(folder, way)
    line = line_of(path, "input_directory")
    assert f"file_management.input_directory (line {line}) leads to {folder / 'none'}" in fault
    assert fault.endswith("which holds no .sim file")


def test_a_pattern_that_no_file_has_is_named(folder: Path) -> None:
    path = write(folder, lambda cfg: cfg["file_management"]["filename"].update(pattern="lc9"))
    _, fault = refused(folder, "plain")
    line = line_of(path, "pattern")
    said = f"file_management.filename.pattern (line {line}) takes *lc9*.sim, and none of the 1"
    assert said in fault


@pytest.mark.parametrize("way", COMMANDS)
def test_an_input_folder_that_is_not_there_is_named(folder: Path, way: str) -> None:
    path = write(folder, lambda cfg: cfg["file_management"].update(input_directory="sims"))
    (line,) = refused(folder, way)
    number = line_of(path, "input_directory")
    assert f"slip.yml: file_management.input_directory (line {number}) leads nowhere" in line
    assert str(folder / "sims") in line


@pytest.mark.parametrize("way", COMMANDS)
def test_a_tab_is_named(folder: Path, way: str) -> None:
    path = write(folder, lambda cfg: None)
    path.write_text(path.read_text("utf-8").replace("    threads:", "\tthreads:"), "utf-8")
    (line,) = refused(folder, way)
    assert line.endswith("slip.yml is not YAML: line 7, column 1: a tab; YAML takes spaces only")


@pytest.mark.parametrize("way", COMMANDS)
def test_a_configuration_that_is_not_there_has_a_neighbour(folder: Path, way: str) -> None:
    (line,) = refused(folder, way, "dm_fst.yml")
    assert line.endswith("did you mean dm_fsts.yml?")


@pytest.mark.parametrize("way", COMMANDS)
def test_the_wrong_working_folder_is_named_with_the_command_to_type(folder: Path, way: str) -> None:
    """The host looks for base configurations from where it is started."""
    elsewhere = folder / "sim"
    done = run(way, elsewhere, "../dm_fsts.yml")
    assert done.returncode == 2, done.stderr[-3000:]
    assert "Traceback" not in done.stderr
    (line,) = ours(done)
    assert f"the host finds no base configuration from {elsewhere}" in line
    assert line.endswith(f"cd {folder}  and there  python -m digitalmodel dm_fsts.yml")


def test_a_configuration_one_folder_up_is_found(folder: Path) -> None:
    done = run("plain", folder / "sim", "dm_fsts.yml")
    assert done.returncode == 2, done.stderr[-3000:]
    (line,) = ours(done)
    assert f"there is no file dm_fsts.yml in {folder / 'sim'}, but one in {folder}" in line


@pytest.mark.parametrize(
    "written",
    [
        {"parallel": False},
        {"parallel": None},
        {"parallel": {"enabled": False, "licences": 2, "timeout": 4}},
        {"parallel": {"enabeld": False}},
        {"enabled": True},
        {"parallel": {"threads": 30}},
    ],
)
def test_what_is_off_on_purpose_is_not_looked_at(tmp_path: Path, written: dict[str, Any]) -> None:
    from digitalmodel_optimizer.config.configuration import read_configuration
    from digitalmodel_optimizer.startup.typos import find_typo

    def change(cfg: dict[str, Any]) -> None:
        del cfg["orcaflex"]["parallel"]
        cfg["orcaflex"].update(written)

    assert find_typo(read_configuration(write(tmp_path, change))) is None


def test_a_file_of_another_command_of_the_host_s_is_not_looked_at(tmp_path: Path) -> None:
    from digitalmodel_optimizer.config.configuration import read_configuration
    from digitalmodel_optimizer.startup.typos import find_typo

    def change(cfg: dict[str, Any]) -> None:
        cfg["orcaflex"]["parallel"] = True

    path = write(tmp_path, change)
    assert find_typo(read_configuration(path)) is not None
    text = path.read_text()
    path.write_text(text.replace("basename: orcaflex_post_process", "basename: mooring"))
    assert find_typo(read_configuration(path)) is None
    path.write_text(text.replace("flag: true", "flag: false"))
    assert find_typo(read_configuration(path)) is None, "nothing is to be post-processed"


def test_a_text_that_says_yes_enables(folder: Path, tmp_path: Path) -> None:
    def change(cfg: dict[str, Any]) -> None:
        cfg["orcaflex"]["parallel"]["enabled"] = "yes"
        cfg["file_management"]["output_directory"] = str(tmp_path)
        cfg["parallel_processing"] = {"max_workers": "30", "timeout_per_file": 300}
        cfg["orcaflex"]["parallel"]["chunk_size"] = 4
        del cfg["orcaflex"]["parallel"]["threads"]

    path = write(folder, change)
    done = run("plain", folder, path.name)
    assert done.returncode == 0, done.stderr[-3000:]
    warned = [line for line in ours(done) if "warning" in line]
    assert "1 file in " in done.stderr
    assert len(warned) == 2, warned
    assert "orcaflex.parallel.chunk_size (line 7) has no effect" in warned[0] + warned[1]
    assert "is a text; taken as a limit of 30" in warned[0] + warned[1]

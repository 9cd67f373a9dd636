"""A plan says what the run then does, writes nothing, and names what would fail."""

from __future__ import annotations

import json
import os
import random
import sys
from pathlib import Path
from typing import Any

import command
import pytest
from batches import backend, column, series, write
from planning_ahead import call, effects, names, plan, snapshot
from test_plugins_of_others import run as run_with_plugin

SUMMARY = [("main", [column("x", "FST1", "X")]), ("other", [column("y", "FST1", "Y")])]
SERIES = [("motions", [series("x", "FST1", "X")]), ("more", [series("y", "FST2", "Y")])]
REPORT = "DIGITALMODEL_OPTIMIZER_REPORT"

FIRST_SCHEDULE = """
import json, os

@hookimpl(specname="optimizer_executor", wrapper=True)
def note_schedule(schedule):
    executor = yield
    groups = [
        [item.group.label, len(item.group.files), item.allocation.workers,
         item.allocation.native_threads, item.allocation.reason]
        for item in schedule.assignments
    ]
    with open(os.environ["FIRST_SCHEDULE"], "w") as stream:
        json.dump({"groups": groups, "order": [t.file.path for t in schedule.order]}, stream)
    return executor
"""


def make(
    root: Path, files: int = 3, parallel: dict[str, Any] | None = None, **changes: Any
) -> Path:
    for number in range(files):
        write(root / "sim", f"case_{number}", seed=number)
    parallel = {"enabled": True, **(parallel or backend("serial"))}
    return command.prepare(
        root, command.user_configuration(root, SUMMARY, SERIES, parallel=parallel, **changes)
    )


def random_batch(root: Path, seed: int) -> tuple[Path, list[str]]:
    """A configuration of the user's, and arguments behind it."""
    import yaml

    draw = random.Random(seed)
    names_of_files = [f"{kind}_{number}" for kind in ("case", "other") for number in range(3)]
    for number, name in enumerate(draw.sample(names_of_files, draw.randint(2, 5))):
        write(root / "sim", name, seed=number, size_mb=draw.choice([0.1, 0.5]))
    if draw.random() < 0.5:
        (root / "sim" / "case_empty.sim").touch()
    if draw.random() < 0.5:
        (root / "sim" / "case_folder.sim").mkdir()
    kind = draw.choice(["serial", "loky"])
    parallel = {"enabled": True, **backend(kind, draw.randint(1, 3))}
    config = command.prepare(
        root,
        command.user_configuration(
            root,
            SUMMARY[: draw.randint(0, 2)],
            SERIES[: draw.randint(1, 2)],
            parallel=parallel,
        ),
    )
    cfg = yaml.safe_load(config.read_text())
    managed = cfg["file_management"]
    managed["output_directory"] = draw.choice([None, "results", "out/deep", str(root / "abs")])
    managed["filename"]["pattern"] = draw.choice([None, "case"])
    if draw.random() < 0.5:
        managed["filename"]["filters"] = draw.choice(
            [{"contains": ["_"]}, {"not_contains": ["other"]}, {"max_size_kb": 400}]
        )
    cfg["meta"]["label"] = draw.choice([None, "night"])
    if cfg["meta"]["label"] is None:
        del cfg["meta"]["label"]
    if draw.random() < 0.3:  # what columns of a group have in common, its label among it
        master = {"Label": "mastered", "Columns": [{"SimulationPeriod": [0, None]}]}
        cfg["time_series_settings_master"] = {
            "groups": [dict(master) for _ in cfg["time_series_settings"]["groups"]]
        }
        del cfg["time_series_settings"]["groups"][0]["Label"]
    config.write_text(yaml.safe_dump(cfg, sort_keys=False))
    literal = "{'orcaflex': {'parallel': {'progress': False}}, 'meta': {'label': 'given'}}"
    return config, draw.choice([[], [literal], ["--meta", "label=words"]])


@pytest.mark.parametrize("seed", range(6))
def test_what_the_plan_says_is_what_the_run_does(tmp_path: Path, seed: int) -> None:
    config, arguments = random_batch(tmp_path, seed)
    found = plan(config, *arguments)
    before = set(snapshot(tmp_path))
    report, schedule = tmp_path / "report.json", tmp_path / "schedule.json"
    done = run_with_plugin(
        config,
        FIRST_SCHEDULE,
        *arguments,
        **{REPORT: str(report), "FIRST_SCHEDULE": str(schedule)},
    )
    assert done.returncode == found["exit_status"], done.stderr[-2000:]
    said = json.loads(report.read_text())
    assert len(found["files"]) == said["files"]
    failing = {item["path"] for item in found["files"] if item["state"] == "fails"}
    assert failing == {item["file"] for item in said["failed"]}
    assert found["results_folder"] == said["results_folder"]
    first = json.loads(schedule.read_text())
    assert first["groups"] == [
        [item[key] for key in ("label", "files", "workers", "native_threads", "reason")]
        for item in found["decisions"]["groups"]
    ]
    assert sorted(first["order"]) == sorted(item["path"] for item in found["files"])
    assert found["decisions"]["backend"] == said["backend"]
    assert any(
        decision.startswith(f"backend {said['backend']}: {found['decisions']['backend_reason']}")
        for decision in said["decisions"]
    )
    new = {
        path
        for path in set(snapshot(tmp_path)) - before
        if os.path.isfile(path)
        and Path(path) not in (report, schedule)
        and not path.endswith("_error.log")
        and "/site/" not in path
    }
    assert new == {item["path"] for item in found["outputs"]}
    again = plan(config, *arguments)
    assert all(item["replaces"] for item in again["outputs"])


STOPS_AT_THE_LAST = """
import errno

@hookimpl(tryfirst=True)
def optimizer_write_table(path, final):
    if final.name.startswith("case_2"):
        raise OSError(errno.ENOSPC, "No space left on device", str(path))
"""


def test_files_that_an_interrupted_run_has_finished_are_done(tmp_path: Path) -> None:
    config = make(tmp_path)
    assert run_with_plugin(config, STOPS_AT_THE_LAST).returncode == 2
    found = plan(config)
    states = {os.path.basename(item["path"]): item["state"] for item in found["files"]}
    done = [name for name, state in states.items() if state == "done"]
    assert done
    assert found["expected"]["basis"].startswith("measured: ")
    other = plan(config, "{'meta': {'label': 'another batch'}}")
    assert all(item["state"] == "left" for item in other["files"])
    report = tmp_path / "report.json"
    again = command.run(config, variables={REPORT: str(report)})
    assert again.returncode == 0
    count = f"{len(done)} file{'s' * (len(done) > 1)} already finished by an interrupted run"
    assert any(said.startswith(count) for said in json.loads(report.read_text())["decisions"])


def test_each_bad_file_is_named_with_what_is_wrong(tmp_path: Path) -> None:
    config = make(tmp_path)
    (tmp_path / "sim" / "empty.sim").touch()
    (tmp_path / "sim" / "folder.sim").mkdir()
    (tmp_path / "sim" / "link.sim").symlink_to(tmp_path / "nowhere.sim")
    found = plan(config)
    assert found["exit_status"] == 1
    assert {(code, message.split(" ", 1)[1]) for code, message in effects(found, "fails")} == {
        ("file_empty", "is empty"),
        ("file_is_folder", "is a folder, not a simulation file"),
        ("file_missing", "is a link that leads nowhere"),
    }


def test_every_fault_of_the_settings_has_its_key_and_line(tmp_path: Path) -> None:
    parallel = {"threads": "lots", "plugins": {"thread-allocation": {"size_classes": 5}}}
    config = make(tmp_path, parallel=parallel)
    found = plan(config)
    assert found["exit_status"] == 2
    lines = config.read_text().splitlines()
    for key in ("threads", "size_classes"):
        line = next(n for n, text in enumerate(lines, 1) if text.strip().startswith(f"{key}:"))
        assert any(
            code == "setting" and f"{key} (line {line})" in message
            for code, message in effects(found, "refused")
        )


def test_a_time_limit_that_the_backend_cannot_keep_is_refused_as_in_the_run(
    tmp_path: Path,
) -> None:
    config = make(tmp_path, parallel={**backend("serial"), "timeout_per_file": 5})
    ((code, message),) = effects(plan(config), "refused")
    assert code == "setting"
    assert message in " ".join(command.run(config).stderr.split())


def test_a_results_folder_in_the_place_of_a_file_is_refused(tmp_path: Path) -> None:
    config = make(tmp_path)
    (tmp_path / "results").write_text("a file")
    assert [code for code, _ in effects(plan(config), "refused")] == ["results_folder"]


def test_an_output_over_an_input_is_refused(tmp_path: Path) -> None:
    config = make(tmp_path)
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "case_0_motions.csv").symlink_to(tmp_path / "sim" / "case_0.sim")
    ((code, message),) = effects(plan(config), "refused")
    assert code == "output"
    assert "would overwrite an input" in message


def test_an_output_that_is_a_folder_fails(tmp_path: Path) -> None:
    config = make(tmp_path)
    (tmp_path / "results" / "dm_fsts_main.csv").mkdir(parents=True)
    ((code, message),) = effects(plan(config), "fails")
    assert (code, "it is a folder" in message) == ("output", True)


HELD = """
import time, pathlib

@hookimpl(wrapper=True)
def optimizer_process_file():
    pathlib.Path("running").touch()
    while not pathlib.Path("planned").exists():
        time.sleep(0.05)
    return (yield)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="ends processes as POSIX has them")
def test_a_run_that_is_under_way_is_named_and_goes_on(tmp_path: Path) -> None:
    from threading import Thread

    config = make(tmp_path)
    finished = []
    thread = Thread(target=lambda: finished.append(run_with_plugin(config, HELD)))
    thread.start()
    try:
        command.wait_for((tmp_path / "running").exists)
        found = json.loads(call(tmp_path, "plan", "--json", config.name).stdout)
    finally:
        (tmp_path / "planned").touch()
        thread.join()
    ((code, message),) = effects(found, "refused")
    assert code == "locked"
    assert "another run of this batch writes into" in message
    assert "process " in message
    assert finished[0].returncode == 0


def test_an_empty_folder_is_told(tmp_path: Path) -> None:
    config = make(tmp_path, files=0)
    (tmp_path / "sim").mkdir()
    found = plan(config)
    ((code, message),) = effects(found, "refused")
    assert code == "no_files"
    assert "holds no .sim file" in message
    assert found["outputs"] == found["outputs"][-2:], "only what the host itself writes"


def test_an_input_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    config = make(tmp_path, files=0)
    ((code, message),) = effects(plan(config), "refused")
    assert code == "configuration"
    assert str(tmp_path / "sim") in message


def test_without_plugins_the_hosts_own_loop_is_named(tmp_path: Path) -> None:
    config = make(tmp_path, parallel={"enabled": False})
    found = plan(config)
    assert found["exit_status"] == 0
    assert not found["plugins"]["on"]
    assert "does not enable them" in found["plugins"]["reason"]
    assert found["decisions"] is None
    assert len(found["files"]) == 3
    assert "dm_fsts_main.csv" in names([item["path"] for item in found["outputs"]])
    said = call(tmp_path, "run", "--plan", config.name)
    assert said.returncode == 0
    assert "the host's own loop would run" in said.stdout


def test_orcfxapi_that_cannot_be_imported_is_refused(tmp_path: Path) -> None:
    config = make(tmp_path)
    found = plan(config, variables={"SIMULATED_ORCAFLEX": "0"})
    assert [code for code, _ in effects(found, "refused")] == ["orcfxapi"]
    assert found["decisions"]["backend"] == "serial", "the rest is told all the same"


UNDECLARED = """
from digitalmodel_optimizer.plugin.executor import SerialExecutor

@hookimpl
def optimizer_executor(process_file):
    return SerialExecutor(process_file, "because")
"""


def test_an_executor_that_nobody_declares_is_not_guessed(tmp_path: Path) -> None:
    config = make(tmp_path)
    assert run_with_plugin(config, UNDECLARED).returncode == 0
    found = plan(config, variables={"PYTHONPATH": os.fspath(tmp_path / "site")})
    assert found["decisions"]["backend"] is None
    assert "plugin stranger" in found["decisions"]["backend_reason"]
    assert found["exit_status"] == 0


def test_results_that_are_kept_are_told_as_the_run_takes_them(tmp_path: Path) -> None:
    config = make(tmp_path, parallel={**backend("serial"), "cache": True})
    assert command.run(config).returncode == 0
    found = plan(config)
    assert [item["state"] for item in found["files"]] == ["kept"] * 3
    assert found["decisions"] is None
    write(tmp_path / "sim", "case_1", seed=17)
    write(tmp_path / "sim", "case_new", seed=18)
    found = plan(config)
    states = {os.path.basename(item["path"]): item["state"] for item in found["files"]}
    report = tmp_path / "report.json"
    assert command.run(config, variables={REPORT: str(report)}).returncode == 0
    said = json.loads(report.read_text())
    assert sum(state == "kept" for state in states.values()) == said["files_reused"]
    assert states["case_new.sim"] == states["case_1.sim"] == "left"
    assert sum(found["read_because"].values()) == said["files_read"] == 2
    for why, number in found["read_because"].items():
        assert f"{number} file read: {why}" in said["decisions"]

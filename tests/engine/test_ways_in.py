"""Every way in which a user reaches the engine: command, script, wheel, unknown host."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import command
import pytest
import yaml
from batches import backend, column, configuration, every_summary, series, write
from host_process import STAND_IN, environment, first_difference, read_tree

PROJECT = Path(__file__).parents[2]
SUMMARY = [("main", [column("x", "FST1", "X"), column("hs", "Environment", ["WaveHs"], "GetData")])]
SERIES = [("motions", [series("x", "FST1", "X")])]
ENABLED = {"enabled": True, "use_processes": False}
RAN = "digitalmodel-optimizer"
Finished = subprocess.CompletedProcess


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number, size in ((2, 0.4), (1, 0.1), (3, 0.2)):
        write(tmp_path / "sim", f"case_{number}", seed=number, size_mb=size)
    return tmp_path


def compare(folder: Path, config: Path, *more: str) -> tuple[Finished[str], Finished[str]]:
    """Run a command without and with us, and hold that what it writes is the same."""
    results = folder / "results"
    outcomes = []
    for state in ("off", ""):
        shutil.rmtree(results, ignore_errors=True)
        done = command.run(config, *more, variables={"DIGITALMODEL_OPTIMIZER": state})
        assert done.returncode == 0, done.stderr[-3000:]
        outcomes.append((done, read_tree(results)))
    (plain, expected), (ours, found) = outcomes
    assert any(name.endswith(".csv") for name in expected)
    difference = first_difference(_timeless(expected), _timeless(found))
    assert difference is None, difference
    return plain, ours


def _timeless(files: dict[str, bytes]) -> dict[str, bytes]:
    """The final configuration without its start time, the one thing that differs in every run."""
    return {
        name: b"\n".join(line for line in content.splitlines() if b"start_time: 20" not in line)
        if name.endswith(".yml")
        else content
        for name, content in files.items()
    }


def test_the_command_that_users_type_gives_the_same_bytes(folder: Path) -> None:
    cfg = command.user_configuration(folder, every_summary(), SERIES, parallel=ENABLED)
    plain, ours = compare(folder, command.prepare(folder, cfg))
    assert RAN not in plain.stderr
    assert "3 files" in ours.stdout + ours.stderr


def test_a_dict_literal_behind_the_file_is_merged_as_ever(folder: Path) -> None:
    cfg = command.user_configuration(folder, SUMMARY, SERIES, parallel=ENABLED)
    literal = "{'meta': {'label': 'late'}, 'file_management': {'filename': {'pattern': 'case_1'}}}"
    compare(folder, command.prepare(folder, cfg), literal)
    assert (folder / "results" / "dm_fsts_late_main.csv").exists()
    assert not (folder / "results" / "case_2_motions.csv").exists()


def test_key_value_arguments_and_enabling_by_argument(folder: Path) -> None:
    cfg = command.user_configuration(folder, SUMMARY, SERIES)
    del cfg["orcaflex"]["parallel"]
    enabling = ("--orcaflex", "parallel.enabled=True", "parallel.use_processes=False")
    more = ("--meta", "label=cli", "--workers", "2", *enabling)
    _, ours = compare(folder, command.prepare(folder, cfg), *more)
    assert (folder / "results" / "dm_fsts_cli_main.csv").exists()
    assert "3 files" in ours.stdout + ours.stderr


def test_a_failed_file_makes_the_command_fail_and_keeps_all_others(folder: Path) -> None:
    (folder / "sim" / "case_bad.sim").write_bytes(b"no simulation")
    cfg = command.user_configuration(folder, SUMMARY, SERIES, parallel=ENABLED)
    done = command.run(command.prepare(folder, cfg))
    assert done.returncode == 1
    assert "1 of 4 files failed; all others are saved" in " ".join(done.stderr.split())
    assert "case_bad.sim" in done.stderr
    rows = (folder / "results" / "dm_fsts_main.csv").read_text().splitlines()
    assert len(rows) == 4
    assert (folder / "results" / "case_bad_error.log").exists()
    assert (folder / "results" / "dm_fsts.yml").exists(), "the engine's last step was not done"


def test_settings_faults_are_all_listed_with_path_and_line_before_any_file_is_opened(
    folder: Path,
) -> None:
    cfg = command.user_configuration(folder, SUMMARY, SERIES)
    cfg["orcaflex"]["parallel"] = {
        "enabled": True,
        "threads": "lots",
        "timeout_per_file": -1,
        "plugins": {
            "gcc": {"enabled": True},
            "hybrid-executor": {"bakend": "loky", "idle_worker_s": "soon"},
            "thread-allocation": {"memory_share": 7},
        },
    }
    config = command.prepare(folder, cfg)
    log = folder / "log"
    log.mkdir()
    done = command.run(config, variables={"SIMULATED_ORCAFLEX_LOG": str(log)})
    assert done.returncode == 2
    said = " ".join(done.stderr.split())
    lines = config.read_text().splitlines()
    for key, words in {
        "threads": "takes a whole number or auto, not 'lots'",
        "timeout_per_file": "below the least of 1",
        "gcc": "is an unknown plugin; did you mean gc?",
        "bakend": "is an unknown option; did you mean backend?",
        "idle_worker_s": "takes a number of seconds, not 'soon'",
        "memory_share": "above the most of 1",
    }.items():
        number = next(n for n, line in enumerate(lines, 1) if line.strip().startswith(f"{key}:"))
        assert f"{key} (line {number}) " in said
        assert words in said
    assert "6 settings" in said
    assert not list((folder / "results").glob("*.csv"))
    from simulated_orcaflex import read_log

    assert sum(record.loaded for record in read_log(log)) == 0


SCRIPT = """
import sys
from digitalmodel.engine import engine
config, *rest = sys.argv[1:]
try:
    for name in [config, *rest]:
        sys.argv[1] = name          # the host looks at its command line, whoever calls it
        engine()
except Exception as error:
    print(type(error).__name__, error)
    sys.exit(3)
"""


def script(folder: Path, code: str, *more: str, **variables: str) -> Finished[str]:
    (folder / "script.py").write_text(code)
    return subprocess.run(
        # By its name alone: the host takes a path with "pytest" in it for a run of its own tests.
        [sys.executable, "script.py", *more],
        cwd=folder,
        env=environment(**STAND_IN, **variables),
        capture_output=True,
        text=True,
        timeout=command.TIMEOUT_S,
        check=False,
    )


def test_a_script_may_enable_a_later_call_after_one_that_was_not_enabled(folder: Path) -> None:
    off = command.user_configuration(folder, SUMMARY, SERIES, parallel={"enabled": False})
    on = command.user_configuration(folder, SUMMARY, SERIES, parallel=ENABLED)
    first = command.prepare(folder, off, "first.yml")
    second = command.prepare(folder, on, "second.yml")
    done = script(folder, SCRIPT, first.name, second.name)
    assert done.returncode == 0, done.stderr[-3000:]
    said = done.stdout + done.stderr
    assert said.count("Post-processing file:") == 6
    assert "3 files" in said.partition("second")[2]
    results = folder / "results"
    assert (results / "first_main.csv").read_bytes() == (results / "second_main.csv").read_bytes()


def test_batches_on_two_threads_of_a_script_take_turns(folder: Path) -> None:
    """Each calls the post-process class; the engine's own start is not made for threads."""
    code = """
import threading
from pathlib import Path
import yaml
from assetutilities.common.update_deep import AttributeDict
from digitalmodel.modules.orcaflex.opp import OrcaFlexPostProcess

def run(number):
    cfg = AttributeDict(yaml.safe_load(Path(f"{number}.yml").read_text()))
    OrcaFlexPostProcess().post_process(cfg)

threads = [threading.Thread(target=run, args=(number,)) for number in (1, 2)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
"""
    files = sorted((folder / "sim").glob("*.sim"))
    for state in ("off", ""):
        for number in (1, 2):
            root = folder / f"{state or 'on'}{number}"
            cfg = configuration(root, files, SUMMARY, SERIES, parallel=ENABLED)
            Path(cfg["Analysis"]["result_folder"]).mkdir(parents=True)
            cfg[cfg["basename"]] = {}
            cfg["file_management"]["input_files"]["sim"] = [str(path) for path in files]
            (folder / f"{number}.yml").write_text(yaml.safe_dump(cfg))
        done = script(folder, code, DIGITALMODEL_OPTIMIZER=state)
        assert "Traceback" not in done.stderr, done.stderr[-3000:]
    for number in (1, 2):
        expected, found = (
            read_tree(folder / f"{state}{number}/results") for state in ("off", "on")
        )
        assert expected
        assert first_difference(expected, found) is None


def test_a_script_gets_an_exception_for_failed_files_once_everything_is_saved(
    folder: Path,
) -> None:
    (folder / "sim" / "case_bad.sim").write_bytes(b"no simulation")
    cfg = command.user_configuration(folder, SUMMARY, SERIES, parallel=ENABLED)
    done = script(folder, SCRIPT, command.prepare(folder, cfg).name)
    assert done.returncode == 3
    assert "FilesFailedError 1 of 4 files failed" in done.stdout
    assert (folder / "results" / "dm_fsts.yml").exists()


def test_spawned_workers_of_a_script_without_a_main_guard_do_not_run_it_again(
    folder: Path,
) -> None:
    """loky's workers import nothing of the script."""
    parallel = {
        "enabled": True,
        "threads": 2,
        "plugins": {
            "hybrid-executor": {"backend": "loky"},
            "thread-allocation": {"size_classes": "2", "assumed_mb_per_s": 0.1},
        },
    }
    cfg = command.user_configuration(folder, SUMMARY, SERIES, parallel=parallel)
    code = SCRIPT.replace("import sys\n", "import sys\nprint('script runs')\n", 1)
    done = script(folder, code, command.prepare(folder, cfg).name)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.count("script runs") == 1
    assert done.stdout.count("Post-processing file:") == 3


EARLY = {"use_processes": True, **backend("loky")}
EARLY["plugins"]["hybrid-executor"]["early_workers"] = 2
NO_STREAMS = """
import os, sys
for name in os.environ.get("NO_STREAMS", "").split():
    setattr(sys, name, None)
    setattr(sys, f"__{name}__", None)
"""


def streamless(folder: Path, *names: str) -> dict[str, str]:
    """Variables that leave a process and its children without these standard streams."""
    (folder / "site").mkdir(exist_ok=True)
    (folder / "site" / "sitecustomize.py").write_text(NO_STREAMS)
    return {"PYTHONPATH": str(folder / "site"), "NO_STREAMS": " ".join(names)}


@pytest.mark.parametrize("missing", ["stdout", "stderr", "stdout stderr"])
def test_without_standard_streams_the_command_writes_the_same_bytes(
    folder: Path, missing: str
) -> None:
    """As under pythonw and in services; the host's own start fails there without its output."""
    cfg = command.user_configuration(folder, SUMMARY, SERIES, parallel={**ENABLED, **EARLY})
    config = command.prepare(folder, cfg)
    trees = []
    for variables in ({"DIGITALMODEL_OPTIMIZER": "off"}, streamless(folder, *missing.split())):
        shutil.rmtree(folder / "results", ignore_errors=True)
        done = command.run(config, variables=variables)
        assert done.returncode == 0, done.stderr[-3000:]
        trees.append(_timeless(read_tree(folder / "results")))
    assert ("3 files in" in done.stderr) is (missing == "stdout")
    assert any(path.endswith(".csv") for path in trees[0])
    assert first_difference(*trees) is None


ENGINE_ONLY = """
import sys
from pathlib import Path
import yaml
from assetutilities.common.update_deep import AttributeDict
from digitalmodel.engine import engine

engine(cfg=AttributeDict(yaml.safe_load(Path("cfg.yml").read_text())), config_flag=False)
"""


@pytest.mark.parametrize("name", ["serial", "loky"])
def test_a_script_without_any_standard_stream_gets_the_same_bytes(folder: Path, name: str) -> None:
    report = folder / "report.json"
    files = sorted((folder / "sim").glob("*.sim"))
    cfg = configuration(
        folder, files, SUMMARY, SERIES, parallel={**backend(name), "progress": True}
    )
    (folder / "cfg.yml").write_text(yaml.safe_dump(cfg))
    trees = []
    for state in ("off", ""):
        shutil.rmtree(folder / "results", ignore_errors=True)
        (folder / "results").mkdir()
        variables = {**streamless(folder, "stdout", "stderr"), "DIGITALMODEL_OPTIMIZER": state}
        done = script(folder, ENGINE_ONLY, **variables, DIGITALMODEL_OPTIMIZER_REPORT=str(report))
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        trees.append(_timeless(read_tree(folder / "results")))
    assert json.loads(report.read_text())["files_done"] == 3
    assert any(path.endswith(".csv") for path in trees[0])
    assert first_difference(*trees) is None


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built once from the checkout."""
    pytest.importorskip("hatchling")
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=PROJECT,
        env=environment(),
        check=True,
        capture_output=True,
    )
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of a new virtual environment that has the wheel, the host by a path file."""
    import venv

    folder = tmp_path_factory.mktemp("venv")
    venv.create(folder, with_pip=False, symlinks=os.name != "nt")
    paths = {"base": str(folder), "platbase": str(folder)}
    site = Path(sysconfig.get_path("purelib", "venv", paths))
    with zipfile.ZipFile(wheel) as archive:  # a pure wheel's installation is to be unpacked
        archive.extractall(site)
    # Behind ours on the path, and its own .pth files are not read: no editable installation.
    (site / "zz_host.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return Path(sysconfig.get_path("scripts", "venv", paths)) / Path(sys.executable).name


def test_the_wheel_holds_the_path_file_and_all_packages(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert "digitalmodel_optimizer.pth" in names
    roots = {name.split("/")[0] for name in names if "/" in name}
    assert {"digitalmodel_optimizer", "digitalmodel_optimizer_plugins"} <= roots
    assert not [name for name in names if name.startswith("tests") or "__pycache__" in name]


def test_a_wheel_that_is_installed_is_enough(
    installed: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parallel = {"enabled": True, "threads": 2, "plugins": {"hybrid-executor": {"backend": "loky"}}}
    cfg = command.user_configuration(folder, SUMMARY, SERIES, parallel=parallel)
    config = command.prepare(folder, cfg)
    monkeypatch.setattr(sys, "executable", str(installed))
    probe = "import digitalmodel_optimizer as d; print(d.__file__)"
    found = subprocess.run(
        [str(installed), "-c", probe], env=environment(), capture_output=True, text=True, check=True
    )
    assert Path(found.stdout.strip()).is_relative_to(installed.parents[1])
    _, ours = compare(folder, config)
    assert "loky" in ours.stdout + ours.stderr


OLD_LAYOUT = {
    "digitalmodel/__init__.py": "",
    "digitalmodel/__main__.py": "from digitalmodel.engine import engine\nengine()\n",
    "digitalmodel/engine.py": "def engine():\n    print('the old engine ran')\n",
    "digitalmodel/custom/__init__.py": "",
    "digitalmodel/custom/orcaflex_post_process.py": "",
}


@pytest.fixture
def old_host(tmp_path: Path) -> Path:
    for name, text in OLD_LAYOUT.items():
        path = tmp_path / "old" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "old"


def test_an_unknown_layout_gets_one_clear_line_and_runs_untouched(
    folder: Path, old_host: Path
) -> None:
    cfg = command.user_configuration(folder, SUMMARY, SERIES, parallel=ENABLED)
    config = command.prepare(folder, cfg)
    done = command.run(config, variables={"PYTHONPATH": str(old_host)})
    assert done.returncode == 0
    assert done.stdout == "the old engine ran\n"
    (line,) = done.stderr.splitlines()
    assert line.startswith("digitalmodel-optimizer: plugins are off for this run: digitalmodel ")
    assert "has an unknown layout; known are" in line


def test_an_unknown_layout_that_is_not_enabled_gets_no_line_at_all(
    folder: Path, old_host: Path
) -> None:
    cfg = command.user_configuration(folder, SUMMARY, SERIES, parallel={"enabled": False})
    config = command.prepare(folder, cfg)
    done = command.run(config, variables={"PYTHONPATH": str(old_host)})
    assert (done.returncode, done.stdout, done.stderr) == (0, "the old engine ran\n", "")

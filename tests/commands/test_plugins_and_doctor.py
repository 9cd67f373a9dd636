"""``plugins`` and ``doctor``: what is there, what state it is in, what to do."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from digitalmodel_optimizer.commands import machine_checks
from digitalmodel_optimizer.demo.study import DM_FSTS, write_configuration
from digitalmodel_optimizer.plugin.manager import BUILT_IN
from digitalmodel_optimizer.plugin.topology import Node, Topology, detect_topology

Dmo = Callable[..., subprocess.CompletedProcess[str]]


def test_plugins_are_listed_with_their_state(dmo: Dmo) -> None:
    done = dmo("plugins", DIGITALMODEL_OPTIMIZER_BLOCK="gc")
    assert done.returncode == 0, done.stderr
    for name in BUILT_IN:
        assert name in done.stdout
    assert "blocked" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_plugins_as_json_with_the_values_of_a_batch(dmo: Dmo, tmp_path: Path) -> None:
    (tmp_path / "batch.yml").write_text(
        "orcaflex: {parallel: {enabled: True, plugins: {gc: False, "
        "thread-allocation: {licences: 3}}}}\n"
    )
    done = dmo("plugins", "--json", "--config", "batch.yml")
    found = {item["name"]: item for item in json.loads(done.stdout)}
    assert set(BUILT_IN) <= set(found)
    assert found["gc"]["state"] == "off in batch.yml"
    assert found["thread-allocation"]["values"]["licences"] == 3
    assert "optimizer_allocate" in found["thread-allocation"]["hooks"]
    assert found["thread-allocation"]["distribution"] == "digitalmodel-optimizer"


def test_options_have_unit_default_and_range(dmo: Dmo) -> None:
    done = dmo("plugins", "--options", "--hooks")
    assert "orcaflex.parallel.plugins.thread-allocation" in done.stdout
    assert "memory_budget_mb" in done.stdout
    assert "hooks: configure" in " ".join(done.stdout.split())


def test_hooks_are_listed_by_their_own_names_whatever_a_plugin_calls_them(
    dmo: Dmo, tmp_path: Path
) -> None:
    (tmp_path / "a_log.py").write_text(
        "from digitalmodel_optimizer.plugin import Option, PluginOptions, hookimpl\n"
        "@hookimpl(specname='optimizer_progress')\n"
        "def note(progress): pass\n"
        "@hookimpl(specname='optimizer_options')\n"
        "def about(): return PluginOptions('Keeps a log.', (Option('level', int, 1, 'How.'),))\n"
    )
    installed = tmp_path / "a_log-1.0.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: a-log\nVersion: 1.0\n")
    (installed / "entry_points.txt").write_text("[digitalmodel_optimizer.plugins]\na-log = a_log\n")
    done = dmo("plugins", "--json")
    found = {item["name"]: item for item in json.loads(done.stdout)}
    assert found["a-log"]["hooks"] == ["optimizer_progress"]
    assert [option["name"] for option in found["a-log"]["options"]] == ["level"]
    shown = " ".join(dmo("plugins", "--hooks", COLUMNS="200").stdout.split())
    assert "Keeps a log." in shown
    assert "hooks: progress" in shown


@pytest.mark.parametrize("columns", [60, 80])
def test_nothing_is_cut_off_where_there_is_little_room(dmo: Dmo, columns: int) -> None:
    done = dmo("plugins", "--hooks", "--options", COLUMNS=str(columns))
    assert "\u2026" not in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= columns


def test_wrong_settings_are_told_by_plugins_and_doctor(dmo: Dmo, tmp_path: Path) -> None:
    (tmp_path / "batch.yml").write_text(
        "orcaflex:\n  parallel:\n    enabled: True\n    plugins: {gcc: {}}\n"
    )
    done = dmo("plugins", "--config", "batch.yml")
    assert done.returncode == 2
    assert "did you mean gc?" in done.stderr
    done = dmo("doctor", "batch.yml", "--json")
    faults = [item for item in json.loads(done.stdout) if item["name"] == "settings"]
    assert done.returncode == 1
    assert "line 4" in faults[0]["found"]


def test_doctor_finds_nothing_wrong_with_the_demo_batch(dmo: Dmo, tmp_path: Path) -> None:
    write_configuration(tmp_path, DM_FSTS, enabled=True)
    done = dmo("doctor", "dm_fsts.yml")
    assert done.returncode == 0, done.stdout
    assert "fail" not in [line.split(" ")[0] for line in done.stdout.splitlines()]
    assert max(map(len, done.stdout.splitlines())) <= 80
    text = " ".join(done.stdout.split())
    assert "yes: orcaflex.parallel.enabled in dm_fsts.yml, line" in text
    assert "merged: orcaflex_post_process.yml <- dm_fsts.yml" in text
    assert "logical CPU" in text


def test_doctor_says_what_bounds_the_cpus(dmo: Dmo) -> None:
    done = dmo("doctor", "--json", SLURM_CPUS_PER_TASK="1")
    found = {item["name"]: item["found"] for item in json.loads(done.stdout)}
    assert found["cores"] == "1 logical CPU for this process (SLURM_CPUS_PER_TASK)"


def test_doctor_tells_the_nodes_of_the_machine(dmo: Dmo, monkeypatch: pytest.MonkeyPatch) -> None:
    found = {item["name"]: item["found"] for item in json.loads(dmo("doctor", "--json").stdout)}
    cpus = str(detect_topology()).partition(" and ")[0]  # memory of a virtual machine may grow
    assert found["topology"].startswith(cpus)
    nodes = Topology(tuple(Node(number, ((2 * number, 2 * number + 1),)) for number in range(2)))
    monkeypatch.setattr(machine_checks, "detect_topology", lambda: nodes)
    check = machine_checks.check_topology()
    assert check.found == "2 nodes, each with 2 CPUs (1 core)"
    assert "affinity" in check.advice


def test_doctor_lists_no_backend_that_joblib_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine_checks, "_OPTIONAL_BACKENDS", ("json", "no_such_library"))
    found = machine_checks.check_backends().found
    assert found.startswith("serial, threading, loky, hybrid (joblib ")
    assert "json is installed but cannot be used: Invalid backend: json" in found
    assert "no_such_library" not in found


def test_doctor_says_what_would_stop_a_run(dmo: Dmo, tmp_path: Path) -> None:
    (tmp_path / "batch.yml").write_text("meta: {basename: orcaflex_post_process}\n")
    done = dmo("doctor", "batch.yml", "--json", DIGITALMODEL_OPTIMIZER="off")
    states = {item["name"]: item for item in json.loads(done.stdout)}
    assert done.returncode == 1
    assert states["base configuration"]["state"] == "fail"
    assert "test_data" in states["base configuration"]["advice"]
    assert states["enabled"]["state"] == "warn"
    assert states["activation"]["state"] == "warn"


@pytest.mark.parametrize("content", ["a: [", "- a\n", ""])
def test_doctor_survives_a_file_that_is_no_configuration(
    dmo: Dmo, tmp_path: Path, content: str
) -> None:
    (tmp_path / "batch.yml").write_text(content)
    done = dmo("doctor", "batch.yml", "--json")
    states = {item["name"]: item["state"] for item in json.loads(done.stdout)}
    assert states["configuration"] == "fail"
    assert done.returncode == 1


def test_help_imports_nothing_heavy() -> None:
    check = (
        "import sys; from digitalmodel_optimizer.commands import main\n"
        "sys.argv = ['dmo', '--help']\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print([n for n in ('numpy', 'pandas', 'joblib', 'digitalmodel', 'psutil') "
        "if n in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", check], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stderr.strip() == "[]"
    for command in ("run", "demo", "bench", "plugins", "doctor"):
        assert command in done.stdout


OF_A_FILE = [
    ("doctor", "{}"),
    ("plugins", "--config", "{}"),
    ("migrate", "{}", "--diff"),
    ("migrate", "{}", "--format", "github"),
    ("migrate", "{}", "--write"),
    ("run", "{}"),
    ("bench", "--config", "{}"),
]


@pytest.mark.parametrize("missing", [False, True], ids=["cp1252", "no streams"])
@pytest.mark.parametrize("words", OF_A_FILE, ids=" ".join)
def test_every_command_ends_alike_whatever_its_output_can_take(
    dmo: Dmo, tmp_path: Path, words: tuple[str, ...], missing: bool
) -> None:
    statuses = []
    for kind in ("whole", "less"):
        folder = tmp_path / kind
        folder.mkdir()
        name = f"{kind}/dm_\u03a9.yml"
        (tmp_path / name).write_text(
            "meta: {basename: orcaflex}\nsummary_\u03a9: \u03a9\n"
            "orcaflex:\n  parallel:\n    enabled: True\n    threads: 30 # \u03a9\n",
            encoding="utf-8",
        )
        environment = {}
        if kind == "less":
            environment = {"PYTHONIOENCODING": "cp1252:strict", "PYTHONUTF8": "0"}
            if missing:
                code = "import sys\nsys.stdout = sys.stderr = None\n"
                (folder / "sitecustomize.py").write_text(code)
                environment = {"PYTHONPATH": str(folder)}
        done = dmo(*(word.format(name) for word in words), **environment)
        assert "UnicodeEncodeError" not in done.stderr
        assert not (missing and kind == "less" and done.stdout + done.stderr)
        statuses.append(done.returncode)
    assert statuses[0] == statuses[1]


@pytest.mark.parametrize("words", [("bench", "--help"), ("doctor", "dm_\u03a9.yml")])
def test_consoles_of_old_get_what_they_can_print(dmo: Dmo, words: tuple[str, ...]) -> None:
    done = dmo(*words, PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert "Traceback" not in done.stderr
    assert done.returncode == (0 if words[0] == "bench" else 1)


def test_a_repeated_key_with_two_values_would_stop_a_run(dmo: Dmo, tmp_path: Path) -> None:
    write_configuration(tmp_path, DM_FSTS, enabled=True)
    config = tmp_path / "dm_fsts.yml"
    text = config.read_text(encoding="utf-8")
    config.write_text(text.replace("    threads: auto\n", "    threads: 2\n    threads: 3\n"))
    done = dmo("doctor", "dm_fsts.yml", "--json")
    assert done.returncode == 1, done.stdout
    (found,) = [item for item in json.loads(done.stdout) if item["name"] == "settings"]
    assert "orcaflex.parallel.threads is repeated (line 7 and line 8)" in found["found"]


def test_a_repeated_key_outside_of_the_block_is_a_warning_and_stops_nothing(
    dmo: Dmo, tmp_path: Path
) -> None:
    config = write_configuration(tmp_path, DM_FSTS, enabled=True)
    text = config.read_text(encoding="utf-8")
    config.write_text(f"file_management: {{flag: False}}\n{text}", encoding="utf-8")
    done = dmo("doctor", "dm_fsts.yml", "--json")
    assert done.returncode == 0, done.stdout
    (found,) = [item for item in json.loads(done.stdout) if item["name"] == "settings"]
    assert "file_management is repeated (line 1 and line" in found["found"]
    assert found["found"].endswith("the host takes the last")


def test_a_typo_in_the_key_that_enables_is_advice(dmo: Dmo, tmp_path: Path) -> None:
    (tmp_path / "batch.yml").write_text(
        "meta: {basename: orcaflex_post_process}\norcaflex:\n  parralel:\n    enabled: True\n"
        "  postprocess: {summary: {flag: True}}\n"
    )
    done = dmo("doctor", "batch.yml", "--json")
    (enabled,) = [item for item in json.loads(done.stdout) if item["name"] == "enabled"]
    assert "orcaflex.parralel (line 3)" in enabled["advice"]
    assert "did you mean parallel?" in enabled["advice"]


def test_a_second_document_is_a_fault_since_the_host_stops_at_it_with_status_0(
    dmo: Dmo, tmp_path: Path
) -> None:
    config = write_configuration(tmp_path, DM_FSTS, enabled=True)
    text = config.read_text(encoding="utf-8")
    config.write_text(f"{text}---\norcaflex: {{parallel: {{threads: 3}}}}\n", encoding="utf-8")
    done = dmo("doctor", config.name, "--json")
    found = {item["name"]: item["found"] for item in json.loads(done.stdout)}
    assert done.returncode == 1, done.stdout
    line = text.count("\n") + 1
    assert found["configuration"].startswith(f"dm_fsts.yml has a second document on line {line};")
    ran = dmo("run", config.name)
    assert (ran.returncode, len(ran.stderr.splitlines())) == (2, 1)

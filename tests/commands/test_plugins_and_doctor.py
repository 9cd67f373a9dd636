"""``plugins`` and ``doctor``: what is there, what state it is in, what to do."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from digitalmodel_optimizer.demo.study import DM_FSTS, write_configuration
from digitalmodel_optimizer.plugin.manager import BUILT_IN

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


@pytest.mark.parametrize("words", [("bench", "--help"), ("doctor", "dm_\u03a9.yml")])
def test_consoles_of_old_get_what_they_can_print(dmo: Dmo, words: tuple[str, ...]) -> None:
    done = dmo(*words, PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert "Traceback" not in done.stderr
    assert done.returncode == (0 if words[0] == "bench" else 1)


def test_a_key_that_stands_twice_is_told_and_stops_nothing(dmo: Dmo, tmp_path: Path) -> None:
    write_configuration(tmp_path, DM_FSTS, enabled=True)
    config = tmp_path / "dm_fsts.yml"
    text = config.read_text(encoding="utf-8")
    config.write_text(text.replace("    threads: auto\n", "    threads: 2\n    threads: 3\n"))
    done = dmo("doctor", "dm_fsts.yml", "--json")
    assert done.returncode == 0, done.stdout
    found = [item for item in json.loads(done.stdout) if item["name"] in ("settings", "ceiling")]
    assert "orcaflex.parallel.threads stands on lines" in found[0]["found"]
    assert found[1]["found"] == "at most 3 workers"


def test_a_slip_in_the_key_that_enables_is_advice(dmo: Dmo, tmp_path: Path) -> None:
    (tmp_path / "batch.yml").write_text(
        "meta: {basename: orcaflex_post_process}\norcaflex:\n  parralel:\n    enabled: True\n"
    )
    done = dmo("doctor", "batch.yml", "--json")
    (enabled,) = [item for item in json.loads(done.stdout) if item["name"] == "enabled"]
    assert "orcaflex.parralel (line 3)" in enabled["advice"]
    assert "did you mean parallel?" in enabled["advice"]


def test_doctor_reads_several_documents_as_the_host_does(dmo: Dmo, tmp_path: Path) -> None:
    config = write_configuration(tmp_path, DM_FSTS, enabled=True)
    text = config.read_text(encoding="utf-8")
    config.write_text(f"{text}---\norcaflex: {{parallel: {{threads: 3}}}}\n", encoding="utf-8")
    done = dmo("doctor", config.name, "--json")
    found = {item["name"]: item["found"] for item in json.loads(done.stdout)}
    assert done.returncode == 0, done.stdout
    assert found["ceiling"] == "at most 3 workers"

"""checks, on the real host: each condition made, told, and of no effect on the host's outputs."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import command
import pytest
from batches import column, configuration, series, write
from host_process import HostProcess, Outcome, first_difference

from digitalmodel_optimizer.batch.loading import load_plugins
from digitalmodel_optimizer.config.places import with_lines
from digitalmodel_optimizer.config.user_yaml import read_yaml
from digitalmodel_optimizer.plugin import SettingsError
from simulated_orcaflex import ObjectDescription, VariableDescription

SUMMARY = [
    (
        "main",
        [
            column("x_max", "FST1", "X"),
            column("x_min", "FST1", "X", Statistic_Type="Min"),
            column("y_max", "FST2", "Y"),
            column("strut", "Strut1", "Connection Force"),
        ],
    )
]
SERIES = [("motions", [series("x", "FST1", "X"), series("y", "FST2", "Y")])]
TABLE = "batch.checks.csv"
FILES = 3


def odd(name: str, kind: str, **signal: float) -> ObjectDescription:
    """An object whose results, of its type's names, all have this signal."""
    variables = [VariableDescription(v, "kN", **signal) for v in ("X", "Y", "Connection Force")]
    return ObjectDescription(name, kind, tuple(variables))


def with_odd(item: ObjectDescription) -> dict[str, Any]:
    from batches import simulation

    others = simulation(without=(item.name,)).objects
    return {"objects": (*others, item)}


def batch(root: Path, *changes: dict[str, Any], options: Any = True, **more: Any) -> dict[str, Any]:
    """As many files as there are changes, and then some without."""
    changes = (*changes, *[{}] * (FILES - len(changes)))
    files = [
        write(root / "sim", f"case_{place}", seed=place, **change)
        for place, change in enumerate(changes)
    ]
    parallel = {"use_processes": False, "threads": 1, "plugins": {"checks": options}, **more}
    return configuration(root, files, SUMMARY, SERIES, parallel=parallel)


def rows(found: Outcome) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(found.files[TABLE].decode())))


def said(found: Outcome) -> str:
    return " ".join(found.output.split())


CONDITIONS = {
    "incomplete": (
        {"current_time_s": 4.0, "state": "SimulationStopped"},
        "4 s of 20 s (from -5 s)",
    ),
    "unstable": ({"current_time_s": 15.0}, "the simulation became unstable at 15 s"),
    "outside": (
        {"current_time_s": 4.0, "state": "SimulationStopped"},
        "0 to 20 s asked for, -5 to 4 s simulated",
    ),
    "nan": (with_odd(odd("FST2", "Vessel", mean=float("nan"))), "values are no number"),
    "flat": (
        with_odd(odd("Strut1", "Constraint", mean=7.0)),
        "in all 41 samples",
    ),
    "version": ({"creator_version": "9.8a"}, "made by OrcaFlex 9.8a, most others by "),
}


@pytest.mark.parametrize("kind", CONDITIONS)
def test_a_condition_is_told_and_the_hosts_outputs_are_as_without(
    plugin_host: HostProcess, tmp_path: Path, kind: str
) -> None:
    changes, detail = CONDITIONS[kind]
    cfg = batch(tmp_path, {}, changes)
    found = plugin_host.run(cfg)
    assert found.error is None, found.output[-3000:]
    told = [row for row in rows(found) if row["check"] == kind]
    assert {row["stem"] for row in told} == {"case_1"}
    assert detail in told[0]["detail"]
    assert told[0]["verdict"] == "warning"
    assert {row["stem"] for row in rows(found) if row["check"] == "all"} == {"case_0", "case_2"}
    assert f"case_1 ({told[0]['column']}: {detail}" in said(found) or detail in said(found)
    cfg["orcaflex"]["parallel"]["plugins"] = {"checks": False}
    without = plugin_host.run(cfg)
    files = {name: content for name, content in found.files.items() if name != TABLE}
    csvs = {name: content for name, content in files.items() if name.endswith(".csv")}
    expected = {name: text for name, text in without.files.items() if name.endswith(".csv")}
    assert first_difference(expected, csvs) is None
    assert files.keys() == without.files.keys()


def test_off_unless_enabled_and_then_there_is_no_stray_file(
    plugin_host: HostProcess, tmp_path: Path
) -> None:
    cfg = batch(tmp_path, {"current_time_s": 4.0, "state": "SimulationStopped"})
    del cfg["orcaflex"]["parallel"]["plugins"]
    found = plugin_host.run(cfg)
    assert found.error is None
    assert TABLE not in found.files
    assert "simulated" not in said(found)


def test_no_result_is_asked_for_that_is_not_read_anyhow(
    plugin_host: HostProcess, tmp_path: Path
) -> None:
    cfg = batch(tmp_path)
    found = plugin_host.run(cfg)
    cfg["orcaflex"]["parallel"]["plugins"] = {}
    without = plugin_host.run(cfg)
    for name in ("C_GetTimeHistory2W", "C_GetMultipleTimeHistoriesW", "C_EnumerateObjectsW"):
        assert found.calls(name) == without.calls(name), name
    assert "nothing found in 3 files" in said(found)


def test_limits_give_a_verdict_per_load_case_with_the_value_that_governs(
    plugin_host: HostProcess, tmp_path: Path
) -> None:
    limits = {"strut": {"max": 1e9}, "x_*": {"min": -1e9, "max": 1e-9}, "main/y_max": {"max": 1e9}}
    found = plugin_host.run(batch(tmp_path, options={"enabled": True, "limits": limits}))
    assert found.error is None, found.output[-3000:]
    verdicts = rows(found)
    assert [(row["check"], row["verdict"]) for row in verdicts] == [("limit", "fail")] * FILES
    assert {(row["column"], row["limit"]) for row in verdicts} == {("x_max", "max 1e-09")}
    table = list(csv.DictReader(io.StringIO(found.files["batch_main.csv"].decode())))
    values = {row["fe_filename_stem"]: float(row["x_max"]) for row in table}
    for row in verdicts:
        assert float(row["value"]) == pytest.approx(values[row["stem"]], abs=1e-6)
    assert "limits: 3 of 3 load cases fail; x_max" in said(found)


def test_a_limit_that_is_kept_passes_and_one_of_no_column_is_told(
    plugin_host: HostProcess, tmp_path: Path
) -> None:
    limits = {"strut": {"max": 1e9}, "strutt": {"max": 1}}
    found = plugin_host.run(batch(tmp_path, options={"enabled": True, "limits": limits}))
    assert {row["verdict"] for row in rows(found)} == {"pass"}
    assert "limits: all 3 load cases pass; strut" in said(found)
    assert "no summary column is called strutt" in said(found)


def test_limits_apply_to_results_that_were_kept(plugin_host: HostProcess, tmp_path: Path) -> None:
    options: dict[str, Any] = {"enabled": True, "limits": {"strut": {"max": 1e9}}}
    cfg = batch(tmp_path, options=options, cache=True)
    plugin_host.run(cfg)
    options["limits"] = {"x_max": {"max": 1e-9}}
    found = plugin_host.run_again(cfg)
    assert "3 files unchanged, taken from the cache" in said(found)
    assert [(row["column"], row["verdict"]) for row in rows(found)] == [("x_max", "fail")] * FILES


def test_what_the_settings_skip_is_not_told(plugin_host: HostProcess, tmp_path: Path) -> None:
    change = {"current_time_s": 4.0, "state": "SimulationStopped"}
    options = {"enabled": True, "skip": ["incomplete", "outside"]}
    found = plugin_host.run(batch(tmp_path, change, options=options))
    assert {row["check"] for row in rows(found)} == {"all"}


def test_what_was_observed_in_workers_reaches_the_parent(
    plugin_host: HostProcess, tmp_path: Path
) -> None:
    cfg = batch(tmp_path, {"creator_version": "9.8a"}, use_processes=True)
    found = plugin_host.run(cfg)
    assert [row["stem"] for row in rows(found) if row["check"] == "version"] == ["case_0"]


@pytest.mark.parametrize("backend", ["serial", "loky"])
def test_fail_on_ends_the_command_with_status_1_and_everything_saved(
    tmp_path: Path, backend: str
) -> None:
    write(tmp_path / "sim", "case_0", seed=0, current_time_s=4.0, state="SimulationStopped")
    write(tmp_path / "sim", "case_1", seed=1)
    checks = {"enabled": True, "fail_on": ["incomplete"], "limits": {"strut": {"max": 1}}}
    plugins = {"checks": checks, "hybrid-executor": {"backend": backend}}
    cfg = command.user_configuration(tmp_path, SUMMARY, SERIES)
    cfg["orcaflex"]["parallel"] = {"enabled": True, "plugins": plugins}
    done = command.run(command.prepare(tmp_path, cfg))
    assert done.returncode == 1, done.stderr[-3000:]
    assert (
        "checks: 1 file failed the checks (incomplete), all results are saved: case_0"
        in done.stderr
    )
    written = {path.name for path in (tmp_path / "results").iterdir()}
    assert {"dm_fsts_main.csv", "dm_fsts.yml", "dm_fsts.checks.csv"} <= written
    table = (tmp_path / "results" / "dm_fsts_main.csv").read_text().splitlines()
    assert len(table) == 3


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ("limits: {x: {max: high}}", "limits (line 3) must give x a number as max (got 'high')"),
        ("limits: {x: {max: 1, least: 2}}", "limits (line 3) gives x an unknown key least"),
        ("limits: {x: {max: 1, min: 2}}", "limits (line 3) gives x a min of 2 above its max of 1"),
        ("limits: {x: 4500}", "limits (line 3) must give x a min, a max or both (got 4500)"),
        ("limits: [x]", "limits (line 3) takes a mapping"),
        ("fail_on: [incomplet]", "fail_on (line 3) takes a list of incomplete, "),
        ("fail_on: limit", "fail_on (line 3) takes a list of incomplete, "),
    ],
)
def test_faults_of_the_settings_have_key_and_line(tmp_path: Path, options: str, fault: str) -> None:
    path = tmp_path / "dm.yml"
    plugins = f"{{checks: {{enabled: True, {options}}}}}"
    path.write_text(f"orcaflex:\n parallel:\n  {{enabled: True, plugins: {plugins}}}\n")
    with pytest.raises(SettingsError) as raised:
        configure({**read_yaml(path).content, "Analysis": {"CustomInputFile": str(path)}})
    assert f"orcaflex.parallel.plugins.checks.{fault}" in str(raised.value)


def configure(cfg: dict[str, Any]) -> None:
    try:
        manager, _, settings = load_plugins(cfg)
        manager.ask("optimizer_configure", settings=settings)
    except SettingsError as error:
        raise with_lines(error, cfg) from None

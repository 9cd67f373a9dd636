"""Settings come from the keys that users have; every fault is named with its path and line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from digitalmodel_optimizer.config.enabling import is_enabled
from digitalmodel_optimizer.config.places import with_lines
from digitalmodel_optimizer.config.settings import read_settings, switched_off
from digitalmodel_optimizer.plugin import (
    OptimizerWarning,
    Option,
    PluginOptions,
    SettingsError,
)

PLUGINS = {
    "my-log": PluginOptions(
        "Writes a log.",
        (
            Option("level", int, 1, "How much.", minimum=0, maximum=3),
            Option("wait_s", float, "auto", "How long.", unit="seconds", auto=True),
            Option("style", str, "plain", "How.", choices=("plain", "rich")),
        ),
    )
}


PLUGINS["result-extraction"] = PluginOptions("Reads.")


def block(**parallel: Any) -> dict[str, Any]:
    return {"orcaflex": {"parallel": {"enabled": True, **parallel}}}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (True, True),
        (False, False),
        ("True", True),
        ("yes", True),
        (" on ", True),
        ("False", False),
        ("maybe", False),
        (None, False),
        (0, False),
        (1, True),
    ],
)
def test_what_counts_as_enabled(value: Any, expected: bool) -> None:
    assert is_enabled({"orcaflex": {"parallel": {"enabled": value}}}) is expected


@pytest.mark.parametrize("cfg", [None, {}, {"orcaflex": None}, {"orcaflex": {"parallel": 30}}, []])
def test_a_configuration_without_the_block_is_not_enabled(cfg: Any) -> None:
    assert is_enabled(cfg) is False


@pytest.mark.parametrize(
    ("cfg", "ceiling"),
    [
        (block(threads=30), 30),
        (block(threads="auto"), None),
        (block(), None),
        ({**block(), "parallel_processing": {"max_workers": 20}}, 20),
        ({**block(), "parallel_processing": {"workers": 12}}, 12),
        ({**block(), "parallel_processing": {"max_workers": "auto"}}, None),
        ({**block(), "workers": "30"}, 30),
        ({**block(threads=15), "parallel_processing": {"max_workers": 20}, "workers": "5"}, 15),
        ({**block(), "max_workers": "6"}, 6),
        ({**block(threads=None), "workers": 7}, 7),
    ],
)
def test_the_first_key_that_is_there_is_the_ceiling(
    cfg: dict[str, Any], ceiling: int | None
) -> None:
    assert read_settings(cfg, PLUGINS).ceiling == ceiling


def test_defaults_are_filled_in_and_given_values_kept() -> None:
    settings = read_settings(block(plugins={"my-log": {"level": 2}}), PLUGINS)
    assert settings.plugin("my-log") == {
        "enabled": True,
        "level": 2,
        "wait_s": "auto",
        "style": "plain",
    }
    assert settings.plugin("unheard-of") == {}
    assert (settings.use_processes, settings.timeout_per_file_s) == (True, None)
    assert settings.read_block_mb == 64
    assert read_settings(block(read_block_mb=8), PLUGINS).read_block_mb == 8


def test_yaml_reads_the_word_off_as_false() -> None:
    assert read_settings(block(verify=False), PLUGINS).verify == "off"
    assert read_settings(block(), PLUGINS).verify == "column"


def test_a_plugin_is_blocked_by_name_in_the_file_or_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for value in (False, {"enabled": False}):
        assert read_settings(block(plugins={"my-log": value}), PLUGINS).blocked == {"my-log"}
    monkeypatch.setenv("DIGITALMODEL_OPTIMIZER_BLOCK", "gc, my-log,")
    assert read_settings(block(), PLUGINS).blocked == {"gc", "my-log"}


FAULTS = {
    "threads: lots": "orcaflex.parallel.threads (line 3) takes a whole number or auto, not 'lots'",
    "threads: 0": "orcaflex.parallel.threads (line 3) is 0, below the least of 1",
    "threads: True": "orcaflex.parallel.threads (line 3) takes a whole number or auto, not True",
    "timeout_per_file: .nan": "takes a number of seconds, not nan",
    "timeout_per_file: .inf": "takes a number of seconds, not inf",
    "use_processes: 1": "takes True or False, not 1",
    "read_block_mb: 0": "orcaflex.parallel.read_block_mb (line 3) is 0, below the least of 1",
    "verify: some": (
        "orcaflex.parallel.verify (line 3) takes one of off, column, all, sample, not 'some'"
    ),
    "verify: True": (
        "orcaflex.parallel.verify (line 3) takes one of off, column, all, sample, not True"
    ),
    "plugins: {result-extraction: {verify: False}}": (
        "orcaflex.parallel.plugins.result-extraction.verify (line 3) has moved to "
        "orcaflex.parallel.verify"
    ),
    "plugins: {result-extraction: {block_mb: 8}}": (
        "orcaflex.parallel.plugins.result-extraction.block_mb (line 3) has moved to "
        "orcaflex.parallel.read_block_mb"
    ),
    "plugins: all": "orcaflex.parallel.plugins (line 3) must hold names of plugins (got 'all')",
    "plugins: {my-lgo: {}}": "plugins.my-lgo (line 3) is an unknown plugin; did you mean my-log?",
    "plugins: {my-log: {levle: 1}}": "levle (line 3) is an unknown option; did you mean level?",
    "plugins: {my-log: {level: 9}}": "my-log.level (line 3) is 9, above the most of 3",
    "plugins: {my-log: {level: 1.5}}": "takes a whole number, not 1.5",
    "plugins: {my-log: {wait_s: soon}}": "takes a number of seconds or auto, not 'soon'",
    "plugins: {my-log: {style: bold}}": "takes one of plain, rich, not 'bold'",
    "plugins: {my-log: {levle: 3}}": "levle (line 3) is an unknown option; did you mean level?",
    "plugins: {my-log: 7}": "plugins.my-log (line 3) must hold options (got 7)",
}


@pytest.mark.parametrize("line", FAULTS)
def test_a_fault_is_named_with_its_path_and_line(tmp_path: Path, line: str) -> None:
    with pytest.raises(SettingsError) as caught:
        _read(tmp_path, line)
    (fault,) = caught.value.faults
    assert FAULTS[line] in fault
    assert "1 setting in " in str(caught.value)


def _read(folder: Path, *lines: str) -> None:
    import yaml

    path = folder / "dm_fsts.yml"
    path.write_text("orcaflex:\n  parallel:\n" + "".join(f"    {line}\n" for line in lines))
    cfg = yaml.safe_load(path.read_text())
    read_settings({**cfg, "Analysis": {"CustomInputFile": str(path)}}, PLUGINS)


def test_all_faults_are_listed_at_once(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        _read(tmp_path, "threads: lots", "timeout_per_file: 0", "plugins: {gcc: {}, my-log: 7}")
    assert len(caught.value.faults) == 4
    assert str(caught.value).count("\n  - ") == 4
    assert caught.value.exit_status == 2


def test_without_the_file_a_fault_still_has_its_path() -> None:
    with pytest.raises(SettingsError) as caught:
        read_settings(block(threads="x"), PLUGINS)
    assert caught.value.faults[0].startswith("orcaflex.parallel.threads takes")


def test_a_key_that_nobody_reads_ends_the_run_and_names_the_right_one(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        _read(tmp_path, "thread: 4")
    (fault,) = caught.value.faults
    expected = "orcaflex.parallel.thread (line 3) is an unknown key; did you mean threads?"
    assert fault == expected


def test_a_key_of_somebody_else_is_left_alone() -> None:
    assert read_settings(block(queue="night"), PLUGINS).enabled


def test_a_value_from_an_argument_is_not_put_down_to_the_file(tmp_path: Path) -> None:
    path = tmp_path / "dm_fsts.yml"
    path.write_text("orcaflex:\n  parallel:\n    enabled: True\n    threads: 4\n")
    cfg = {**block(threads="x"), "Analysis": {"CustomInputFile": str(path)}}
    with pytest.raises(SettingsError) as caught:
        read_settings(cfg, PLUGINS)
    (fault,) = caught.value.faults
    assert fault.startswith("orcaflex.parallel.threads (given by an argument) takes")


def test_a_value_from_the_base_configuration_is_put_down_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    base = tmp_path / "src" / "digitalmodel" / "tests" / "test_data" / "orcaflex.yml"
    base.parent.mkdir(parents=True)
    base.write_text("orcaflex: {\nparallel: {threads: x}}\n")
    (tmp_path / "dm_fsts.yml").write_text("basename: orcaflex\n")
    cfg = {**block(threads="x"), "basename": "orcaflex"}
    with pytest.raises(SettingsError) as caught:
        read_settings({**cfg, "Analysis": {"CustomInputFile": "dm_fsts.yml"}}, PLUGINS)
    (fault,) = caught.value.faults
    assert fault.startswith(f"orcaflex.parallel.threads (line 2 of {base}) takes")


TWICE = r"orcaflex\.parallel\.threads is repeated \(line 4 and line 5\)"


def test_a_key_with_two_values_is_a_fault_with_both_lines(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=TWICE):
        _read(tmp_path, "enabled: True", "threads: 2", "threads: 3")


def test_a_key_that_stands_twice_with_one_value_is_told(tmp_path: Path) -> None:
    with pytest.warns(OptimizerWarning, match=TWICE):
        _read(tmp_path, "enabled: True", "threads: 2", "threads: 2")


def test_merge_keys_may_stand_more_than_once_since_all_of_them_count(tmp_path: Path) -> None:
    path = tmp_path / "dm_fsts.yml"
    path.write_text(
        "a: &a {enabled: True}\nb: &b {threads: 4}\norcaflex:\n  parallel:\n"
        "    <<: *a\n    <<: *b\n"
    )
    import yaml

    cfg = {**yaml.safe_load(path.read_text()), "Analysis": {"CustomInputFile": str(path)}}
    assert read_settings(cfg, PLUGINS).ceiling == 4


def test_many_repeated_keys_are_not_a_page_of_warnings(tmp_path: Path) -> None:
    path = tmp_path / "dm_fsts.yml"
    twice = "".join(f"key_{number}: 1\n" for number in range(9)) * 2
    path.write_text(f"{twice}orcaflex: {{parallel: {{enabled: True}}}}\n")
    cfg = {**block(), "Analysis": {"CustomInputFile": str(path)}}
    with pytest.warns(OptimizerWarning) as caught:
        read_settings(cfg, PLUGINS)
    assert len(caught) == 4
    assert str(caught[3].message).endswith("6 more keys are repeated")


def test_the_line_of_a_key_that_stands_twice_is_the_one_that_counts(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"orcaflex\.parallel\.threads \(line 4\) takes"):
        _read(tmp_path, "threads: 2", "threads: x")


@pytest.mark.parametrize(
    ("value", "ceiling", "doubt"),
    [
        (True, 1, "is True, which the host takes as 1 worker"),
        (0, 1, "is 0, which the host takes as 1 worker"),
        (-1, 1, "is -1, which the host takes as 1 worker"),
        ("30", 30, "is a text; taken as a limit of 30"),
        ("0", 1, "is a text"),
        ("lots", None, "is 'lots', for which the host takes the number of cores: no limit"),
        (2.5, None, "is 2.5, for which the host takes the number of cores: no limit"),
        ("AUTO", None, None),
        ("auto", None, None),
        (12, 12, None),
    ],
)
def test_the_host_s_own_number_of_workers_is_taken_as_the_host_takes_it(
    recwarn: pytest.WarningsRecorder, value: Any, ceiling: int | None, doubt: str | None
) -> None:
    cfg = {**block(), "parallel_processing": {"max_workers": value}}
    assert read_settings(cfg, PLUGINS).ceiling == ceiling
    said = [str(item.message) for item in recwarn]
    assert bool(said) is (doubt is not None)
    assert not said or said[0].startswith(f"parallel_processing.max_workers {doubt}")


LICENCES = PluginOptions("Allocates.", (Option("licences", int, None, "Cap.", optional=True),))
ALLOCATION = {"thread-allocation": LICENCES, **PLUGINS}
UNDER = "under orcaflex.parallel.plugins.thread-allocation"
MISPLACED: list[tuple[dict[str, Any], str]] = [
    (block(licences=2), f"orcaflex.parallel.licences is not read; write  licences: 2  {UNDER}"),
    (block(licenses=2), f"write  licences: 2  {UNDER}"),
    (block(licence=2), f"did you mean licences? Then write  licences: 2  {UNDER}"),
    (block(plugins={"licences": 2}), f"is an unknown plugin; write  licences: 2  {UNDER}"),
    (block(plugins={"my-log": {"licences": 2}}), f"an unknown option; write  licences: 2  {UNDER}"),
    ({**block(), "licences": 2}, f"licences is not read; write  licences: 2  {UNDER}"),
    ({**block(), "parallel": {"licences": 2}}, "parallel.licences is not read"),
    ({**block(), "parallel_processing": {"licences": 2}}, "processing.licences is not read"),
    (block(num_threads=4), "write  threads: 4  under orcaflex.parallel"),
    (block(threads="auto", workers=4), "write  threads: 4  under orcaflex.parallel"),
    (block(n_jobs=4), "write  threads: 4  under orcaflex.parallel"),
    (block(timeout=30), "write  timeout_per_file: 30  under orcaflex.parallel"),
    (block(level=2), "write  level: 2  under orcaflex.parallel.plugins.my-log"),
    (block(plugins={"threads": 4}), "unknown plugin; write  threads: 4  under orcaflex.parallel"),
    (block(plugins={"my-log": {"timeout": 4}}), "write  timeout_per_file: 4  under orcaflex.p"),
    (
        block(**{"thread-allocation": {"licences": 2}}),
        "thread-allocation is not read; write thread-allocation under orcaflex.parallel.plugins",
    ),
    (
        {"orcaflex": {**block()["orcaflex"], "plugins": {"my-log": False}}},
        "orcaflex.plugins is not read; write plugins under orcaflex.parallel",
    ),
]


@pytest.mark.parametrize(("cfg", "said"), MISPLACED)
def test_a_key_where_nobody_reads_it_is_a_fault_with_the_right_form(
    cfg: dict[str, Any], said: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        read_settings(cfg, ALLOCATION)
    (fault,) = caught.value.faults
    assert said in fault


DOUBTFUL: list[tuple[dict[str, Any], str]] = [
    (block(chunk_size=4), "orcaflex.parallel.chunk_size has no effect"),
    (block(threads=15, num_threads=30), "num_threads has no effect: orcaflex.parallel.threads"),
    ({**block(), "parallel": {"num_threads": 30}}, "parallel.num_threads is not read"),
    ({**block(), "parallel": {"threads": 30}}, "parallel.threads is not read; write  threads: 30"),
]


@pytest.mark.parametrize(("cfg", "said"), DOUBTFUL)
def test_a_key_that_changes_nothing_or_that_others_read_is_a_warning(
    cfg: dict[str, Any], said: str
) -> None:
    with pytest.warns(OptimizerWarning) as caught:
        read_settings(cfg, ALLOCATION)
    (warned,) = caught
    assert said in str(warned.message)


@pytest.mark.parametrize(
    "cfg",
    [
        block(licences=None),
        {**block(), "parallel_processing": {"timeout_per_file": 300, "auto_optimize": True}},
        {**block(), "parallel_processing": {"enabled": True, "save_error_reports": False}},
        {**block(), "timeout": 30, "progress": 1, "level": 3, "backend": "agg", "plugins": []},
        {**block(), "orcaflex": {**block()["orcaflex"], "analysis": {"threads": 30}}},
        {**block(), "orcaflex_run_batch": {"run_batch": {"workers": 4, "licences": 2}}},
    ],
)
def test_keys_of_the_host_s_and_of_others_are_nobodys_mistake(cfg: dict[str, Any]) -> None:
    assert read_settings(cfg, ALLOCATION).enabled


def test_a_key_that_comes_by_a_merge_has_its_line(tmp_path: Path) -> None:
    path = tmp_path / "dm_fsts.yml"
    path.write_text("shared: &shared\n  threads: x\norcaflex:\n  parallel:\n    <<: *shared\n")
    import yaml

    cfg = {**yaml.safe_load(path.read_text()), "Analysis": {"CustomInputFile": str(path)}}
    with pytest.raises(SettingsError, match=r"threads \(line 2\)"):
        read_settings(cfg, PLUGINS)


def test_a_fault_that_a_plugin_finds_gets_its_line_too(tmp_path: Path) -> None:
    path = tmp_path / "dm_fsts.yml"
    path.write_text("orcaflex:\n  parallel:\n    plugins:\n      my-log: {style: bold}\n")
    import yaml

    cfg = {**yaml.safe_load(path.read_text()), "Analysis": {"CustomInputFile": str(path)}}
    style, level = (f"orcaflex.parallel.plugins.my-log.{name}" for name in ("style", "level"))
    told = with_lines(SettingsError([f"{style} is bold", f"{level} is low", "no key"]), cfg)
    assert told.faults == (f"{style} (line 4) is bold", f"{level} is low", "no key")
    assert told.source == str(path)
    assert with_lines(told, cfg).faults == told.faults
    given = {**block(plugins={"my-log": {"style": "thin"}}), "Analysis": cfg["Analysis"]}
    told = with_lines(SettingsError([f"{style} is thin"]), given)
    assert told.faults == (f"{style} (given by an argument) is thin",)


def test_options_of_a_plugin_that_is_not_loaded_are_nobodys_business() -> None:
    settings = read_settings(block(plugins={"my-log": {"lvel": 1}}), {"my-log": None})
    assert settings.plugin("my-log") == {"enabled": True}


@pytest.mark.parametrize(
    ("given", "off"),
    [
        ({"gc": False, "my-log": True}, {"gc"}),
        ({"gc": {"enabled": False}}, {"gc"}),
        ({"gc": {}, "my-log": None}, set()),
        (["gc"], set()),
        (None, set()),
    ],
)
def test_plugins_are_switched_off_by_name(given: Any, off: set[str]) -> None:
    assert switched_off(block(plugins=given)) == off

"""One class knows the keys of the host's configuration; every other module asks it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import digitalmodel_optimizer
from digitalmodel_optimizer.host.config import HostConfig

ROOT = Path(digitalmodel_optimizer.__file__).parent
KEYS = {
    *("file_management", "input_files", "input_directory", "meta", "basename"),
    *("Analysis", "result_folder", "file_name", "file_name_for_overwrite", "CustomInputFile"),
    *("postprocess", "summary_settings", "time_series_settings", "linked_statistics_settings"),
    *("Columns", "SimulationPeriod", "parallel_processing"),
}
# The rooms besides write users' files, or read them before there is a host.
KNOW_THE_KEYS = (
    "host/config.py",
    *("bench/", "commands/", "config/", "demo/", "measuring/", "startup/"),
)


def literals(path: Path) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value


def test_no_other_module_spells_a_key_of_the_hosts_configuration() -> None:
    found = [
        f"{name}:{line}: {text}"
        for path in sorted(ROOT.rglob("*.py"))
        if not (name := path.relative_to(ROOT).as_posix()).startswith(KNOW_THE_KEYS)
        for line, text in literals(path)
        if text in KEYS
    ]
    assert not found, "ask host/config.py instead"


def cfg() -> dict[str, object]:
    column = {"Label": "x", "SimulationPeriod": [0, None], "Command": "TimeHistory"}
    return {
        "meta": {"basename": "orcaflex"},
        "orcaflex": {"postprocess": {"time_series": {"flag": True}}, "parallel": {"threads": 2}},
        "parallel_processing": {"max_workers": 30},
        "file_management": {"input_files": {"sim": ["a.sim"]}},
        "Analysis": {"result_folder": "r", "file_name": "b", "file_name_for_overwrite": "o"},
        "summary_settings": {"groups": [{"Label": "s", "Columns": [column]}]},
        "time_series_settings": {"data": True, "groups": [{"Label": "t", "Columns": [column]}]},
        "linked_statistics_settings": {"groups": [{"Label": "l"}]},
    }


def test_what_decides_a_files_results_is_neither_its_folder_nor_its_tuning() -> None:
    config, other = HostConfig(cfg()), HostConfig(cfg())
    other.files, other.result_folder = ["b.sim"], "elsewhere"
    other.cfg["orcaflex"]["parallel"]["threads"] = 3
    other.cfg["parallel_processing"] = {}
    assert repr(config.for_results()) == repr(other.for_results())
    other.cfg["orcaflex"]["postprocess"]["time_series"]["flag"] = False
    assert repr(config.for_results()) != repr(other.for_results())


def test_only_columns_that_are_asked_for_are_read() -> None:
    config = HostConfig(cfg())
    ((command, path, _),) = config.columns_to_read()
    assert (command, config.labels(path)) == ("time series", "t / x")


def test_the_list_of_files_is_back_whatever_happens() -> None:
    config = HostConfig(cfg())
    with pytest.raises(KeyError), config.without_files():
        raise KeyError(*config.files)
    assert config.files == ["a.sim"]


def test_tables_are_named_as_the_host_names_them() -> None:
    content = cfg()
    assert [*HostConfig(content).expected_outputs("", ["a"])] == ["a_t.csv"]
    parts = ("summary", "linked_statistics", "time_series")
    content["orcaflex"] = {"postprocess": {part: {"flag": True} for part in parts}}
    names = [*HostConfig(content).expected_outputs("", ["a"])]
    assert names == ["b_s.csv", "o_l.csv", "a_t.csv"]

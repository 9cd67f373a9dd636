"""Results that a plugin supplies: what the core looks at before it believes them."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from test_staged_outputs import result

from digitalmodel_optimizer.batch.reuse import (
    OTHER_STATE,
    OUTPUT_GONE,
    UNREADABLE,
    Reuse,
    conditions_of,
)
from digitalmodel_optimizer.batch.staging import Staging
from digitalmodel_optimizer.host.versions import host_versions
from digitalmodel_optimizer.plugin import (
    Batch,
    FileResult,
    KeptResults,
    PluginError,
    Settings,
    SimulationFile,
    Timings,
    hookimpl,
)
from digitalmodel_optimizer.plugin.manager import Manager, PluginReference


class Supplier:
    """A plugin that answers what it is told to."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    @hookimpl
    def optimizer_reuse_results(self) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def managed(answer: Any) -> Manager:
    manager = Manager()
    manager.add(Supplier(answer), PluginReference("supplier", "supplier", "suppliers"))
    return manager


@pytest.fixture
def staging(tmp_path: Path) -> Iterator[Staging]:
    staging = Staging(str(tmp_path), "abc")
    yield staging
    staging.remove()


@pytest.fixture
def done(tmp_path: Path, staging: Staging) -> FileResult:
    """A file that has finished, with one output."""
    finished = replace(
        result(tmp_path, 0, "a.csv", "one"), timings=Timings(total_s=9.0), notes={"gc": {"n": 1.0}}
    )
    return staging.finish(finished)


def find(staging: Staging, answer: Any, *files: SimulationFile) -> Reuse:
    batch = Batch("abc", files, staging.results_folder)
    found = Reuse()
    found.find(managed(answer), Settings(cache=True), staging.adoption, batch, files)
    return found


def test_a_record_comes_back_as_the_files_result_without_its_old_costs(
    staging: Staging, done: FileResult
) -> None:
    record = staging.record(done)
    moved = replace(done.file, index=5)
    found = find(staging, KeptResults({5: record}), moved)
    assert found.results == {5: replace(done, file=moved, timings=Timings(), notes={})}
    assert found.reasons == {}


def test_what_is_no_record_of_the_file_is_not_believed(staging: Staging, done: FileResult) -> None:
    record = staging.record(done)
    assert record is not None
    other = replace(done.file, path=done.file.path + "x")
    for file, given in (
        (done.file, b""),
        (done.file, record[:-1]),
        (done.file, "a text"),
        (other, record),
    ):
        assert find(staging, KeptResults({0: given}), file).reasons == {0: UNREADABLE}


def test_an_output_has_to_be_there_as_it_was_written(
    staging: Staging, done: FileResult, tmp_path: Path
) -> None:
    record = staging.record(done)
    written = (tmp_path / "a.csv").stat()
    (tmp_path / "a.csv").write_text("two")
    os.utime(tmp_path / "a.csv", ns=(written.st_atime_ns, written.st_mtime_ns + 1_000_000))
    assert find(staging, KeptResults({0: record}), done.file).reasons == {0: OUTPUT_GONE}
    (tmp_path / "a.csv").unlink()
    assert find(staging, KeptResults({0: record}), done.file).reasons == {0: OUTPUT_GONE}


def test_an_output_elsewhere_is_not_this_batchs(
    staging: Staging, done: FileResult, tmp_path: Path
) -> None:
    record = staging.record(done)
    other = Staging(str(tmp_path / "other"), "abc")
    assert find(other, KeptResults({0: record}), done.file).reasons == {0: OUTPUT_GONE}
    other.remove()


def test_of_files_that_share_an_output_only_the_last_is_taken_over(
    staging: Staging, tmp_path: Path
) -> None:
    results = [staging.finish(result(tmp_path, k, "a.csv", f"text {k}")) for k in (0, 1)]
    records = {k: staging.record(item) for k, item in enumerate(results)}
    assert records[0] is None
    reasons = {0: "overwritten"}
    files = [item.file for item in results]
    found = find(staging, KeptResults({1: records[1]}, reasons), *files)
    assert found.reasons == reasons
    staging.publish(result(tmp_path, 0, "a.csv", "text 0"))
    assert (tmp_path / "a.csv").read_text() == "text 1"


@pytest.mark.parametrize("answer", [[b""], {0: b""}, KeptResults(records=[b""])])  # type: ignore[arg-type]
def test_an_answer_of_another_kind_names_the_plugin(staging: Staging, answer: Any) -> None:
    expected = r"plugin supplier \(supplier, from suppliers\): optimizer_reuse_results returned"
    with pytest.raises(PluginError, match=expected):
        find(staging, answer, SimulationFile(0, "a.sim", 1))


def test_a_plugin_that_raises_supplies_nothing_and_is_named(staging: Staging) -> None:
    manager = managed(OSError("no network"))
    found = Reuse()
    batch = Batch("abc", (SimulationFile(0, "a.sim", 1),), staging.results_folder)
    found.find(manager, Settings(cache=True), staging, batch, batch.files)
    assert found == Reuse()
    (fault,) = manager.faults
    assert "plugin supplier" in str(fault)
    assert "no network" in str(fault)


def test_reasons_are_counted_in_one_line_each() -> None:
    files = [SimulationFile(n, f"{n}.sim", 1) for n in range(5)]
    found = Reuse({n: FileResult(files[n]) for n in (3, 4)}, dict.fromkeys(range(3), "changed"))
    assert found.refuse([files[1], files[4]]) == [files[1]]
    assert found.counted() == {"changed": 3, OTHER_STATE: 1}
    assert found.decisions() == [
        "1 file unchanged, taken from the cache",
        "3 files read: changed",
        f"1 file read: {OTHER_STATE}",
    ]
    assert Reuse().decisions() == []


def test_the_hosts_source_files_are_one_of_the_conditions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A clone of the host is changed without another version."""
    module = tmp_path / "digitalmodel" / "inner" / "module.py"
    module.parent.mkdir(parents=True)
    module.write_text("a = 1")
    package = ModuleType("digitalmodel")
    package.__path__ = [str(tmp_path / "digitalmodel")]
    monkeypatch.setitem(sys.modules, "digitalmodel", package)
    before = host_versions()
    assert host_versions() == before
    module.write_text("a = 11")
    after = host_versions()
    assert {name for name in before if before[name] != after[name]} == {"digitalmodel"}


def test_conditions_differ_with_settings_folder_and_plugins_of_others() -> None:
    settings = Settings(plugin_options={"supplier": {"enabled": True, "level": 1}})
    base = conditions_of(managed(None), settings, "r", [{"a": 1}])
    assert base == conditions_of(managed(None), settings, "r", [{"a": 1}])
    other = Settings(plugin_options={"supplier": {"enabled": True, "level": 2}})
    changed = {
        "settings": conditions_of(managed(None), settings, "r", [{"a": 2}]),
        "results folder": conditions_of(managed(None), settings, "s", [{"a": 1}]),
        "plugins": conditions_of(managed(None), other, "r", [{"a": 1}]),
    }
    for name, found in changed.items():
        assert {key for key in base if base[key] != found[key]} == {name}

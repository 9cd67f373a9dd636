"""One file through a host that swallows errors, on models that are made up."""

from __future__ import annotations

import contextlib
import os
import pickle
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from digitalmodel_optimizer.file import attempts
from digitalmodel_optimizer.file.attempts import extended
from digitalmodel_optimizer.file.unit import BatchFiles, Unit, input_stamp
from digitalmodel_optimizer.host.current import current
from digitalmodel_optimizer.plugin import (
    ErrorKind,
    FileResult,
    FileTask,
    Settings,
    SimulationFile,
)
from digitalmodel_optimizer.tables.staged import StagedTables

CFG = {
    "meta": {"basename": "orcaflex"},
    "file_management": {"input_files": {"sim": []}},
    "Analysis": {"result_folder": ""},
    "orcaflex": {"postprocess": {}},
}
Work = Callable[[Any], Any]


class NativeError(Exception):
    status = 25


class Model:
    """Every question ends with ``error``."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error

    def __getitem__(self, name: str) -> Model:
        return self

    def TimeHistory(self, *_: Any) -> float:  # noqa: N802 - OrcFxAPI's names
        if self.error is not None:
            raise self.error
        return 1.0

    StaticResult = RangeGraph = GetData = SampleTimes = varID = TimeHistory  # noqa: N815

    @property
    def state(self) -> float:
        return self.TimeHistory()


class Hooks:
    optimizer_read_results = SimpleNamespace(get_hookimpls=list)

    def optimizer_load_model(self, **_: Any) -> Any:
        context = current()
        return context.load_natively(0)


@pytest.fixture
def process(tmp_path: Path) -> Callable[..., FileResult]:
    """Runs a file whose post-processing is ``work`` on the model; what that raises is swallowed."""
    sim = tmp_path / "case.sim"
    sim.write_text("simulation")

    def run(work: Work, model: Any = None, metadata: Mapping[str, Any] = {}) -> FileResult:
        class PostProcess:
            def post_process(self, cfg: Any) -> None:
                context = current()
                proxy = context.load(lambda: model or Model())
                context.model_dict = {"model": proxy, **metadata}
                with contextlib.suppress(Exception):
                    work(proxy)

        layout = SimpleNamespace(failure_method="none")
        host: Any = SimpleNamespace(layout=layout, post_process_class=PostProcess)
        shared = BatchFiles(
            (str(sim),), "orcaflex", pickle.dumps(CFG), str(tmp_path / "staging"), str(tmp_path)
        )
        unit = Unit(host, Hooks(), Settings(), shared, lambda *_: (), lambda _: None)
        return unit.process(FileTask(SimulationFile(0, str(sim), 10), 0))

    return run


QUESTIONS: dict[str, Work] = {
    "history": lambda model: model["a"].TimeHistory("X"),
    "static": lambda model: model["a"].StaticResult("X"),
    "range": lambda model: model["a"].RangeGraph("X"),
    "data": lambda model: model["a"].GetData("X", 0),
    "times": lambda model: model.SampleTimes(None),
    "variable": lambda model: model["a"].varID("X"),
    "attribute of an object": lambda model: model["a"].state,
    "attribute of the model": lambda model: model.state,
}


@pytest.mark.parametrize("asked", sorted(QUESTIONS))
@pytest.mark.parametrize(
    ("error", "kind"),
    [(NativeError("lost"), ErrorKind.LICENCE), (MemoryError(), ErrorKind.MEMORY)],
    ids=["licence", "memory"],
)
def test_an_error_that_may_pass_is_the_files_though_the_host_swallows_it(
    process: Callable[..., FileResult], asked: str, error: Exception, kind: ErrorKind
) -> None:
    result = process(QUESTIONS[asked], Model(error))
    assert result.error is not None
    assert result.error.kind is kind
    assert result.payload is None


def test_an_error_of_a_column_stays_between_the_host_and_its_table(
    process: Callable[..., FileResult],
) -> None:
    assert process(QUESTIONS["history"], Model(KeyError("no such variable"))).error is None


@pytest.mark.parametrize("change", ["content", "time", "inode", "gone"])
def test_a_file_that_changes_while_it_is_read_is_an_error_of_its_own(
    process: Callable[..., FileResult], tmp_path: Path, change: str
) -> None:
    sim = tmp_path / "case.sim"
    before = input_stamp(str(sim))

    def replaced(_: Any) -> None:
        status = sim.stat()
        if change == "content":
            sim.write_text("another simulation")
        elif change == "gone":
            sim.unlink()
        else:
            later = status.st_mtime_ns + (change == "time")
            (tmp_path / "new.sim").write_text("SIMULATION")
            os.utime(tmp_path / "new.sim", ns=(later, later))
            os.replace(tmp_path / "new.sim", sim)

    result = process(replaced)
    assert result.error is not None
    assert result.error.kind is ErrorKind.CHANGED
    assert str(sim) in result.error.message
    assert result.input_stamp == before
    assert result.payload is None


def test_a_result_tells_in_which_state_its_file_was_read(
    process: Callable[..., FileResult], tmp_path: Path
) -> None:
    result = process(lambda _: None)
    assert result.error is None
    assert result.input_stamp == input_stamp(str(tmp_path / "case.sim"))


@pytest.mark.parametrize(
    ("status", "kind"),
    [("SimulationStoppedUnstable", ErrorKind.UNSTABLE), (None, ErrorKind.ENGINE)],
)
def test_a_model_that_the_host_sets_aside_is_told_of(
    process: Callable[..., FileResult], status: str | None, kind: ErrorKind
) -> None:
    result = process(lambda _: None, None, {"model": None, "run_status": status})
    assert result.error is not None
    assert result.error.kind is kind


def test_a_table_stands_under_a_short_name_and_keeps_its_own(tmp_path: Path) -> None:
    folder = str(tmp_path / "staging")
    os.mkdir(folder)
    tables = StagedTables(folder, "results")
    long, other = os.path.join(folder, "x" * 150 + ".csv"), os.path.join(folder, "a.csv.gz")
    assert tables.holds(long)
    assert not tables.holds(folder + "-2/a.csv")
    assert tables.staged(long) == tables.staged(long) == os.path.join(folder, "0.csv")
    assert tables.staged(other) == other, "its ending tells pandas how to compress"
    Path(folder, "log.txt").touch()
    assert dict(tables.outputs()) == {
        os.path.join(folder, "0.csv"): os.path.join("results", "x" * 150 + ".csv"),
        other: os.path.join("results", "a.csv.gz"),
        os.path.join(folder, "log.txt"): os.path.join("results", "log.txt"),
    }
    told = tables.in_users_terms(f"cannot write {folder}{os.sep}0.csv")
    assert told == f"cannot write {os.path.join('results', 'x' * 150 + '.csv')}"


def test_on_windows_a_long_folder_is_named_without_its_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    deep = "C:\\" + "\\".join(["results"] * 30)
    assert extended(deep) == "\\\\?\\" + deep
    assert extended("\\\\?\\" + deep) == "\\\\?\\" + deep
    assert extended("C:\\results") == "C:\\results"
    assert extended("\\\\server\\share" + deep[2:]) == "\\\\?\\UNC\\server\\share" + deep[2:]
    monkeypatch.setattr(attempts, "_IS_WINDOWS", True)
    file = SimulationFile(3, "case.sim", 1)
    assert attempts.attempt_folder(deep, file, 1).startswith("\\\\?\\")

"""io-buffering: the bytes of pandas, on disk when the file ends; the next files in the cache."""

from __future__ import annotations

import contextlib
import csv
import os
import subprocess
import sys
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pluggy
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from plugin_settings import settings_of

from digitalmodel_optimizer.plugin import (
    Batch,
    BatchReport,
    ErrorKind,
    FileError,
    FileResult,
    FileTask,
    OutputFile,
    Progress,
    Settings,
    SimulationFile,
    hookimpl,
    hookspecs,
)
from digitalmodel_optimizer.plugin.hookspecs import PROJECT_NAME
from digitalmodel_optimizer_plugins import io_buffering
from digitalmodel_optimizer_plugins.io_buffering import csv_writer as _exact_csv
from digitalmodel_optimizer_plugins.io_buffering import write_behind as _write_behind
from digitalmodel_optimizer_plugins.io_buffering.csv_writer import exact_csv
from digitalmodel_optimizer_plugins.io_buffering.read_ahead import ReadAhead
from digitalmodel_optimizer_plugins.io_buffering.write_behind import Ledger, Writer

pytestmark = pytest.mark.filterwarnings("error")

FILE = SimulationFile(0, "a.sim", 1_000_000)
BATCH = Batch("b", (FILE,), "results")
REPORT = BatchReport(BATCH, (), None, "serial", 0.0, (), (), 0.0)


def run_settings(**options: Any) -> Settings:
    return settings_of(io_buffering, **options)


class Engine:
    """The core's part: writes tables through the hook, as the engine's own loop would."""

    def __init__(self, body: Callable[[Callable[..., bool | None]], FileResult]) -> None:
        self.body = body
        self.manager = pluggy.PluginManager(PROJECT_NAME)
        self.manager.add_hookspecs(hookspecs)
        self.manager.register(self)
        self.manager.register(io_buffering)

    @hookimpl
    def optimizer_process_file(self, task: FileTask, settings: Settings) -> FileResult:
        def write(table: pd.DataFrame, path: Path, **options: Any) -> bool | None:
            taken: bool | None = self.manager.hook.optimizer_write_table(
                table=table, path=path, final=path, options=options, settings=settings
            )
            if not taken:
                table.to_csv(path, **options)
            return taken

        return self.body(write)

    def run(self, settings: Settings | None = None) -> FileResult:
        result: FileResult = self.manager.hook.optimizer_process_file(
            task=FileTask(FILE, 1), settings=settings or run_settings()
        )
        return result


@pytest.fixture(autouse=True)
def no_thread_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    io_buffering.optimizer_batch_finished(BATCH, REPORT, run_settings())
    assert set(threading.enumerate()) <= before


def until(condition: Callable[[], Any], timeout_s: float = 5.0) -> bool:
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


# --- the bytes ----------------------------------------------------------------------------------

text = st.text(max_size=8) | st.sampled_from(
    ["a,b", 'say "x"', "two\nlines", "r\r\nn", "é ✓ 漢字 🌊", " ", "", "'", "\ud800", "1e5", "NaN"]
)
columns = st.one_of(
    st.lists(st.floats(width=64) | st.none(), min_size=3, max_size=3),
    st.lists(st.integers(-(2**62), 2**62), min_size=3, max_size=3),
    st.lists(text | st.none() | st.floats(), min_size=3, max_size=3),
    st.lists(st.booleans(), min_size=3, max_size=3),
    st.just(list(pd.date_range("2024-01-01", periods=3, freq="h"))),
)
names = st.lists(text, min_size=0, max_size=4, unique=True)
written = st.fixed_dictionaries(
    {},
    optional={
        "index": st.booleans(),
        "header": st.booleans(),
        "sep": st.sampled_from([",", ";", "\t"]),
        "na_rep": st.sampled_from(["", "NaN"]),
        "float_format": st.sampled_from(["%.3f", "%g"]),
        "quoting": st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
        "lineterminator": st.sampled_from(["\n", "\r\n"]),
        "decimal": st.sampled_from([".", ","]),
    },
)


@st.composite
def frames(draw: st.DrawFn) -> pd.DataFrame:
    table = pd.DataFrame({name: draw(columns) for name in draw(names)})
    return table.head(draw(st.integers(0, 3)))


def attempt(write: Callable[[], Any]) -> str:
    """The name of the error that a write ends with, or nothing."""
    try:
        write()
    except Exception as error:
        return repr(error)
    return ""


@settings(
    max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(table=frames(), options=written)
def test_a_table_has_the_bytes_and_the_errors_of_pandas(
    tmp_path: Path, table: pd.DataFrame, options: dict[str, Any]
) -> None:
    ours, theirs = tmp_path / "ours.csv", tmp_path / "theirs.csv"
    failed: list[str] = []

    def body(write: Callable[..., bool | None]) -> FileResult:
        failed.append(attempt(lambda: write(table, ours, **options)))
        return FileResult(FILE, payload=1)

    result = Engine(body).run(run_settings(write_buffer_kb=4))
    assert failed == [attempt(lambda: table.to_csv(theirs, **options))]
    assert result.error is None
    assert ours.read_bytes() == theirs.read_bytes()


@pytest.mark.parametrize("scale", [1e-7, 1e-4, 1.0, 1e5, 1e14])
def test_a_long_table_of_rounded_signals_has_the_bytes_of_pandas(scale: float) -> None:
    """Signals that cross zero hold the few values that need another spelling."""
    signal = np.random.default_rng(7).normal(0.0, scale, (20_000, 4))
    signal[::977, 1], signal[::499, 2], signal[5, 3] = np.nan, 0.0, -np.inf
    table = pd.DataFrame(signal, columns=["time", "x", "Tension, End A", "y"]).round(6)
    assert exact_csv(table, {"index": False}) == table.to_csv(None, index=False).encode()
    table["step"] = range(len(table))
    assert exact_csv(table, {"index": False}) == table.to_csv(None, index=False).encode()


signals = st.lists(
    st.floats()
    | st.floats(-1e-3, 1e-3).map(lambda value: round(value, 6))
    | st.sampled_from([0.0, -0.0, 1e-4, -1e-5, 9.9e-5, 1e15, -1e16, np.nan, np.inf, -np.inf]),
    min_size=24,
    max_size=24,
)


@pytest.mark.parametrize("layout", ["columns", "rows", "strided", "one row", "constant"])
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=signals)
def test_blocks_of_any_layout_have_the_bytes_of_pandas_and_leave_the_table_as_it_was(
    monkeypatch: pytest.MonkeyPatch, layout: str, data: list[float]
) -> None:
    monkeypatch.setattr(_exact_csv, "_BLOCK_VALUES", 8)
    monkeypatch.setattr(_exact_csv, "_LEAST_ROWS", 1)
    values = np.array(data).reshape(12, 2)
    table = {
        "columns": pd.DataFrame({"a": values[:, 0], "b": values[:, 1]}, copy=False),
        "rows": pd.DataFrame(values, columns=["a", "b"], copy=False),
        "strided": pd.DataFrame(values, columns=["a", "b"], copy=False).iloc[::3],
        "one row": pd.DataFrame(values.reshape(1, 24), columns=[f"c{n}" for n in range(24)]),
        "constant": pd.DataFrame(np.full((12, 3), data[0]), columns=["a", "b", "c"]),
    }[layout]
    before, expected = table.copy(deep=True), table.to_csv(None, index=False).encode()
    assert exact_csv(table, {"index": False}) == expected
    pd.testing.assert_frame_equal(table, before, check_exact=True)


def test_single_precision_is_left_to_pandas() -> None:
    table = pd.DataFrame(np.linspace(0, 1, 6, dtype=np.float32).reshape(3, 2), columns=["a", "b"])
    assert exact_csv(table, {"index": False}) is None


def test_a_long_table_takes_little_more_memory_than_its_text() -> None:
    signal = np.random.default_rng(7).normal(0.0, 100.0, (40_000, 30))
    table = pd.DataFrame(dict(zip(map(str, range(30)), signal.T, strict=True)), copy=False)
    tracemalloc.start()
    try:
        size = len(exact_csv(table, {"index": False}) or b"")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2.3 * size  # twice while the blocks are joined


numbers = st.lists(st.floats() | st.integers(-9, 9).map(lambda n: 10.0**n), min_size=3, max_size=3)
whole = st.lists(st.integers(-(2**63), 2**63 - 1), min_size=3, max_size=3)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.dictionaries(text, numbers | whole, max_size=4))
def test_a_table_of_numbers_has_the_bytes_of_pandas(
    tmp_path: Path, data: dict[str, list[Any]]
) -> None:
    """As the engine writes its time series: without an index."""
    table = pd.DataFrame(data)
    test_a_table_has_the_bytes_and_the_errors_of_pandas.hypothesis.inner_test(  # type: ignore[attr-defined]
        tmp_path, table, {"index": False}
    )


def test_a_large_table_is_written_in_several_pieces(tmp_path: Path) -> None:
    table = pd.DataFrame({"x": range(200_000), "y": [n / 7 for n in range(200_000)]})
    path = tmp_path / "large.csv"

    def body(write: Callable[..., bool | None]) -> FileResult:
        assert write(table, path) is True
        outputs = (OutputFile(str(path), "final.csv", 0), OutputFile("other", "other", 5))
        return FileResult(FILE, payload=1, outputs=outputs, notes={"gc": {"collect_s": 1.0}})

    result = Engine(body).run(run_settings(fsync=True))
    assert path.read_bytes() == table.to_csv(None).encode()
    assert [output.size_bytes for output in result.outputs] == [path.stat().st_size, 5]
    assert result.notes["gc"] == {"collect_s": 1.0}
    notes = result.notes[io_buffering.NAME]
    assert notes["written_mb"] == pytest.approx(path.stat().st_size / 1e6)
    assert set(notes) == {"written_mb", "write_s", "wait_s"}
    assert notes["write_s"] > 0


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("t.csv", {"encoding": "utf-16"}),
        ("t.csv", {"mode": "a"}),
        ("t.csv", {"compression": "gzip"}),
        ("t.csv", {"errors": "replace"}),
        ("t.csv", {"storage_options": None}),
        ("t.csv.gz", {}),
        ("t.zip", {}),
    ],
)
def test_what_is_more_than_text_is_left_to_pandas(
    tmp_path: Path, name: str, options: dict[str, Any]
) -> None:
    table = pd.DataFrame({"x": [1, 2]})

    def body(write: Callable[..., bool | None]) -> FileResult:
        assert write(table, tmp_path / name, **options) is None
        return FileResult(FILE, payload=1)

    result = Engine(body).run()
    assert io_buffering.NAME not in result.notes
    assert (tmp_path / name).stat().st_size > 0


def test_appending_by_pandas_follows_what_is_queued(tmp_path: Path) -> None:
    table = pd.DataFrame({"x": range(100_000)})
    path = tmp_path / "t.csv"

    def body(write: Callable[..., bool | None]) -> FileResult:
        assert write(table, path) is True
        assert write(table, path, mode="a") is None
        return FileResult(FILE, payload=1)

    Engine(body).run()
    assert path.read_bytes() == 2 * table.to_csv(None).encode()


def test_outside_of_a_file_nothing_is_taken(tmp_path: Path) -> None:
    table = pd.DataFrame({"x": [1]})
    taken = io_buffering.optimizer_write_table(table, tmp_path / "t.csv", {}, run_settings())
    assert taken is None


# --- writing behind -----------------------------------------------------------------------------


def slow_disk(monkeypatch: pytest.MonkeyPatch, delay_s: float) -> list[float]:
    """Make each write take ``delay_s``; returns the times at which they ended."""
    ended: list[float] = []
    write = _write_behind._write

    def slowly(job: Any) -> Any:
        time.sleep(delay_s)
        fault = write(job)
        ended.append(time.monotonic())
        return fault

    monkeypatch.setattr(_write_behind, "_write", slowly)
    return ended


def test_the_file_goes_on_computing_while_its_table_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = slow_disk(monkeypatch, 0.2)
    handed_over: list[float] = []

    def body(write: Callable[..., bool | None]) -> FileResult:
        write(pd.DataFrame({"x": [1]}), tmp_path / "t.csv")
        handed_over.append(time.monotonic())
        return FileResult(FILE, payload=1)

    result = Engine(body).run()
    assert handed_over[0] < ended[0] <= time.monotonic()
    assert result.notes[io_buffering.NAME]["wait_s"] > 0.1


def test_the_queue_is_bounded_by_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slow_disk(monkeypatch, 0.1)
    writer, ledger = Writer(), Ledger()
    start = time.monotonic()
    for n in range(4):
        path = tmp_path / f"{n}"
        writer.put(ledger, path, b"x" * 100, chunk_bytes=10, queue_bytes=200, fsync=False)
    assert time.monotonic() - start > 0.15  # two fit, two had to wait
    writer.put(ledger, tmp_path / "4", b"x" * 1000, chunk_bytes=10, queue_bytes=200, fsync=False)
    writer.wait(ledger)
    writer.close()
    assert sorted(ledger.written_bytes.values()) == [100, 100, 100, 100, 1000]


def test_each_file_in_a_thread_answers_for_its_own_tables(tmp_path: Path) -> None:
    table = pd.DataFrame({"x": range(1000)})
    results: dict[str, FileResult] = {}

    def process(name: str) -> None:
        path = tmp_path / name / "t.csv"
        if name == "good":
            path.parent.mkdir()
        else:
            path.mkdir(parents=True)  # a folder stands where the table should be

        def body(write: Callable[..., bool | None]) -> FileResult:
            assert write(table, path) is True
            return FileResult(FILE, payload=1, outputs=(OutputFile(str(path), "final", 0),))

        results[name] = Engine(body).run()

    threads = [threading.Thread(target=process, args=(name,)) for name in ("good", "bad")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results["good"].error is None
    error = results["bad"].error
    assert error is not None
    assert error.kind is ErrorKind.OUTPUT
    assert str(tmp_path / "bad" / "t.csv") in error.message
    assert (results["bad"].payload, results["bad"].outputs) == (None, ())


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")
def test_a_full_disk_is_told_from_other_faults(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.symlink_to("/dev/full")

    def body(write: Callable[..., bool | None]) -> FileResult:
        assert write(pd.DataFrame({"x": [1]}), path) is True
        return FileResult(FILE, payload=1)

    error = Engine(body).run().error
    assert error is not None
    assert error.kind is ErrorKind.DISK_FULL
    assert error.message.endswith("the disk is full")
    assert not path.is_symlink()  # what was half-written is gone


def test_a_file_that_failed_keeps_its_own_error(tmp_path: Path) -> None:
    own = FileError(ErrorKind.ENGINE, "no such object")

    def body(write: Callable[..., bool | None]) -> FileResult:
        (tmp_path / "t.csv").mkdir()
        write(pd.DataFrame({"x": [1]}), tmp_path / "t.csv")
        return FileResult(FILE, error=own)

    assert Engine(body).run().error == own


def test_an_error_of_the_core_passes_and_the_next_file_starts_clean(tmp_path: Path) -> None:
    def failing(write: Callable[..., bool | None]) -> FileResult:
        (tmp_path / "t.csv").mkdir()
        write(pd.DataFrame({"x": [1]}), tmp_path / "t.csv")
        raise KeyError("of the core")

    with pytest.raises(KeyError, match="of the core"):
        Engine(failing).run()
    assert Engine(lambda write: FileResult(FILE, payload=1)).run() == FileResult(FILE, payload=1)


def test_the_writer_is_flushed_and_does_not_keep_the_process(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib\n"
        "from digitalmodel_optimizer_plugins.io_buffering import Ledger, _writer\n"
        "for n in range(20):\n"
        "    path = pathlib.Path(sys.argv[1], str(n))\n"
        "    _writer.put(Ledger(), path, b'x' * 1_000_000, chunk_bytes=100_000,"
        " queue_bytes=10**9, fsync=False)\n"
    )
    path = os.pathsep.join(p for p in sys.path if p)
    subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        check=True,
        timeout=20,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert [p.stat().st_size for p in tmp_path.iterdir()] == [1_000_000] * 20


# --- reading ahead ------------------------------------------------------------------------------


def progress_of(
    files: list[SimulationFile], running: int, done: int = 0, available_mb: float = 8000.0
) -> Progress:
    return Progress(
        files_total=len(files),
        files_done=done,
        files_failed=0,
        size_total_mb=sum(file.size_mb for file in files),
        size_done_mb=0.0,
        elapsed_s=1.0,
        running=tuple(files[done : done + running]),
        upcoming=tuple(files[done + running :]),
        workers_limit=running,
        memory_available_mb=available_mb,
    )


def reader(**changed: Any) -> ReadAhead:
    known: dict[str, Any] = {
        "most_files": 4,
        "budget_mb": None,
        "reserve_mb": 1000.0,
        "chunk_bytes": 1_000_000,
    }
    return ReadAhead(**{**known, **changed})


@pytest.fixture
def files(tmp_path: Path) -> list[SimulationFile]:
    """Ten files that say 100 MB and hold 3; each told size is what the budgets see."""
    made = []
    for n in range(10):
        path = tmp_path / f"{n}.sim"
        path.write_bytes(os.urandom(3_000_000))
        made.append(SimulationFile(n, str(path), 100_000_000))
    return made


@contextlib.contextmanager
def stopping(ahead: ReadAhead) -> Iterator[ReadAhead]:
    try:
        yield ahead
    finally:
        ahead.stop()


def indexes(chosen: list[SimulationFile]) -> list[int]:
    return [file.index for file in chosen]


def test_as_many_files_are_read_ahead_as_are_running(files: list[SimulationFile]) -> None:
    with stopping(reader()) as ahead:
        assert indexes(ahead.consider(progress_of(files, running=2))) == [2, 3]
        assert indexes(ahead.consider(progress_of(files, running=2))) == []  # never twice
        assert indexes(ahead.consider(progress_of(files, running=2, done=1))) == [4]
        assert indexes(ahead.consider(progress_of(files, running=5, done=1))) == [6, 7, 8, 9]
        assert indexes(ahead.consider(progress_of(files, running=0, done=10))) == []
        assert indexes(ahead.consider(progress_of([], running=0))) == []


@pytest.mark.parametrize(
    ("changed", "available_mb", "expected"),
    [
        ({"budget_mb": 250.0}, 8000.0, [4, 5]),
        ({}, 1300.0, [4, 5, 6]),  # a quarter of what is available is 325 MB
        ({}, 1250.0, [4, 5]),  # the reserve
        ({}, 1050.0, []),
        ({"most_files": 1}, 8000.0, [4]),
        ({"budget_mb": 0.0}, 8000.0, []),
    ],
)
def test_reading_ahead_keeps_to_its_budgets(
    files: list[SimulationFile], changed: dict[str, Any], available_mb: float, expected: list[int]
) -> None:
    with stopping(reader(**changed)) as ahead:
        chosen = ahead.consider(progress_of(files, running=4, available_mb=available_mb))
        assert indexes(chosen) == expected


@pytest.mark.parametrize("platform", [sys.platform, "elsewhere"])
def test_files_are_read_to_their_end_and_missing_ones_ignored(
    files: list[SimulationFile], monkeypatch: pytest.MonkeyPatch, platform: str
) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    Path(files[2].path).unlink()
    with stopping(reader()) as ahead:
        ahead.consider(progress_of(files, running=2))
        assert until(lambda: ahead.files == 2)
        assert ahead.read_mb == pytest.approx(3.0)


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux what is in its cache")
def test_a_file_read_ahead_is_in_the_system_cache_as_a_whole(files: list[SimulationFile]) -> None:
    path = files[1].path
    with open(path, "rb") as stream:
        os.fsync(stream.fileno())
        os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    if _cached(path) is None or _cached(path) > 0.5:
        pytest.skip("cannot see or empty the cache here")
    with stopping(reader()) as ahead:
        ahead.consider(progress_of(files, running=1))
        assert until(lambda: _cached(path) > 0.95)


def _cached(path: str) -> Any:
    """The part of a file that is in the page cache, by fincore of util-linux; None without it."""
    try:
        out = subprocess.run(
            ["fincore", "--bytes", "--noheadings", "--output", "RES", path],
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return int(out.stdout) / os.path.getsize(path)


def test_stopping_does_not_wait_for_a_large_file(
    files: list[SimulationFile], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", "elsewhere")
    path = Path(files[1].path)
    with path.open("r+b") as stream:
        stream.truncate(200_000_000_000)  # a sparse file: no disk is used
    ahead = reader()
    ahead.consider(progress_of(files, running=1))
    time.sleep(0.05)
    start = time.monotonic()
    ahead.stop()
    assert time.monotonic() - start < 2
    assert ahead.consider(progress_of(files, running=2)) == []


def test_the_hooks_read_ahead_within_a_batch_only(files: list[SimulationFile]) -> None:
    progress = progress_of(files, running=1)
    io_buffering.optimizer_progress(progress, run_settings())
    assert io_buffering._read_ahead is None
    io_buffering.optimizer_batch_started(BATCH, run_settings(read_ahead_files=0))
    assert io_buffering._read_ahead is None
    io_buffering.optimizer_batch_started(BATCH, run_settings())
    io_buffering.optimizer_progress(progress, run_settings())
    ahead = io_buffering._read_ahead
    assert ahead is not None
    assert until(lambda: ahead.files == 1)
    io_buffering.optimizer_batch_finished(BATCH, REPORT, run_settings())
    assert io_buffering._read_ahead is None

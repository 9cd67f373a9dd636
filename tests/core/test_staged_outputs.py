"""Outputs get their final names whole, and an interrupted batch finds what it had finished."""

from __future__ import annotations

import errno
import io
import os
import pickle
import struct
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from digitalmodel_optimizer.batch.finished import stamp
from digitalmodel_optimizer.batch.staging import (
    FOLDER_PREFIX,
    JOURNAL_NAME,
    Staging,
    batch_identifier,
)
from digitalmodel_optimizer.file.attempts import attempt_folder
from digitalmodel_optimizer.plugin import (
    ErrorKind,
    FileError,
    FileResult,
    OutputError,
    OutputFile,
    SimulationFile,
)
from digitalmodel_optimizer.plugin.atomic import publish
from digitalmodel_optimizer.plugin.errors import ends_batch
from digitalmodel_optimizer.plugin.journal import Journal
from digitalmodel_optimizer.tables.payload import EngineOutput, FileTables
from digitalmodel_optimizer.tables.publish import unwritable_name
from digitalmodel_optimizer.tables.row_tables import OneRow


def file(folder: Path, index: int, content: str = "sim") -> SimulationFile:
    path = folder / f"case_{index}.sim"
    if not path.exists():
        path.write_text(content)
    return SimulationFile(index, str(path), len(content))


def done(sim: SimulationFile, *outputs: OutputFile, **changes: Any) -> FileResult:
    """As a worker sends it."""
    row = OneRow(("fe_filename",), (sim.path,), ("x",), (np.float64(0.1),))
    payload = EngineOutput.of(FileTables(summary={"main": row}, records={"time_series": []}))
    return replace(
        FileResult(sim, payload=payload, outputs=outputs, input_stamp=stamp(sim.path)), **changes
    )


def result(folder: Path, index: int, name: str, text: str) -> FileResult:
    sim = file(folder, index)
    staged = Path(attempt_folder(str(folder / f"{FOLDER_PREFIX}abc"), sim, 1), name)
    staged.parent.mkdir(parents=True, exist_ok=True)
    staged.parent.parent.chmod(0o700)
    staged.write_text(text)
    return done(sim, OutputFile(str(staged), str(folder / name), len(text)))


def test_an_output_is_moved_into_place(tmp_path: Path) -> None:
    staging = Staging(str(tmp_path), "abc")
    assert staging.publish(result(tmp_path, 0, "a.csv", "one")) is None
    assert (tmp_path / "a.csv").read_text() == "one"


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_of_files_that_share_a_name_the_last_in_engine_order_wins(
    tmp_path: Path, order: tuple[int, ...]
) -> None:
    staging = Staging(str(tmp_path), "abc")
    for index in order:
        staging.publish(result(tmp_path, index, "a.csv", f"text {index}"))
    assert (tmp_path / "a.csv").read_text() == "text 2"


def test_it_also_wins_in_the_run_that_takes_up_an_interrupted_one(tmp_path: Path) -> None:
    staging = Staging(str(tmp_path), "abc")
    later = result(tmp_path, 1, "a.csv", "text 1")
    staging.publish(later)
    staging.note(later)
    staging.close()
    resumed = Staging(str(tmp_path), "abc")
    assert set(resumed.noted([file(tmp_path, 0), file(tmp_path, 1)])) == {1}
    resumed.publish(result(tmp_path, 0, "a.csv", "text 0"))
    assert (tmp_path / "a.csv").read_text() == "text 1"


def test_an_output_that_cannot_be_replaced_is_an_error_of_its_file(tmp_path: Path) -> None:
    (tmp_path / "a.csv").mkdir()
    fault = Staging(str(tmp_path), "abc").publish(result(tmp_path, 0, "a.csv", "one"))
    assert fault is not None
    assert fault.kind is ErrorKind.OUTPUT
    assert "is it open elsewhere?" in fault.message


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        *((code, ErrorKind.DISK_FULL) for code in (errno.ENOSPC, errno.EROFS, errno.EDQUOT)),
        *(
            (code, ErrorKind.OUTPUT)
            for code in (errno.ENAMETOOLONG, errno.EACCES, errno.EFBIG, errno.EIO)
        ),
    ],
)
def test_a_full_or_read_only_disk_is_told_from_what_costs_one_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, kind: ErrorKind
) -> None:
    staging = Staging(str(tmp_path), "abc")
    moved = result(tmp_path, 0, "a.csv", "one")

    def refuse(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "replace", refuse)
    error = staging.finish(moved).error
    assert error is not None
    assert error.kind is kind
    assert os.strerror(code) in error.message


def test_a_full_disk_under_the_journal_is_a_full_disk_and_another_fault_of_it_costs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for code, kind in ((errno.ENOSPC, ErrorKind.DISK_FULL), (errno.EIO, None)):
        staging = Staging(str(tmp_path), "abc")

        def refuse(*_: object, code: int = code) -> None:
            raise OSError(code, os.strerror(code))

        with monkeypatch.context() as patch:
            patch.setattr(Journal, "add", refuse)
            error = staging.finish(result(tmp_path, 0, "a.csv", "one")).error
        assert (error and error.kind) is kind
        staging.remove()


def test_a_folder_that_cannot_be_made_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "blocked").write_text("")
    with pytest.raises(OutputError, match="output_directory"):
        Staging(str(tmp_path / "blocked" / "results"), "abc")


def test_a_finished_file_is_found_again_as_long_as_nothing_changed(tmp_path: Path) -> None:
    staging = Staging(str(tmp_path), "abc")
    finished = result(tmp_path, 0, "a.csv", "one")
    assert staging.finish(finished) == finished
    files = [file(tmp_path, 0), file(tmp_path, 1)]
    assert staging.noted(files) == {0: finished}

    output = tmp_path / "a.csv"
    written = output.stat()
    output.write_text("somebody wrote here")
    assert staging.noted(files) == {}
    output.write_text("two")  # by another batch: as long, but it is not ours
    os.utime(output, ns=(written.st_atime_ns, written.st_mtime_ns + 1_000_000))
    assert staging.noted(files) == {}
    output.write_text("one")
    os.utime(output, ns=(written.st_atime_ns, written.st_mtime_ns))
    assert staging.noted(files) == {0: finished}
    Path(files[0].path).write_text("a new simulation")
    assert staging.noted(files) == {}
    staging.remove()


def test_a_file_that_was_replaced_while_it_was_read_is_not_taken_for_the_new_one(
    tmp_path: Path,
) -> None:
    """The stamp is that of the file as it was opened, not as it is when its result arrives."""
    staging = Staging(str(tmp_path), "abc")
    finished = result(tmp_path, 0, "a.csv", "one")
    Path(finished.file.path).write_text("a new simulation")
    staging.finish(finished)
    staging.close()
    assert Staging(str(tmp_path), "abc").noted([file(tmp_path, 0)]) == {}


def test_results_are_found_by_the_files_path_when_the_list_has_changed(tmp_path: Path) -> None:
    staging = Staging(str(tmp_path), "abc")
    for index in range(3):
        staging.finish(result(tmp_path, index, f"{index}.csv", "one"))
    staging.close()
    shorter = [replace(file(tmp_path, index), index=place) for place, index in enumerate((2, 0))]
    found = Staging(str(tmp_path), "abc").noted(shorter)
    assert [found[place].file for place in range(2)] == shorter
    assert found[0].outputs[0].final.endswith("2.csv")


def test_a_result_in_whose_outputs_place_another_files_is_left_is_not_kept(tmp_path: Path) -> None:
    """It would be taken up without its output, once the other file is not in the list."""
    staging = Staging(str(tmp_path), "abc")
    for index in (1, 0):
        staging.finish(result(tmp_path, index, "a.csv", f"text {index}"))
    files = [file(tmp_path, 0), file(tmp_path, 1)]
    assert set(staging.noted(files)) == {1}
    staging.remove()


@pytest.mark.parametrize(
    "changes",
    [
        {"payload": None},
        {"payload": {"summary": 1}},
        {"input_stamp": None},
        {"payload": EngineOutput.of(FileTables(records={"a": object})), "attempt": 1},
        {"notes": {"plugin": {"x": object()}}},
        {"warnings": "a text"},
        {"timings": None},
    ],
)
def test_a_result_that_is_none_or_has_no_plain_form_is_not_kept_and_costs_nothing(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    staging = Staging(str(tmp_path), "abc")
    wrong = done(file(tmp_path, 0), **changes)
    assert staging.finish(wrong).error is None
    assert staging.noted([file(tmp_path, 0)]) == {}
    staging.close()
    assert Staging(str(tmp_path), "abc").noted([file(tmp_path, 0)]) == {}


class Bomb:
    def __reduce__(self) -> Any:
        return (os.mkdir, ("exploded",))


@pytest.mark.parametrize(
    "content",
    [
        b"half a record",
        b"\0" * 100,
        pickle.dumps(Bomb()),
        struct.pack("<II", 3, zlib.crc32(b"abc")) + b"abc",
        struct.pack("<II", 2**31, 0) + b"x",
    ],
)
def test_what_is_no_journal_is_not_run_and_not_in_the_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    monkeypatch.chdir(tmp_path)
    staging = Staging(str(tmp_path), "abc")
    Path(staging.folder, JOURNAL_NAME).write_bytes(content)
    assert staging.noted([file(tmp_path, 0)]) == {}
    finished = done(file(tmp_path, 0))
    staging.finish(finished)
    assert staging.noted([file(tmp_path, 0)]).keys() <= {0}
    assert not (tmp_path / "exploded").exists()
    staging.remove()


def test_a_note_that_was_cut_off_costs_no_other(tmp_path: Path) -> None:
    staging = Staging(str(tmp_path), "abc")
    results = [done(file(tmp_path, index)) for index in range(3)]
    for finished in results[:2]:
        staging.finish(finished)
    staging.close()
    journal = Path(staging.folder, JOURNAL_NAME)
    journal.write_bytes(journal.read_bytes()[:-5])
    files = [finished.file for finished in results]

    resumed = Staging(str(tmp_path), "abc")
    assert resumed.noted(files) == {0: results[0]}
    resumed.finish(results[2])
    assert resumed.noted(files) == {0: results[0], 2: results[2]}
    resumed.remove()


def test_attempts_are_dropped_and_notes_kept(tmp_path: Path) -> None:
    staging = Staging(str(tmp_path), "abc")
    finished = result(tmp_path, 0, "a.csv", "one")
    staging.note(finished)
    staging.close()
    assert not Path(finished.outputs[0].staged).exists()
    assert Path(staging.folder, "lock").exists()
    Staging(str(tmp_path), "abc").remove()
    assert not list(tmp_path.glob(f"{FOLDER_PREFIX}*"))


def test_a_file_that_an_earlier_run_broke_off_at_is_known_by_its_path(tmp_path: Path) -> None:
    staging = Staging(str(tmp_path), "abc")
    at_work = result(tmp_path, 0, "half.csv", "ha")
    staging._lock.release()  # as the system does for a process that is killed
    resumed = Staging(str(tmp_path), "abc")
    files = [replace(file(tmp_path, 1), index=0), replace(file(tmp_path, 0), index=1)]
    assert resumed.broken_off(files) == {1}
    assert not Path(at_work.outputs[0].staged).exists(), "it might be taken for a new output"


def test_a_file_that_has_failed_is_not_said_to_have_been_broken_off(tmp_path: Path) -> None:
    staging = Staging(str(tmp_path), "abc")
    first = result(tmp_path, 0, "a.csv", "one")
    failed = FileResult(first.file, FileError(ErrorKind.ENGINE, "no"), attempt=1)
    staging.finish(failed)
    staging._lock.release()
    assert Staging(str(tmp_path), "abc").broken_off([first.file]) == frozenset()


def test_the_same_batch_has_the_same_identifier() -> None:
    parts = [{"a": [1, 2]}, "0.1.0"]
    assert batch_identifier(parts) == batch_identifier([*parts])
    assert batch_identifier(parts) != batch_identifier([*parts, "other"])
    assert batch_identifier(["ab", "c"]) != batch_identifier(["a", "bc"])


def test_a_record_of_which_the_system_takes_a_part_is_written_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Reluctant(io.FileIO):
        def write(self, data: Any) -> int:
            return super().write(bytes(data[:7]))

    def reluctant(descriptor: int, mode: str, **_: Any) -> io.FileIO:
        return Reluctant(descriptor, mode)

    journal = Journal(str(tmp_path / "journal"))
    with monkeypatch.context() as patch:
        patch.setattr("digitalmodel_optimizer.plugin.journal.open", reluctant, raising=False)
        for record in (b"a" * 100, b"b" * 100):
            journal.add(record)
        journal.close()
    assert journal.records() == [b"a" * 100, b"b" * 100]


# -- names ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["../a.csv", "x/../../a.csv", "/tmp/a.csv"])
def test_no_output_leaves_the_results_folder(tmp_path: Path, name: str) -> None:
    results = tmp_path / "results"
    results.mkdir()
    moved = result(results, 0, "a.csv", "one")
    staging = Staging(str(results), "abc")
    output = replace(moved.outputs[0], final=os.path.join(str(results), name))
    moved = replace(moved, outputs=(output,))
    Path(output.staged).parent.mkdir(exist_ok=True)
    Path(output.staged).write_text("one")
    error = staging.finish(moved).error
    assert error is not None
    assert error.kind is ErrorKind.OUTPUT
    assert "outside of the results folder" in error.message
    assert not (tmp_path / "a.csv").exists()


def test_a_name_that_no_table_can_hold_is_an_error_of_its_file() -> None:
    assert unwritable_name(SimulationFile(0, "sim/fine é.sim", 1)) is None
    error = unwritable_name(SimulationFile(0, "sim/caf\udce9.sim", 1))
    assert error is not None
    assert error.kind is ErrorKind.OUTPUT
    assert "caf\\udce9.sim" in error.message
    error.message.encode()


# -- Windows -------------------------------------------------------------------------------------


def sharing_violation(code: int) -> OSError:
    error = PermissionError(errno.EACCES, "somebody has it open")
    error.winerror = code  # type: ignore[attr-defined]
    return error


@pytest.mark.parametrize("code", [5, 32, 33])
def test_a_file_that_is_open_for_a_moment_is_replaced_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    (tmp_path / "staged").write_text("new")
    replace_, pauses = os.replace, iter(range(3))

    def refuse(staged: str, final: str) -> None:
        if next(pauses, None) is not None:
            raise sharing_violation(code)
        replace_(staged, final)

    slept: list[float] = []
    monkeypatch.setattr(os, "replace", refuse)
    publish(str(tmp_path / "staged"), str(tmp_path / "final"), slept.append)
    assert (tmp_path / "final").read_text() == "new"
    assert len(slept) == 3


def test_one_that_stays_open_is_given_up_within_a_second(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object) -> None:
        raise sharing_violation(32)

    slept: list[float] = []
    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(PermissionError):
        publish("staged", "final", slept.append)
    assert 0.2 < sum(slept) < 1.0


def test_windows_own_codes_of_a_full_disk_end_a_batch() -> None:
    assert ends_batch(sharing_violation(112))
    assert ends_batch(sharing_violation(39))
    assert not ends_batch(sharing_violation(32))
    assert not ends_batch(ValueError())

"""Outputs get their final names whole, and an interrupted batch finds what it had finished."""

from __future__ import annotations

import errno
import io
import os
from pathlib import Path
from typing import Any

import pytest

from digitalmodel_optimizer.batch.journal import Journal
from digitalmodel_optimizer.batch.staging import (
    FOLDER_PREFIX,
    JOURNAL_NAME,
    Staging,
    batch_identifier,
)
from digitalmodel_optimizer.plugin import (
    ErrorKind,
    FileResult,
    OutputError,
    OutputFile,
    SimulationFile,
)


def file(folder: Path, index: int, content: str = "sim") -> SimulationFile:
    path = folder / f"case_{index}.sim"
    if not path.exists():
        path.write_text(content)
    return SimulationFile(index, str(path), len(content))


def result(folder: Path, index: int, name: str, text: str) -> FileResult:
    staging = folder / f"{FOLDER_PREFIX}abc"
    staged = staging / f"{index}-1" / name
    staged.parent.mkdir(parents=True, exist_ok=True)
    staged.write_text(text)
    output = OutputFile(str(staged), str(folder / name), len(text))
    return FileResult(file(folder, index), outputs=(output,))


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


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS])
def test_a_full_or_read_only_disk_ends_the_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    staging = Staging(str(tmp_path), "abc")
    moved = result(tmp_path, 0, "a.csv", "one")

    def refuse(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(OutputError, match=os.strerror(code)):
        staging.publish(moved)


def test_a_folder_that_cannot_be_made_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "blocked").write_text("")
    with pytest.raises(OutputError, match="output_directory"):
        Staging(str(tmp_path / "blocked" / "results"), "abc")


def test_a_finished_file_is_found_again_as_long_as_nothing_changed(tmp_path: Path) -> None:
    staging = Staging(str(tmp_path), "abc")
    done = result(tmp_path, 0, "a.csv", "one")
    staging.publish(done)
    staging.note(done)
    staging.close()
    files = [file(tmp_path, 0), file(tmp_path, 1)]
    assert staging.noted(files) == {0: done}

    output = tmp_path / "a.csv"
    written = output.stat()
    output.write_text("somebody wrote here")
    assert staging.noted(files) == {}
    output.write_text("two")  # by another batch: as long, but it is not ours
    os.utime(output, ns=(written.st_atime_ns, written.st_mtime_ns + 1_000_000))
    assert staging.noted(files) == {}
    output.write_text("one")
    os.utime(output, ns=(written.st_atime_ns, written.st_mtime_ns))
    assert staging.noted(files) == {0: done}
    Path(files[0].path).write_text("a new simulation")
    assert staging.noted(files) == {}


def test_a_note_that_cannot_be_read_is_no_note(tmp_path: Path) -> None:
    staging = Staging(str(tmp_path), "abc")
    Path(staging.folder, JOURNAL_NAME).write_bytes(b"half a pick")
    assert staging.noted([file(tmp_path, 0)]) == {}


def test_a_note_that_was_cut_off_costs_no_other(tmp_path: Path) -> None:
    staging = Staging(str(tmp_path), "abc")
    results = [FileResult(file(tmp_path, index)) for index in range(3)]
    for done in results[:2]:
        staging.note(done)
    staging.close()
    journal = Path(staging.folder, JOURNAL_NAME)
    journal.write_bytes(journal.read_bytes()[:-5])
    files = [done.file for done in results]

    resumed = Staging(str(tmp_path), "abc")
    assert resumed.noted(files) == {0: results[0]}
    resumed.note(results[2])
    assert resumed.noted(files) == {0: results[0], 2: results[2]}
    resumed.remove()


def test_attempts_are_dropped_and_notes_kept(tmp_path: Path) -> None:
    staging = Staging(str(tmp_path), "abc")
    done = result(tmp_path, 0, "a.csv", "one")
    staging.note(done)
    staging.close()
    assert not Path(done.outputs[0].staged).exists()
    assert Path(staging.folder, JOURNAL_NAME).exists()
    staging.remove()
    assert not list(tmp_path.glob(f"{FOLDER_PREFIX}*"))


def test_the_same_batch_has_the_same_identifier() -> None:
    parts = [{"a": [1, 2]}, ("x.sim",), "0.1.0"]
    assert batch_identifier(parts) == batch_identifier([*parts])
    assert batch_identifier(parts) != batch_identifier([*parts, "other"])
    assert batch_identifier(["ab", "c"]) != batch_identifier(["a", "bc"])


def test_a_record_of_which_the_system_takes_a_part_is_written_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Reluctant(io.FileIO):
        def write(self, data: Any) -> int:
            return super().write(bytes(data[:7]))

    def reluctant(path: Path, mode: str, **_: Any) -> io.FileIO:
        return Reluctant(path, mode)

    journal = Journal(tmp_path / "journal")
    with monkeypatch.context() as patch:
        patch.setattr("digitalmodel_optimizer.batch.journal.open", reluctant, raising=False)
        for record in ("a" * 100, "b" * 100):
            journal.add(record)
        journal.close()
    assert list(journal.records()) == ["a" * 100, "b" * 100]

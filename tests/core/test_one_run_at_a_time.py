"""Of two runs of one batch one gets in, the other is told who has it; leftovers go."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import filelock
import pytest

from digitalmodel_optimizer.batch import folder_lock
from digitalmodel_optimizer.batch.folder_lock import FolderLock
from digitalmodel_optimizer.batch.staging import FOLDER_PREFIX, Staging
from digitalmodel_optimizer.plugin import OutputError

ENTER = """
import sys
from digitalmodel_optimizer.batch.staging import Staging
from digitalmodel_optimizer.plugin import OutputError
print("ready", flush=True)
sys.stdin.readline()
try:
    staging = Staging(sys.argv[1], "abc", "dm_fsts.yml")
    print("in", flush=True)
except OutputError as error:
    print(error, flush=True)
sys.stdin.readline()
"""


class Run:
    """Another process that enters a results folder when told to, and stays until it is ended."""

    def __init__(self, folder: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", ENTER, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._line() == "ready"

    def _line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def go(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def enter(self) -> str:
        self.go()
        return self._line()

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def runs(tmp_path: Path) -> Any:
    started: list[Run] = []

    def start() -> Run:
        started.append(Run(tmp_path))
        return started[-1]

    yield start
    for run in started:
        run.kill()


def test_of_several_that_start_at_once_one_gets_in(tmp_path: Path, runs: Any) -> None:
    several = [runs() for _ in range(6)]
    for run in several:
        run.go()
    said = [run._line() for run in several]
    assert said.count("in") == 1, said
    assert sum("another run of this batch" in line for line in said) == 5


def test_the_second_is_told_who_has_it_and_since_when(tmp_path: Path, runs: Any) -> None:
    first = runs()
    assert first.enter() == "in"
    with pytest.raises(OutputError) as refused:
        Staging(str(tmp_path), "abc")
    note = json.loads(Path(tmp_path, f"{FOLDER_PREFIX}abc", "owner.json").read_text())
    assert note["pid"] == first.process.pid
    assert note["source"] == str(Path("dm_fsts.yml").absolute())
    for part in (f"process {first.process.pid} of", note["host"], note["since"], "wait for it"):
        assert part in str(refused.value)


def test_a_run_that_is_killed_leaves_the_lock_free(tmp_path: Path, runs: Any) -> None:
    first = runs()
    assert first.enter() == "in"
    first.kill()
    Staging(str(tmp_path), "abc").remove()


def test_neither_a_process_number_nor_a_time_in_the_note_counts(tmp_path: Path) -> None:
    """An equal number in another container is somebody else; a clock may be set."""
    holder = Staging(str(tmp_path), "abc")
    note = Path(holder.folder, "owner.json")
    note.write_text(json.dumps({"pid": os.getpid(), "since": "1970", "host": "\x1b[31mevil"}))
    with pytest.raises(OutputError, match=r"on \[31mevil, since 1970"):
        Staging(str(tmp_path), "abc")
    note.write_bytes(b"\xff not json")
    with pytest.raises(OutputError, match="another run of this batch"):
        Staging(str(tmp_path), "abc")
    holder.remove()
    Staging(str(tmp_path), "abc").remove()
    assert not list(tmp_path.iterdir())


def test_a_lock_is_released_on_whatever_thread(tmp_path: Path) -> None:
    staging = Staging(str(tmp_path), "abc")
    thread = threading.Thread(target=staging.close)
    thread.start()
    thread.join()
    Staging(str(tmp_path), "abc").remove()


@pytest.mark.skipif(sys.platform == "win32", reason="a locked file cannot be removed there")
def test_the_lock_of_a_file_that_has_been_removed_is_no_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that ends removes the file between another one's opening and locking it."""
    lock, real = FolderLock(str(tmp_path)), folder_lock._take
    removed = iter([True])

    def take(file_lock: Any) -> bool:
        taken = real(file_lock)
        if next(removed, False):
            os.unlink(tmp_path / "lock")
        return taken

    monkeypatch.setattr(folder_lock, "_take", take)
    assert lock.acquire()
    assert not FolderLock(str(tmp_path)).acquire(), "two hold a lock, on two files"
    lock.release()


@pytest.mark.parametrize("error", [NotImplementedError(), OSError(errno.ENOLCK, "no locks")])
def test_without_locks_in_the_file_system_a_file_is_the_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(filelock.FileLock, "acquire", refuse)
    first = Staging(str(tmp_path), "abc")
    with pytest.raises(OutputError, match="another run of this batch"):
        Staging(str(tmp_path), "abc")
    first.close()
    Staging(str(tmp_path), "abc").close()

    marker = Path(first.folder, "lock.holder")
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    marker.write_text(json.dumps({"machine": folder_lock._machine(), "pid": gone.pid}))
    Staging(str(tmp_path), "abc").close()
    marker.write_text(json.dumps({"machine": "elsewhere", "pid": gone.pid}))
    with pytest.raises(OutputError, match="another run of this batch"):
        Staging(str(tmp_path), "abc")


def test_what_earlier_batches_of_the_same_file_have_left_goes_at_the_end(tmp_path: Path) -> None:
    folders = {
        name: Staging(str(tmp_path), name, source)
        for name, source in (("old", "dm.yml"), ("other", "dm_lngc.yml"), ("running", "dm.yml"))
    }
    Path(folders["old"].folder, "0-1-00000000").mkdir()
    folders["old"].close()
    folders["other"].close()
    last = Staging(str(tmp_path), "new", "dm.yml")
    last.remove_outdated()
    last.remove()
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {f"{FOLDER_PREFIX}other", f"{FOLDER_PREFIX}running"}
    folders["running"].remove()

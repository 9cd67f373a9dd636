"""The folder in which a batch keeps unfinished outputs, and their way to their final names.

It lies inside the results folder, so that moving an output into place is a rename within one file
system: a final name holds a whole output or none. Results of finished files are noted there too,
so that an interrupted batch can go on. Others may be allowed to write to the results folder:
the staging folder is for its owner alone, and nothing in it is executed.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

from digitalmodel_optimizer.batch.adoption import Adoption
from digitalmodel_optimizer.batch.finished import Finished, record_of, stamp
from digitalmodel_optimizer.batch.folder_lock import FolderLock
from digitalmodel_optimizer.file.attempts import attempt_folder, attempted, path_key
from digitalmodel_optimizer.plugin import (
    ErrorKind,
    FileError,
    FileResult,
    OutputError,
    SimulationFile,
)
from digitalmodel_optimizer.plugin.atomic import publish
from digitalmodel_optimizer.plugin.errors import ends_batch
from digitalmodel_optimizer.plugin.journal import Journal
from digitalmodel_optimizer.plugin.private import make_private, remove_tree, why_not_private
from digitalmodel_optimizer.tables.publish import leaves, not_replaced

FOLDER_PREFIX = ".dmo-"
JOURNAL_NAME = "finished.journal"
_TRIES = 3


class Staging:
    """The staging folder of one batch, locked until :meth:`close` or :meth:`remove`.

    ``identifier`` is the same for the same batch run again, ``source`` the user's file that it was
    made of.

    :raises OutputError: the results folder cannot be written to, another run has the lock, or
        something that is not ours stands where the folder should be.
    """

    def __init__(self, results_folder: str, identifier: str, source: str | None = None) -> None:
        self.results_folder = results_folder
        self.folder = staging_folder(results_folder, identifier)
        self._source = None if source is None else os.path.abspath(source)
        self.adoption = Adoption(results_folder)
        self._journal: Journal | None = Journal(os.path.join(self.folder, JOURNAL_NAME))
        try:
            os.makedirs(results_folder, exist_ok=True)
            self._lock = self._enter()
            self._lock.write_note(self._source)
            self._left_over = self._empty_attempts()
        except OSError as error:
            raise OutputError(not_writable(results_folder, error.strerror)) from error

    def _enter(self) -> FolderLock:
        for left in reversed(range(_TRIES)):
            make_private(self.folder)
            lock = FolderLock(self.folder)
            try:
                if lock.acquire():
                    return lock
            except FileNotFoundError:  # removed by a run that ends just now
                if not left:
                    raise
                continue
            raise OutputError(in_use(self.results_folder, lock))
        raise AssertionError

    def _empty_attempts(self) -> frozenset[str]:
        """Which files an earlier run was at when it broke off; what it has left of them goes."""
        left_over = attempted(self.folder)
        for name in left_over:
            folder = os.path.join(self.folder, name)
            remove_tree(folder)
            with contextlib.suppress(OSError):
                os.mkdir(folder, 0o700)  # for the run after this one, should this one break off too
        return frozenset(left_over.values())

    # -- a file has finished -----------------------------------------------------------------

    def finish(self, result: FileResult) -> FileResult:
        """Move a file's outputs into place, keep its result, and clear what attempts have left.

        :return: the result, or the error for which it has none; of the kind ``DISK_FULL`` nothing
            more can be written for any file.
        """
        if result.error is None:
            fault = self.publish(result) or self.note(result)
            if fault is not None:
                result = replace(result, error=fault, payload=None, outputs=())
        self.clear(result)
        return result

    def publish(self, result: FileResult) -> FileError | None:
        """Move a file's outputs into place; on a name that two files share the later file wins.

        :return: why an output could not be moved, e.g. because it is open elsewhere.
        """
        index = result.file.index
        for output in result.outputs:
            if leaves(self.results_folder, output.final) or leaves(self.folder, output.staged):
                return FileError(
                    ErrorKind.OUTPUT,
                    f"{output.final} is outside of the results folder, so it is not written; "
                    "rename the group or the file",
                )
        for output in result.outputs:
            if self.adoption.published.get(output.final, -1) > index:
                continue
            try:
                publish(output.staged, output.final)
            except OSError as error:
                return _fault(error, output.final, not_replaced(output.final, error))
            self.adoption.published[output.final] = index
        return None

    def note(self, result: FileResult) -> FileError | None:
        """Keep a finished file's result for a later run of the same batch, if it can be kept.

        :return: why nothing more can be written, if so.
        """
        stamps = tuple(stamp(output.final) for output in result.outputs)
        self.adoption.finished[result.file.index] = Finished(result, stamps)
        record = self.record(result)
        try:
            if record is not None and self._journal is not None:
                self._journal.add(record)
        except OSError as error:
            if ends_batch(error):
                return _fault(error, self.folder)
            self._close_journal()  # no reason to lose a result: it will be computed again
            self._journal = None
        return None

    def record(self, result: FileResult) -> bytes | None:
        """The plain form of a result whose outputs are in place; None if it has none."""
        index = result.file.index
        finished = self.adoption.finished.get(index)
        if finished is None or any(
            self.adoption.published.get(o.final) != index for o in result.outputs
        ):
            return None  # with another file's output in its place
        return record_of(finished)

    def clear(self, result: FileResult) -> None:
        """Remove what the attempts at a file have left, whatever came of it."""
        for attempt in range(1, result.attempt + 1):
            remove_tree(attempt_folder(self.folder, result.file, attempt))

    # -- what an earlier run has left --------------------------------------------------------

    def noted(self, files: Sequence[SimulationFile]) -> dict[int, FileResult]:
        """Results that an interrupted run of this batch has left; see :class:`.Adoption`."""
        return self.adoption.noted(self._journal, files)

    def broken_off(self, files: Sequence[SimulationFile]) -> frozenset[int]:
        """Indices of files that an earlier run was processing when it ended without a word."""
        return indices_of(files, self._left_over)

    # -- the end -----------------------------------------------------------------------------

    def close(self) -> None:
        """Let go of the folder; what unfinished files have left is removed."""
        self._close_journal()
        self.discard_unfinished()
        self._lock.release()

    def discard_unfinished(self) -> None:
        """Remove outputs that are in no place of theirs: nobody writes them any more."""
        with contextlib.suppress(OSError), os.scandir(self.folder) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    remove_tree(entry.path)

    def remove(self) -> None:
        """Remove the folder, results of finished files included; :meth:`close` is not needed."""
        self._close_journal()
        _remove_locked(self.folder, self._lock)

    def _close_journal(self) -> None:
        if self._journal is not None:
            self._journal.close()

    def remove_outdated(self) -> None:
        """Remove what earlier, interrupted batches of the same user's file have left here.

        Only what is ours, and locked by nobody.
        """
        if self._source is None:
            return
        with contextlib.suppress(OSError), os.scandir(self.results_folder) as entries:
            others = [entry.path for entry in entries if entry.name.startswith(FOLDER_PREFIX)]
            for folder in others:
                if folder != self.folder:
                    with contextlib.suppress(OSError):
                        self._remove_if_outdated(folder)

    def _remove_if_outdated(self, folder: str) -> None:
        if why_not_private(folder) is not None:
            return
        lock = FolderLock(folder)
        if lock.source() == self._source and lock.acquire():
            _remove_locked(folder, lock)


def staging_folder(results_folder: str, identifier: str) -> str:
    return os.path.join(results_folder, FOLDER_PREFIX + identifier)


def indices_of(files: Sequence[SimulationFile], path_keys: Collection[str]) -> frozenset[int]:
    return frozenset(file.index for file in files if path_key(file) in path_keys)


def in_use(results_folder: str, lock: FolderLock) -> str:
    """The sentence for a batch of which another run is under way."""
    return (
        f"another run of this batch writes into {results_folder}: {lock.holder()}; wait for it or "
        "end it, or choose another results folder (file_management.output_directory)"
    )


def not_writable(results_folder: str, reason: str | None) -> str:
    """The sentence for a results folder that takes no files."""
    return (
        f"the results folder {results_folder} cannot be written to: {reason}; free it or choose "
        "another (file_management.output_directory)"
    )


def _fault(error: OSError, path: str, sentence: str = "") -> FileError:
    if ends_batch(error):
        return FileError(ErrorKind.DISK_FULL, f"{path}: {error.strerror}")
    return FileError(ErrorKind.OUTPUT, sentence)


def _remove_locked(folder: str, lock: FolderLock) -> None:
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if not lock.owns(entry.name):
                remove_tree(entry.path)
    lock.release(remove=True)
    with contextlib.suppress(OSError):  # the next run may be there already
        os.rmdir(folder)


def batch_identifier(parts: Sequence[Any]) -> str:
    """A short name that is the same for the same batch: configuration and versions."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(repr(part).encode("utf-8", "surrogatepass"))
        digest.update(b"\0")
    return base64.b32encode(digest.digest())[:10].decode().lower()

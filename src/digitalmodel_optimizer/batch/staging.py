"""The folder in which a batch keeps unfinished outputs, and their way to their final names.

It lies inside the results folder, so that moving an output into place is a rename within one file
system: a final name holds a whole output or none. Results of finished files are noted there too,
so that an interrupted batch can go on.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from digitalmodel_optimizer.batch.journal import Journal
from digitalmodel_optimizer.file.attempts import attempted
from digitalmodel_optimizer.plugin import (
    ErrorKind,
    FileError,
    FileResult,
    OutputError,
    SimulationFile,
)

FOLDER_PREFIX = ".digitalmodel-optimizer-"
JOURNAL_NAME = "finished.journal"
_BATCH_ENDING = {errno.ENOSPC, errno.EROFS, errno.EDQUOT}


class Staging:
    """The staging folder of one batch; ``identifier`` is the same for the same batch run again."""

    def __init__(self, results_folder: str, identifier: str) -> None:
        self.results_folder = results_folder
        self.folder = os.path.join(results_folder, FOLDER_PREFIX + identifier)
        self._published: dict[str, int] = {}
        self._journal = Journal(Path(self.folder, JOURNAL_NAME))
        try:
            os.makedirs(self.folder, exist_ok=True)
            self._lock()
        except OSError as error:
            raise OutputError(
                f"the results folder {results_folder} cannot be written to: {error.strerror}; "
                "free it or choose another (file_management.output_directory)"
            ) from error

    def _lock(self) -> None:
        """Keep a second run of the same batch out while this one is alive."""
        import psutil

        owner = Path(self.folder, "owner")
        with contextlib.suppress(OSError, ValueError, psutil.Error):
            pid, started = owner.read_text().split()
            other = psutil.Process(int(pid))
            if int(pid) != os.getpid() and str(other.create_time()) == started:
                raise OutputError(
                    f"process {pid} is running this very batch into {self.results_folder}; "
                    "wait for it or end it"
                )
        owner.write_text(f"{os.getpid()} {psutil.Process().create_time()}")

    def publish(self, result: FileResult) -> FileError | None:
        """Move a file's outputs into place; on a name that two files share the later file wins.

        :return: why an output could not be moved, e.g. because it is open elsewhere.
        :raises OutputError: the disk is full or read-only; nothing more can be written.
        """
        index = result.file.index
        for output in result.outputs:
            if self._published.get(output.final, -1) > index:
                continue
            try:
                os.replace(output.staged, output.final)
            except OSError as error:
                if error.errno in _BATCH_ENDING:
                    raise OutputError(f"{output.final}: {error.strerror}") from error
                return FileError(
                    ErrorKind.OUTPUT,
                    f"{output.final} cannot be replaced ({error.strerror}); is it open elsewhere?",
                )
            self._published[output.final] = index
        return None

    def note(self, result: FileResult) -> None:
        """Keep a finished file's result for a later run of the same batch."""
        self._journal.add((_stamps(result), result))

    def noted(self, files: Sequence[SimulationFile]) -> dict[int, FileResult]:
        """Results that an interrupted run of this batch has left, for files that are unchanged.

        So must their outputs be: another batch may have written to the same names meanwhile.
        """
        kept = {result.file.index: (stamps, result) for stamps, result in self._journal.records()}
        found: dict[int, FileResult] = {}
        for file in files:
            stamps, result = kept.get(file.index, (None, None))
            if result is not None and result.file.path == file.path and stamps == _stamps(result):
                found[file.index] = result
                # In the engine's order, so that of files that share a name the last one counts.
                self._published.update((item.final, file.index) for item in result.outputs)
        return found

    def broken_off(self) -> frozenset[int]:
        """Indices of files that an earlier run was processing when it ended without a word."""
        return attempted(self.folder)

    def clear(self, result: FileResult) -> None:
        """Remove the folders from which a file's outputs were moved."""
        for folder in {os.path.dirname(output.staged) for output in result.outputs}:
            try:
                os.rmdir(folder)
            except OSError:  # something stayed in it
                shutil.rmtree(folder, ignore_errors=True)

    def close(self) -> None:
        """Let go of the folder; what unfinished files have left is removed."""
        self._journal.close()
        with contextlib.suppress(OSError), os.scandir(self.folder) as entries:
            for entry in entries:
                if entry.is_dir():
                    shutil.rmtree(entry.path, ignore_errors=True)

    def remove(self) -> None:
        """Remove the folder, results of finished files included."""
        self._journal.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def _stamps(result: FileResult) -> tuple[tuple[str, int, int], ...]:
    """What tells whether a file or any of its outputs has been written to since."""
    return tuple(map(_stamp, (result.file.path, *(output.final for output in result.outputs))))


def _stamp(path: str) -> tuple[str, int, int]:
    try:
        status = os.stat(path)
        return (path, status.st_size, status.st_mtime_ns)
    except OSError:
        return (path, -1, -1)


def batch_identifier(parts: Sequence[Any]) -> str:
    """A short name that is the same for the same batch: configuration, files and versions."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(repr(part).encode())
        digest.update(b"\0")
    return digest.hexdigest()[:12]

"""The host's own loop over a few files, in a process that no plugin and no seam has touched.

A worker starts ``python -m digitalmodel_optimizer.batch.own_loop`` and waits for its end. What has
to be known comes on its standard input, which stays open: if it closes, the worker is gone, and
so is the reason to go on.
"""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any, BinaryIO

from digitalmodel_optimizer.file.attempts import attempt_folder
from digitalmodel_optimizer.file.failures import describe
from digitalmodel_optimizer.host.modules import import_host, select_library
from digitalmodel_optimizer.plugin import ErrorKind, FileError, FileResult, FileTask
from digitalmodel_optimizer.plugin.python_processes import why_no_python_processes
from digitalmodel_optimizer.watcher import ENVIRONMENT_VARIABLE

if TYPE_CHECKING:
    from digitalmodel_optimizer.batch.worker import BatchFacts

_TABLES, _LOG, _ERROR = "tables", "log.txt", "error.json"
_LAST_LETTERS = 2000
_LOST_STATUS = 3


def tables_folder(attempt: str, place: int) -> str:
    """Where the host's own loop leaves the tables of the list of files at this place."""
    return os.path.join(attempt, f"{_TABLES}-{place}")


def run_own_loop(task: FileTask, facts: bytes, staging: str) -> FileResult:
    """Run the host's own loop over ``task.own_loop`` and wait; tables are in the attempt's folder.

    :param facts: a pickled :class:`~digitalmodel_optimizer.batch.worker.BatchFacts`.
    """
    folder = attempt_folder(staging, task.file, task.attempt)
    os.makedirs(folder, exist_ok=True)
    error = _obstacle() or _run(task, facts, folder)
    return FileResult(file=task.file, error=error, attempt=task.attempt, worker=os.getpid())


def _obstacle() -> FileError | None:
    obstacle = why_no_python_processes()
    return None if obstacle is None else FileError(ErrorKind.ENGINE, obstacle)


def _run(task: FileTask, facts: bytes, folder: str) -> FileError | None:
    log = os.path.join(folder, _LOG)
    with open(log, "wb") as output:
        process = subprocess.Popen(  # noqa: S603 - this Python, this module
            [sys.executable, "-m", __name__],
            env={**os.environ, ENVIRONMENT_VARIABLE: "off"},
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            assert process.stdin is not None
            try:
                pickle.dump((facts, task, folder), process.stdin)
                process.stdin.flush()
            except OSError:  # its exit status says why
                pass
            status = process.wait()
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
            _close(process.stdin)
    return None if status == 0 else _error(folder, log, status)


def _close(stream: Any) -> None:
    try:
        stream.close()
    except OSError:  # what could not be sent
        pass


def _error(folder: str, log: str, status: int) -> FileError:
    """Why the loop did not get to its end: its own words, or those of its process."""
    with open(log, encoding="utf-8", errors="replace") as stream:
        said = stream.read()[-_LAST_LETTERS:]
    try:
        with open(os.path.join(folder, _ERROR), encoding="utf-8") as stream:
            kind, message = json.load(stream)
        return FileError(ErrorKind(kind), message, said)
    except (OSError, ValueError):
        return FileError(ErrorKind.CRASHED, f"its process ended with status {status}", said)


def main(job: BinaryIO) -> int:
    """In the process of its own: an exit status."""
    facts_bytes, task, folder = pickle.load(job)  # noqa: S301 - by the pipe from our parent
    threading.Thread(target=_end_with_parent, args=(job,), daemon=True).start()
    facts: BatchFacts = pickle.loads(facts_bytes)  # noqa: S301 - the same
    try:
        _post_process(facts, task, folder)
    except (Exception, SystemExit) as raised:
        import traceback

        traceback.print_exc()
        error = describe(raised)
        with open(os.path.join(folder, _ERROR), "w", encoding="utf-8") as stream:
            json.dump([error.kind.value, error.message], stream)
        return 1
    return 0


def _end_with_parent(job: BinaryIO) -> None:
    os.read(job.fileno(), 1)  # not by the stream, whose lock would be missed at the end
    os._exit(_LOST_STATUS)


def _post_process(facts: BatchFacts, task: FileTask, folder: str) -> None:
    """As the host's router does it, with these files and this folder for the results."""
    select_library(facts.library)
    host = import_host(facts.layout)
    for place, files in enumerate(task.own_loop):
        tables = tables_folder(folder, place)
        os.makedirs(tables, exist_ok=True)
        host.post_process_class().post_process(facts.shared.cfg_of(files, tables))


if __name__ == "__main__":
    # What is pickled is of the importable module, not of __main__.
    from digitalmodel_optimizer.batch.own_loop import main as run

    sys.exit(run(sys.stdin.buffer))

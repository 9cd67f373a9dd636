"""What runs inside a worker process: tasks in, results out, on one pipe.

In, from the parent: ``("batch", process_file)``, ``("file", number, task)``, and None to end. Out:
``("hello", None)`` when the process can take a batch, ``("ready", None)`` when it can take files,
``(number, result)`` for each file, the result pickled on its own.
"""

from __future__ import annotations

import os
import pickle
import queue
import signal
import sys
import threading
import traceback
from typing import TYPE_CHECKING, Any

from digitalmodel_optimizer.plugin.results import ErrorKind, FileError, FileResult

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection

    from digitalmodel_optimizer.plugin import FileTask, ProcessFile

PARENT_GONE_STATUS = 1


def work(connection: Connection, threads: int, prepare: Callable[[], None] | None) -> None:
    """Serve the parent until it says that it is over; the process's whole life.

    One file at a time runs on this thread, ``threads`` at a time on threads of their own.

    :param prepare: run first, while no batch has come yet.
    """
    # Ctrl-C reaches every process of a console. The parent decides what happens to its workers; the
    # mask is the one that the parent set around our start.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform != "win32":
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    received: queue.SimpleQueue[Any] = queue.SimpleQueue()
    threading.Thread(target=_receive, args=(connection, received), daemon=True).start()
    worker = _Worker(connection)
    worker.send("hello", None)
    if prepare is not None:
        prepare()
    worker.serve(received, threads)


def _receive(connection: Connection, received: queue.SimpleQueue[Any]) -> None:
    """Hand on what comes; end this process, whatever it is doing, once its parent is gone."""
    while True:
        try:
            content = connection.recv_bytes()
        except (EOFError, OSError):
            os._exit(PARENT_GONE_STATUS)
        received.put(content)


class _Worker:
    """Processes files of one batch after another."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._sending = threading.Lock()
        self._process_file: ProcessFile | None = None

    def send(self, what: str | int, content: Any) -> None:
        message = pickle.dumps((what, content), protocol=pickle.HIGHEST_PROTOCOL)
        with self._sending:
            self._connection.send_bytes(message)

    def serve(self, received: queue.SimpleQueue[Any], threads: int) -> None:
        tasks: queue.SimpleQueue[tuple[int, FileTask] | None] = queue.SimpleQueue()

        def files() -> None:
            while (item := tasks.get()) is not None:
                self._process(*item)

        crew = [threading.Thread(target=files, daemon=True) for _ in range(threads)]
        if threads > 1:
            for thread in crew:
                thread.start()
        while (message := pickle.loads(received.get())) is not None:  # noqa: S301 - of the parent
            if message[0] == "batch":
                self._take_batch(message[1])
            elif threads > 1:
                tasks.put(message[1:])
            else:
                self._process(*message[1:])
        if threads > 1:
            for _ in crew:
                tasks.put(None)
            for thread in crew:
                thread.join()

    def _take_batch(self, process_file: ProcessFile) -> None:
        """Pay for the imports before the first file's clock runs."""
        self._process_file = process_file
        try:
            process_file.warm_up()
        except Exception:  # noqa: S110 - the first file will meet it again, and tell
            pass
        self.send("ready", None)

    def _process(self, number: int, task: FileTask) -> None:
        assert self._process_file is not None
        try:
            result = self._process_file(task)
        except BaseException as raised:
            result = _failed(task, raised)
        try:
            content = pickle.dumps(result, protocol=pickle.HIGHEST_PROTOCOL)
        except Exception as unsendable:
            content = pickle.dumps(_failed(task, unsendable, "its result cannot be sent back: "))
        self.send(number, content)


def _failed(task: FileTask, error: BaseException, said: str = "") -> FileResult:
    """The error as text: not every exception can be sent."""
    return FileResult(
        task.file,
        FileError(
            ErrorKind.ENGINE,
            f"{said}{type(error).__name__}: {error}",
            "".join(traceback.format_exception(type(error), error, error.__traceback__)),
        ),
        attempt=task.attempt,
        worker=os.getpid(),
    )

"""What hybrid-executor runs inside its worker processes; standard library only, to stay small."""

from __future__ import annotations

import contextlib
import functools
import os
import queue
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection

    from digitalmodel_optimizer.plugin import FileResult, FileTask, ProcessFile

    Answer = tuple[FileResult | int | None, BaseException | None]

_PARENT_CHECK_S = 1.0

_conversation: Connection[Any, Any] | None = None


def prepare_worker(parent_pid: int, conversation: Connection[Any, Any]) -> None:
    """Make a new worker process ready: first code of ours that runs in it.

    ``conversation`` is the pipe on which tasks come and results go.
    """
    global _conversation
    _conversation = conversation
    # Ctrl-C reaches every process of a console. The parent decides what happens to its workers; the
    # mask is the one that the parent set around our start.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform != "win32":
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    _keep_loky_from_recycling()
    threading.Thread(
        target=_end_with_parent, args=(parent_pid,), name="parent-watch", daemon=True
    ).start()


def _keep_loky_from_recycling() -> None:
    """Large models are no leak: when a worker is replaced is the gc plugin's decision.

    loky ends a worker that has grown by 300 MB; its environment variable for that limit is newer
    than the oldest loky that we accept.
    """
    from loky import process_executor  # type: ignore[import-untyped, unused-ignore]

    process_executor._MAX_MEMORY_LEAK_SIZE = float("inf")


def _end_with_parent(parent_pid: int) -> None:
    """End this process, whatever it is doing, once its parent is gone.

    A loky worker holds both ends of its queues, so it does not notice by itself.
    """
    if sys.platform == "win32":
        import psutil  # type: ignore[import-untyped, unused-ignore]

        try:
            psutil.Process(parent_pid).wait()  # waits on the handle, without polling
        except psutil.NoSuchProcess:
            pass
    else:
        while os.getppid() == parent_pid:
            time.sleep(_PARENT_CHECK_S)
    os._exit(1)


def warm_up(process_file: ProcessFile) -> int:
    """Pay for the imports before the first file's clock runs; return the process id."""
    prepare = getattr(process_file, "warm_up", None)
    if prepare is not None:
        try:
            prepare()
        except Exception:
            pass
    return os.getpid()


def serve_alone(process_file: ProcessFile) -> None:
    """Run the tasks that arrive on the conversation, one after the other on this thread.

    In: a task, or None to end. Out: ``(result, error)``.
    """
    conversation = _the_conversation()
    with contextlib.suppress(EOFError):
        while (task := conversation.recv()) is not None:
            _answer(conversation.send, process_file, task)


def serve(process_file: ProcessFile, threads: int) -> None:
    """Run the tasks that arrive on the conversation, ``threads`` at a time, until told to end.

    In: ``(number, task)``, or None to end. Out: ``(number, (result, error))`` as each is done,
    after a first ``(0, (process id, None))`` when the process is warm.
    """
    conversation = _the_conversation()
    tasks: queue.SimpleQueue[tuple[int, FileTask] | None] = queue.SimpleQueue()
    sending = threading.Lock()

    def send(number: int, answer: Answer) -> None:
        with sending:
            conversation.send((number, answer))

    def work() -> None:
        while (item := tasks.get()) is not None:
            number, task = item
            _answer(functools.partial(send, number), process_file, task)

    send(0, (warm_up(process_file), None))
    crew = [threading.Thread(target=work, name=f"file-{n}", daemon=True) for n in range(threads)]
    for thread in crew:
        thread.start()
    with contextlib.suppress(EOFError):
        while (item := conversation.recv()) is not None:
            tasks.put(item)
    for _ in crew:
        tasks.put(None)
    for thread in crew:
        thread.join()


def _the_conversation() -> Connection[Any, Any]:
    if _conversation is None:
        raise RuntimeError("this worker was started without a conversation")
    return _conversation


def _answer(send: Callable[[Answer], None], process_file: ProcessFile, task: FileTask) -> None:
    """Process a file and send what came of it; if that cannot be sent, why."""
    try:
        result, error = process_file(task), None
    except BaseException as raised:
        result, error = None, raised
    try:
        send((result, error))
    except Exception as unsendable:
        text = f"the result of {task.file.path} cannot be sent back: {unsendable!r}"
        send((None, RuntimeError(text)))

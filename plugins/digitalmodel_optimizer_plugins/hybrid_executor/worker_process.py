"""One worker process, held through a loky executor of its own, so that a loss has one cause.

A crash, a kill or a time limit costs the one file that the process was working on.
"""

from __future__ import annotations

import contextlib
import math
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, NoReturn

from digitalmodel_optimizer.plugin import FileResult, FileTask, ProcessFile, WorkerLostError
from digitalmodel_optimizer_plugins.hybrid_executor.recovery import describe_exit
from digitalmodel_optimizer_plugins.hybrid_executor.worker_side import (
    prepare_worker,
    serve_alone,
    warm_up,
)

_EXIT_CODE_WAIT_S = 1.0
_KILL_WAIT_S = 5.0
_SERVICE_END_S = 1.0
CTRL_C_CHECK_S = 0.5

# How the parent meets a worker that died while sending; its exit code says more.
_CUT_OFF = ("EOFError", "OSError", "BrokenPipeError", "ConnectionResetError")

# One pool of native threads a process is enough, and each reserves memory in every worker.
_NUMERIC_THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)


@dataclass(frozen=True)
class WorkerLimits:
    """Seconds: for one file (None: no limit), for a start with all imports, for an orderly end."""

    file_s: float | None
    start_s: float
    stop_s: float


class WorkerProcess:
    """A process for one file at a time; starts on first use, never comes back once lost."""

    capacity = 1
    reusable = True

    def __init__(self, process_file: ProcessFile | None, limits: WorkerLimits) -> None:
        self.process_file = process_file
        self.limits = limits
        self.running = 0
        self.idle_since = 0.0
        self.retiring = False
        self.ready = False
        self._ending = False
        self._starting = threading.Lock()
        self._process: Any = None
        self._exit: int | None = None
        self._manager: threading.Thread | None = None
        self._call_queue: Any = None
        self._warming: Future[Any] | None = None
        self._begun_at = 0.0
        self._service: Future[Any] | None = None
        self._open_conversation()

    def _open_conversation(self) -> None:
        """An executor whose process has one end of a pipe, and we the other.

        loky hands a task on through three threads, which small files feel. So it starts, watches
        and ends the process, and keeps it in one long call that takes files from the pipe.
        """
        from loky import ProcessPoolExecutor  # type: ignore[import-untyped, unused-ignore]
        from loky.backend import get_context  # type: ignore[import-untyped, unused-ignore]

        self._conversation, self._far_end = get_context().Pipe()
        self._executor: Any = ProcessPoolExecutor(
            max_workers=1,
            initializer=prepare_worker,
            initargs=(os.getpid(), self._far_end),
            env={name: "1" for name in _NUMERIC_THREADS if name not in os.environ},
        )

    def start_early(self, prepare: Callable[[], None]) -> None:
        """Start the process and let it run ``prepare``, without waiting for either."""
        self._submit(prepare)

    def adopt(self, process_file: ProcessFile, limits: WorkerLimits) -> bool:
        """Take what a batch wants from a process that was started early; False if it is gone."""
        if process_file != self.process_file:
            self.process_file, self.ready, self._warming = process_file, False, None
            self._end_service()
        self.limits = limits
        return self._process is not None and self._process.is_alive()

    def begin(self, tell: Callable[[], None]) -> None:
        """Start the process and let it do what comes before a file, without waiting for either.

        ``tell`` is called once it has, or has failed to: the next :meth:`run` raises then.
        """
        if self.ready or self._warming is not None:
            return

        def begun(warming: Future[Any]) -> None:
            self.idle_since = time.monotonic()
            self.ready = not warming.cancelled() and warming.exception() is None
            tell()

        self._begun_at = time.monotonic()
        try:
            self._warming = self._submit(warm_up, self.process_file)
        except WorkerLostError:
            tell()
        else:
            self._warming.add_done_callback(begun)

    @property
    def starting(self) -> bool:
        """Whether it is still too early for a file; not once a start has taken too long."""
        if self._warming is None or self._warming.done():
            return False
        return time.monotonic() - self._begun_at < self.limits.start_s

    def run(self, task: FileTask) -> FileResult:
        """Process one file; raises :class:`WorkerLostError` when the process is gone."""
        process_file = self.process_file
        if process_file is None:
            raise RuntimeError("a worker that was started early has not been adopted")
        if not self.ready:
            if self._warming is None:
                self._begun_at = time.monotonic()
                self._warming = self._submit(warm_up, process_file)
            self._settle(self._warming, self.limits.start_s, None, self._begun_at)
            self.ready = True
        if self._service is None:
            self._service = self._submit(serve_alone, process_file)
        return self._ask(task)

    def _ask(self, task: FileTask) -> FileResult:
        conversation, limit_s = self._conversation, self.limits.file_s
        deadline = math.inf if limit_s is None else time.monotonic() + limit_s
        try:
            conversation.send(task)
            # On Windows a wait on the main thread does not notice Ctrl-C before it is over.
            while not conversation.poll(min(CTRL_C_CHECK_S, max(0.0, deadline - time.monotonic()))):
                if time.monotonic() >= deadline:
                    self._give_up(limit_s, task)
                if self._is_gone() and not conversation.poll():
                    raise EOFError
            result, error = self._received(conversation)
        except (EOFError, OSError) as end:
            raise WorkerLostError(self._how_it_ended(self._service_error())) from end
        if error is not None:
            raise error
        return result  # type: ignore[no-any-return]

    def _is_gone(self) -> bool:
        """Whether the process has ended; a child of its own may still hold its end of the pipe."""
        process = self._process
        return process is not None and not process.is_alive()

    def _received(self, conversation: Any) -> Any:
        try:
            return conversation.recv()
        except (EOFError, OSError):
            raise
        except Exception as unreadable:  # whatever unpickling raises
            self.kill()
            text = f"the worker process was lost: its answer cannot be read: {unreadable!r}"
            raise WorkerLostError(text) from unreadable

    def _service_error(self) -> BaseException | None:
        if self._service is None:
            return None
        wait([self._service], timeout=_SERVICE_END_S)
        return self._service.exception() if self._service.done() else None

    def _end_service(self) -> None:
        if self._service is not None:
            self._service = None
            with contextlib.suppress(OSError):  # it is gone already
                self._conversation.send(None)

    def _submit(self, function: Callable[..., Any], *args: Any) -> Future[Any]:
        with self._starting:
            if self._executor is None:
                raise WorkerLostError("the worker process was stopped")
            first = self._process is None
            try:
                with _interrupts_held_back() if first else nullcontext():
                    future: Future[Any] = self._executor.submit(function, *args)
            except RuntimeError as error:  # it ended while it was idle, or was stopped
                raise WorkerLostError(self._how_it_ended(error)) from error
            except OSError as error:
                raise WorkerLostError(f"a worker process cannot be started: {error}") from error
            if first:
                self._take_hold()
        return future

    def _take_hold(self) -> None:
        """Keep what tells how the process ends."""
        # loky has no public names for these; without them we only know less of how a worker ended.
        self._process = next(iter(getattr(self._executor, "_processes", {}).values()), None)
        self._manager = getattr(self._executor, "_executor_manager_thread", None)
        self._call_queue = getattr(self._executor, "_call_queue", None)
        # With its own copy of the writing end closed, the parent sees the end of the stream when a
        # worker dies half-way through sending a result, instead of waiting for the rest for ever.
        writer = getattr(getattr(self._executor, "_result_queue", None), "_writer", None)
        if writer is not None:
            writer.close()
        self._far_end.close()

    def _settle(
        self,
        future: Future[Any],
        limit_s: float | None,
        task: FileTask | None,
        since: float | None = None,
    ) -> Any:
        """The result of ``future``; the limit counts from ``since``, or from now."""
        since = time.monotonic() if since is None else since
        deadline = None if limit_s is None else since + limit_s
        while not future.done():
            left_s = CTRL_C_CHECK_S if deadline is None else deadline - time.monotonic()
            if left_s <= 0:
                break
            # On Windows a wait on the main thread does not notice Ctrl-C before it is over.
            wait([future], timeout=min(left_s, CTRL_C_CHECK_S))
        if not future.done():
            self._give_up(limit_s, task)
        error = future.exception()
        if isinstance(error, BrokenProcessPool) or type(error).__name__ == "ShutdownExecutorError":
            raise WorkerLostError(self._how_it_ended(error)) from error
        return future.result()

    def _give_up(self, limit_s: float | None, task: FileTask | None) -> NoReturn:
        self.kill()
        what = f"{task.file.path} took" if task else "a worker process took"
        purpose = "the time limit per file" if task else "the time limit for its start"
        raise WorkerLostError(
            f"{what} longer than {limit_s:g} s, {purpose}; its worker process was stopped",
            timed_out=task is not None,
        )

    def _how_it_ended(self, error: BaseException | None = None) -> str:
        cause = str(error.__cause__ or "").strip(' \n"') if error is not None else ""
        reason = cause.splitlines()[-1] if cause else ""
        if reason and not reason.startswith(_CUT_OFF):  # something could not be unpickled
            return f"the worker process was lost: {error} {reason}"
        return f"the worker process was lost: {describe_exit(self._exit_code())}"

    def _exit_code(self) -> int | None:
        process = self._process
        if process is None:
            return self._exit
        deadline = time.monotonic() + _EXIT_CODE_WAIT_S
        code: int | None = process.exitcode
        while code is None and time.monotonic() < deadline:
            time.sleep(0.01)
            code = process.exitcode
        return code

    def begin_stop(self) -> None:
        """Ask the process to end once it has nothing to do; does not wait."""
        with self._starting:
            if not self._ending and self._executor is not None:
                self._ending = True
                self._end_service()
                self._executor.shutdown(wait=False, kill_workers=False)

    def kill(self) -> None:
        """End the process and its children now, whatever they do."""
        with self._starting:
            self._ending = True
            if self._process is not None:
                _kill_tree(self._process.pid)
            if self._executor is not None:
                self._executor.shutdown(wait=False, kill_workers=True)

    def finish(self, deadline: float) -> None:
        """Wait for the end that was asked for; kill what has not ended by ``deadline``."""
        process, manager = self._process, self._manager
        if process is not None:
            _join(process, manager, deadline)
            if process.is_alive():
                self.kill()
                _join(process, manager, time.monotonic() + _KILL_WAIT_S)
            self._exit = process.exitcode
        # loky does not wait for this daemon thread. It holds semaphores too, and if it let go of
        # them while the interpreter ends, loky's resource tracker would complain of a leak.
        feeder: threading.Thread | None = getattr(self._call_queue, "_thread", None)
        if feeder is not None:
            feeder.join(_KILL_WAIT_S)
        with self._starting:
            # loky's semaphores live as long as these objects.
            self._executor = self._process = self._manager = self._call_queue = None


def _join(process: Any, manager: threading.Thread | None, deadline: float) -> None:
    if manager is not None:
        manager.join(max(0.0, deadline - time.monotonic()))
    while process.is_alive() and time.monotonic() < deadline:
        time.sleep(0.01)


def _kill_tree(pid: int) -> None:
    import psutil  # type: ignore[import-untyped, unused-ignore]

    try:
        worker = psutil.Process(pid)
        doomed = [*worker.children(recursive=True), worker]
    except psutil.Error:
        return
    for process in doomed:
        try:
            process.kill()
        except psutil.Error:
            pass


@contextmanager
def _interrupts_held_back() -> Iterator[None]:
    """Keep Ctrl-C from a process that is starting; it ignores Ctrl-C as soon as it can."""
    if sys.platform == "win32":
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)

"""Files on a backend that joblib knows: threads of this process, dask, or any other by its name.

joblib's ``Parallel`` takes all calls at once; the backends under it take one after the other, by
the interface that joblib documents for backends of others.
"""

from __future__ import annotations

import queue
from collections.abc import Callable, Sequence
from typing import Any

from digitalmodel_optimizer.plugin import (
    ErrorKind,
    Executor,
    FileError,
    FileResult,
    FileTask,
    OptimizerError,
    ProcessFile,
)


class JoblibExecutor(Executor):
    """Each file is a call to the backend ``name``.

    :raises OptimizerError: joblib does not know it, or it would not be used.
    """

    def __init__(self, name: str, process_file: ProcessFile, workers: int, reason: str) -> None:
        self.name, self.reason = name, reason
        self._process_file = process_file
        self._finished: queue.SimpleQueue[tuple[FileTask, Any]] = queue.SimpleQueue()
        self._backend = _configured(name, max(2, workers))
        self.in_parent = bool(getattr(self._backend, "uses_threads", False))

    def submit(self, task: FileTask) -> None:
        from joblib import delayed  # type: ignore[import-untyped, unused-ignore]
        from joblib.parallel import BatchedCalls  # type: ignore[import-untyped, unused-ignore]

        call = BatchedCalls([delayed(self._process_file)(task)], self._backend.get_nested_backend())

        def finished(outcome: Any) -> None:
            self._finished.put((task, outcome))

        # Older releases of joblib know it under another name.
        submit: Callable[..., Any] = getattr(self._backend, "submit", None) or (
            self._backend.apply_async
        )
        submit(call, finished)

    def wait(self, timeout_s: float) -> Sequence[FileResult]:
        results = []
        try:
            item = self._finished.get(timeout=timeout_s)
            while True:
                results.append(self._result(*item))
                item = self._finished.get_nowait()
        except queue.Empty:
            return results

    def _result(self, task: FileTask, outcome: Any) -> FileResult:
        try:
            (result,) = self._backend.retrieve_result_callback(outcome)
        except Exception as error:
            # process_file does not raise for a file's own fault, so its worker has failed.
            message = f"the backend {self.name} lost it: {type(error).__name__}: {error}"
            return FileResult(
                task.file, FileError(ErrorKind.CRASHED, message), attempt=task.attempt
            )
        return result  # type: ignore[no-any-return]

    def close(self, *, kill: bool) -> None:
        if kill:
            self._backend.stop_call()
            self._backend.terminate()


def _configured(name: str, workers: int) -> Any:
    from joblib import Parallel, parallel_config
    from joblib.parallel import FallbackToBackend, get_active_backend

    try:
        with parallel_config(backend=name, n_jobs=workers):
            backend, _ = get_active_backend()
        backend.configure(n_jobs=workers, parallel=Parallel(n_jobs=workers, backend=name))
    except FallbackToBackend:
        raise OptimizerError(
            f"joblib's backend {name} would run the files one by one in the host's own process "
            "here; choose another backend"
        ) from None
    except (ValueError, ImportError) as error:
        raise OptimizerError(f"joblib's backend {name} cannot be used: {error}") from error
    backend.start_call()
    return backend

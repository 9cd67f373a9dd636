"""What is being done on this thread: the file, its model, and what the seams have caught."""

from __future__ import annotations

import gc
import sys
import threading
import traceback
import weakref
from collections.abc import Callable
from typing import Any

from digitalmodel_optimizer.file.failures import PASSING_KINDS, describe, kind_of
from digitalmodel_optimizer.file.proxies import MakeReader, ModelProxy
from digitalmodel_optimizer.host.current import set_current
from digitalmodel_optimizer.plugin import FileError, FileTask, Settings, Stage
from digitalmodel_optimizer.plugin.timing import stage
from digitalmodel_optimizer.tables.staged import StagedTables

_one_collects = threading.Lock()


class Released:
    """What a proxy holds once its model is gone."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise RuntimeError("this model has been released: its file is done")


class FileContext:
    """One file on one thread, from before its model is loaded until after it is released."""

    def __init__(
        self,
        task: FileTask,
        settings: Settings,
        hook: Any,
        staging: str,
        make_reader: MakeReader | None,
        results: str = "",
    ) -> None:
        self.task = task
        self.settings = settings
        self.hook = hook
        self.results = results
        self.tables = StagedTables(staging, results)
        self.make_reader = make_reader
        self.static_state: Any = None
        self.model: ModelProxy | None = None
        self.cfg: Any = None
        self.model_dict: Any = None
        self.column_memo: dict[Any, Any] = {}
        self.summary: Any = None
        self.linked: Any = None
        self.load_error: FileError | None = None
        self.passing_error: FileError | None = None
        self.engine_error: FileError | None = None
        self.engine_trace = ""
        self.engine_load: Callable[[], Any] | None = None
        self.native_threads = 0
        self.warnings: list[str] = []

    def __enter__(self) -> FileContext:
        set_current(self)
        self.tables.__enter__()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.tables.__exit__()
        set_current(None)
        self.release()

    def load_natively(self, native_threads: int) -> Any:
        """The engine's own loading; the model has ``native_threads`` from its first moment.

        Not to be called but by what the plugins stand around. 0 leaves the number to OrcaFlex.
        """
        assert self.engine_load is not None
        self.native_threads = native_threads
        try:
            model = self.engine_load()
        finally:
            self.native_threads = 0
        if native_threads > 0 and getattr(model, "threadCount", native_threads) != native_threads:
            model.threadCount = native_threads
        return model

    def load(self, engine_load: Callable[[], Any]) -> Any:
        """Load the model through the plugins; the engine gets a proxy of it."""
        self.release()
        self.engine_load = engine_load
        try:
            with stage(Stage.LOAD):
                model = self.hook.optimizer_load_model(
                    file=self.task.file,
                    native_threads=self.task.native_threads,
                    settings=self.settings,
                )
        except Exception as error:
            self.load_error = self.describe(error)
            traceback.clear_frames(error.__traceback__)  # they hold the model that was not loaded
            raise
        finally:
            self.engine_load = None
        self.load_error = None
        self.static_state = _static_state()
        self.model = ModelProxy(model, self.static_state, self.make_reader, self.note)
        return self.model

    def describe(self, error: BaseException) -> FileError:
        """``error`` as that of this file."""
        return describe(error, self.task.file.path, self.results)

    def note(self, error: Exception) -> None:
        """Keep an error that the host may swallow, if it says nothing about the file.

        Where a licence or memory is lacking, the host leaves cells empty and goes on.
        """
        if self.passing_error is None and kind_of(error) in PASSING_KINDS:
            self.passing_error = self.describe(error)

    def release(self) -> None:
        """Destroy the model now, on this thread, whoever may still hold the proxy."""
        proxy, self.model = self.model, None
        self.model_dict = None
        self.column_memo.clear()
        if proxy is None:
            return
        proxy._self_forget()
        model = proxy.__wrapped__
        proxy.__wrapped__ = Released()
        if sys.getrefcount(model) <= 2:  # ours, and getrefcount's own argument
            return
        gc.collect()
        held = sys.getrefcount(model) > 2
        if held and (left := _weakly(model)) is not None:
            # Its own objects may be what holds it. Such a ring is freed by whatever thread collects
            # next, so this one does, and while another one collects it would do nothing.
            with _one_collects:
                del model
                gc.collect()
            held = left() is not None
        if held:
            self.warnings.append(
                "something other than the engine still holds the model; it is freed when "
                "that lets go of it"
            )


def _weakly(model: Any) -> Callable[[], Any] | None:
    """Asks whether ``model`` is still there; None for the genuine one, which cannot be watched."""
    try:
        return weakref.ref(model)
    except TypeError:
        return None


def _static_state() -> Any:
    """OrcFxAPI's name for the static state; None with a provider that has no such name.

    Asked once a model is there: who imports OrcFxAPI first decides which library it loads, and
    that is the host's to decide.
    """
    api = sys.modules.get("OrcFxAPI")
    return getattr(getattr(api, "PeriodNum", None), "StaticState", None)

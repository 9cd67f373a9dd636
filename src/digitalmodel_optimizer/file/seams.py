"""The few places at which we stand in the engine; each passes through outside of a batch.

All replacements are put in place together, when a batch first needs them in this process, and
taken away together. On a thread that works on no file of a batch they are the originals.
"""

from __future__ import annotations

import importlib
import os
import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import wrapt

from digitalmodel_optimizer.file.native_threads import BINDING, OrcFxAPIOfThread
from digitalmodel_optimizer.file.plan import GetObjects
from digitalmodel_optimizer.file.proxies import ModelProxy
from digitalmodel_optimizer.host.config import column_key
from digitalmodel_optimizer.host.current import current
from digitalmodel_optimizer.host.modules import Host
from digitalmodel_optimizer.plugin import Stage
from digitalmodel_optimizer.plugin.timing import stage
from digitalmodel_optimizer.tables.lazy_table import materialize
from digitalmodel_optimizer.tables.row_tables import PandasOfRows, plain_tables
from digitalmodel_optimizer.tables.scratch_tables import (
    NotedTable,
    PandasOfGrowth,
    TableToLookThrough,
)
from digitalmodel_optimizer.tables.staged import staged_tables

_ABSENT = object()
Replacement = Callable[[Any], Any]


class Seams:
    """While they are in place, the engine's seams lead to the file of the calling thread.

    There is one set of seams in a process: putting one in place closes the one before it, which
    then has nothing left to undo. If that fails, nothing is left replaced.
    """

    _lock = threading.Lock()
    _in_place: Seams | None = None

    def __init__(self, host: Host) -> None:
        self.host = host
        self._undo = ExitStack()
        objects = host.objects_class()
        original = type(objects).get_orcaflex_objects
        self.get_objects: GetObjects = lambda model_dict, column: original(
            objects, model_dict, column
        )

    def put_in_place(self) -> None:
        """Replace, unless that is done; from any thread."""
        with Seams._lock:
            if Seams._in_place is self:
                return
            if Seams._in_place is not None:
                Seams._in_place._undo.close()
            Seams._in_place = None
            with self._undo:
                self._replace_all()
                self._undo = self._undo.pop_all()
            Seams._in_place = self

    def close(self) -> None:
        """Put back what was replaced, if anything was."""
        with Seams._lock:
            self._undo.close()
            if Seams._in_place is self:
                Seams._in_place = None

    def _replace_all(self) -> None:
        import pandas

        host = self.host
        self._replace(host.summary, "save_summary", _save_summary)
        self._replace(host.linked, "save_linked_statistics", _save_linked)
        self._replace(host.utilities, "loadSimulation", _load_simulation)
        self._replace(host.utilities, "get_model_and_metadata", _get_model_and_metadata)
        self._replace(host.objects_class, "get_model_objects", _get_model_objects)
        self._replace(host.objects_class, "get_orcaflex_objects", _get_orcaflex_objects)
        self._replace(pandas.DataFrame, "to_csv", _to_csv)
        for name in host.layout.row_tables:
            self._replace(importlib.import_module(name), "pd", PandasOfRows)
        for name in host.layout.growing_tables:
            module = importlib.import_module(name)
            self._replace(module, "pd", PandasOfGrowth)
            owner = getattr(module, host.layout.statistics_class)
            self._replace(owner, host.layout.statistics_method, _looked_through)
        for name in host.layout.noted_tables:
            self._replace(host.utilities, name, _noted_table)
        for name in host.layout.stream_switches:
            self._replace(importlib.import_module(name), "sys", _StreamsOfThread)
        for name in host.layout.global_switches:
            self._replace(host.opp, name, _global_switch)
        loader = sys.modules[type(host.utilities).__module__]
        if hasattr(loader, BINDING):
            self._replace(loader, BINDING, OrcFxAPIOfThread)
        if hasattr(host.opp, host.layout.file_function):
            self._replace(host.opp, host.layout.file_function, _file_function)
        if hasattr(host.opp, host.layout.display):
            self._replace(host.opp, host.layout.display, _Display)

    def _replace(self, owner: Any, name: str, replacement: Replacement) -> None:
        saved = vars(owner).get(name, _ABSENT)
        new = replacement(getattr(owner, name))
        if saved is _ABSENT:
            self._undo.callback(delattr, owner, name)
        else:
            self._undo.callback(setattr, owner, name, saved)
        setattr(owner, name, new)


def _save_summary(original: Any) -> Callable[..., Any]:
    def save_summary(summary: Any, cfg: Any) -> Any:
        context = current()
        if context is None:
            return original(summary, cfg)
        context.summary = plain_tables(summary)
        return None

    return save_summary


def _save_linked(original: Any) -> Callable[..., Any]:
    def save_linked_statistics(linked_statistics: Any, cfg: Any) -> Any:
        context = current()
        if context is None:
            return original(linked_statistics, cfg)
        context.linked = linked_statistics
        return None

    return save_linked_statistics


def _load_simulation(original: Any) -> Callable[..., Any]:
    def load_simulation(*args: Any, **kwargs: Any) -> Any:
        context = current()
        if context is None:
            return original(*args, **kwargs)
        return context.load(lambda: original(*args, **kwargs))

    return load_simulation


def _get_model_and_metadata(original: Any) -> Callable[..., Any]:
    def get_model_and_metadata(*args: Any, **kwargs: Any) -> Any:
        model_dict = original(*args, **kwargs)
        context = current()
        if context is not None:
            context.model_dict = model_dict
        return model_dict

    return get_model_and_metadata


def _get_model_objects(original: Any) -> Callable[..., Any]:
    def get_model_objects(self: Any, model: Any, *args: Any, **kwargs: Any) -> Any:
        if args or kwargs or type(model) is not ModelProxy:
            return original(self, model, *args, **kwargs)
        with stage(Stage.ENUMERATE):
            return model._self_listed(lambda wrapped: original(self, wrapped))

    return get_model_objects


def _get_orcaflex_objects(original: Any) -> Callable[..., Any]:
    def get_orcaflex_objects(self: Any, model_dict: Any, cfg: Any) -> Any:
        context = current()
        if context is not None and context.column_memo and model_dict is context.model_dict:
            known = context.column_memo.get(column_key(cfg))
            if known is not None:
                return known
        return original(self, model_dict, cfg)

    return get_orcaflex_objects


def _to_csv(original: Any) -> Callable[..., Any]:
    def to_csv(self: Any, path_or_buf: Any = None, *args: Any, **options: Any) -> Any:
        tables = staged_tables()
        if tables is None or args or not tables.holds(path_or_buf):
            return original(self, path_or_buf, *args, **options)
        path = os.fspath(path_or_buf)
        final = tables.final(path)
        if not os.path.isdir(os.path.dirname(final)):
            return original(self, final, **options)  # pandas says what is wrong with the name
        staged = tables.staged(path)
        context = current()
        if context is None:
            return original(self, staged, **options)
        with stage(Stage.WRITE):
            written = context.hook.optimizer_write_table(
                table=self,
                path=Path(staged),
                final=Path(final),
                options=options,
                settings=context.settings,
            )
            return None if written else original(self, staged, **options)

    return to_csv


def _noted_table(original: Any) -> Callable[..., Any]:
    def get_table(*args: Any, **kwargs: Any) -> Any:
        if current() is None:
            return original(*args, **kwargs)
        return NotedTable(lambda: original(*args, **kwargs))

    return get_table


def _looked_through(original: Any) -> Callable[..., Any]:
    def get_statistics(self: Any, cfg: Any, table: Any) -> Any:
        return materialize(original(self, cfg, TableToLookThrough(materialize(table))))

    return get_statistics


def _file_function(original: Any) -> Callable[..., Any]:
    def process_file(*args: Any, **kwargs: Any) -> Any:
        result = original(*args, **kwargs)
        context = current()
        if context is not None and isinstance(result, dict):
            context.engine_trace = result.get("traceback") or ""
        return result

    return process_file


class _Silent:
    """A display that shows nothing: the batch has its own, and here a loop has one file."""

    def __getattr__(self, _name: str) -> Callable[..., None]:
        return lambda *_args, **_kwargs: None


class _Display(wrapt.ObjectProxy):  # type: ignore[misc,type-arg,unused-ignore]
    """The engine's class of displays; makes silent ones while a file is being processed."""

    def from_config(self, *args: Any, **kwargs: Any) -> Any:
        return self.__wrapped__.from_config(*args, **kwargs) if current() is None else _Silent()


def _stream(name: str) -> property:
    def get(self: _StreamsOfThread) -> Any:
        own = getattr(self._self_streams, name, None)
        return getattr(self.__wrapped__, name) if own is None or current() is None else own

    def put(self: _StreamsOfThread, stream: Any) -> None:
        if current() is None:
            setattr(self.__wrapped__, name, stream)
        else:
            setattr(self._self_streams, name, stream)

    return property(get, put)


class _StreamsOfThread(wrapt.ObjectProxy):  # type: ignore[misc,type-arg,unused-ignore]
    """``sys`` as a module sees it that swaps its streams: a swap counts for its thread alone.

    Two threads that swap the process's streams put them back in the wrong order, and whatever is
    printed from then on is lost.
    """

    stdout = _stream("stdout")
    stderr = _stream("stderr")

    def __init__(self, wrapped: Any) -> None:
        super().__init__(wrapped)
        self._self_streams = threading.local()


class _NoSwitch:
    """Stands in for a switch of a global option, which other threads would feel."""

    def __enter__(self) -> _NoSwitch:
        return self

    def __exit__(self, *_: object) -> None:
        return None


def _global_switch(original: Any) -> Callable[..., Any]:
    def switch(*args: Any, **kwargs: Any) -> Any:
        return original(*args, **kwargs) if current() is None else _NoSwitch()

    return switch

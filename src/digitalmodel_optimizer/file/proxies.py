"""Stand-ins for a model and its objects that answer from a :class:`ResultReader`.

The engine gets a proxy instead of the genuine ``OrcFxAPI.Model``. Everything passes through to the
genuine object but for the questions that are worth not asking twice: an object by its name, an
object's name, time histories, static results and range graphs. Every error on the way is noted,
since the engine swallows most of them. No class of OrcFxAPI is changed.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from functools import partial
from types import MethodType
from typing import Any

import wrapt

from digitalmodel_optimizer.file.keys import Freezer, UncacheableArgumentError
from digitalmodel_optimizer.file.object_index import ObjectIndex
from digitalmodel_optimizer.file.reader import MISS, ResultReader, request_key
from digitalmodel_optimizer.plugin import RequestKind

MakeReader = Callable[["ModelProxy"], ResultReader | None]


class ObjectProxy(wrapt.ObjectProxy):  # type: ignore[misc,type-arg,unused-ignore]
    """An OrcFxAPI object whose results come from the reader of its model."""

    def __init__(self, wrapped: Any, model: ModelProxy, called: str) -> None:
        super().__init__(wrapped)
        self._self_model = model
        self._self_called = called
        self._self_name = MISS

    @property
    def name(self) -> Any:
        """As OrcaFlex spells it, which need not be as it was called."""
        if self._self_model._self_make_reader is None:
            return self.__getattr__("name")
        if self._self_name is MISS:
            listed = self._self_called in self._self_model._self_listed_names
            self._self_name = self._self_called if listed else self.__getattr__("name")
            if not listed:
                self._self_model._self_check_listing(self._self_name)
        return self._self_name

    @name.setter
    def name(self, value: Any) -> None:
        self._self_name = MISS
        self._self_model._self_listing = None
        self._self_model._self_listed_names = {}
        self.__wrapped__.name = value

    def __getattr__(self, name: str) -> Any:
        return self._self_model._self_got(self.__wrapped__, name)

    def _self_answer(self, kind: RequestKind, *asked_for: Any) -> Any:
        model = self._self_model
        if model._self_make_reader is None:
            return MISS
        try:
            key = request_key(model._self_freezer, kind, id(self), *asked_for)
        except UncacheableArgumentError:
            return MISS
        return model._self_answer(key)

    def TimeHistory(
        self,
        varNames: Any,
        period: Any = None,
        objectExtra: Any = None,
    ) -> Any:
        answer = self._self_answer(RequestKind.TIME_HISTORY, varNames, period, objectExtra)
        if answer is not MISS:
            return answer
        return self.__getattr__("TimeHistory")(varNames, period, objectExtra)

    def StaticResult(
        self,
        varNames: Any,
        objectExtra: Any = None,
    ) -> Any:
        static_state = self._self_model._self_static_state
        if static_state is not None:
            answer = self._self_answer(
                RequestKind.TIME_HISTORY, varNames, static_state, objectExtra
            )
            if answer is not MISS and len(answer):
                return answer[0]
        return self.__getattr__("StaticResult")(varNames, objectExtra)

    def RangeGraph(
        self,
        varName: Any,
        period: Any = None,
        objectExtra: Any = None,
        arclengthRange: Any = None,
        *others: Any,
        **more: Any,
    ) -> Any:
        if not others and not more:
            answer = self._self_answer(
                RequestKind.RANGE_GRAPH, varName, period, objectExtra, arclengthRange
            )
            if answer is not MISS:
                return answer
        return self.__getattr__("RangeGraph")(
            varName, period, objectExtra, arclengthRange, *others, **more
        )


class ModelProxy(wrapt.ObjectProxy):  # type: ignore[misc,type-arg,unused-ignore]
    """A model whose objects are proxies; lives for one file on one thread.

    Without ``make_reader`` nothing is cached and everything passes through; the proxy is then only
    what lets the model be released whoever still holds it. ``note`` is told of every error that
    the model or one of its objects raises.
    """

    def __init__(
        self,
        wrapped: Any,
        static_state: Any,
        make_reader: MakeReader | None,
        note: Callable[[Exception], None] = lambda _: None,
    ) -> None:
        super().__init__(wrapped)
        self._self_note = note
        self._self_static_state = static_state
        self._self_make_reader = make_reader
        self._self_reader: ResultReader | None = None
        self._self_planned = False
        self._self_objects: dict[str, ObjectProxy] = {}
        self._self_times: dict[Any, Any] = {}
        self._self_freezer = Freezer()
        self._self_listing: Any = None
        self._self_listed_names: Mapping[str, Any] = {}

    def __getitem__(self, name: Any) -> ObjectProxy:
        if not isinstance(name, str):
            return self.__wrapped__[name]  # type: ignore[no-any-return]
        known = self._self_objects.get(name)
        if known is None:
            known = ObjectProxy(self._self_asked(self.__wrapped__.__getitem__, name), self, name)
            if self._self_make_reader is not None:
                self._self_objects[name] = known
        return known

    def __getattr__(self, name: str) -> Any:
        return self._self_got(self.__wrapped__, name)

    def _self_got(self, owner: Any, name: str) -> Any:
        """An attribute of the model or of an object of it, whose calls are listened to."""
        value = self._self_asked(getattr, owner, name)
        return partial(self._self_asked, value) if isinstance(value, MethodType) else value

    def _self_asked(self, question: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        try:
            return question(*arguments, **options)
        except Exception as error:
            self._self_note(error)
            raise

    def SampleTimes(self, period: Any = None) -> Any:
        ask = self.__getattr__("SampleTimes")
        if self._self_make_reader is None:
            return ask(period)
        try:
            key = self._self_freezer.freeze(period)
        except UncacheableArgumentError:
            return ask(period)
        if key not in self._self_times:
            self._self_times[key] = ask(period)
        return copy.copy(self._self_times[key])

    def _self_answer(self, key: Any) -> Any:
        if not self._self_planned:
            self._self_planned = True
            if self._self_make_reader is not None:
                self._self_reader = self._self_make_reader(self)
        return MISS if self._self_reader is None else self._self_reader.answer(key)

    def _self_listed(self, enumerate_objects: Callable[[Any], Any]) -> Any:
        """The engine's own listing of all objects, made once per model."""
        if self._self_make_reader is None:
            return self._self_asked(enumerate_objects, self.__wrapped__)
        if self._self_listing is None:
            listing = self._self_asked(ObjectIndex, self.__wrapped__, enumerate_objects)
            self._self_listing, self._self_listed_names = listing.answer, listing.names
        return self._self_listing

    def _self_check_listing(self, name: Any) -> None:
        """List as the engine does where a listing by name lacks an object that is there."""
        if self._self_listed_names and name not in self._self_listed_names:
            self._self_listed_names = {}
            self._self_listing["object_df"].materialize()

    def _self_forget(self) -> None:
        """Drop everything that was cached; the next question reaches the model itself."""
        self._self_make_reader = None
        self._self_note = lambda _: None
        self._self_reader = None
        self._self_planned = True
        self._self_objects.clear()
        self._self_times.clear()
        self._self_listing = None
        self._self_listed_names = {}

"""OrcFxAPI as the engine's loader sees it: a model is made with the threads that it may use.

``OrcFxAPI.Model(filename)`` lets OrcaFlex start a thread for every core while it loads; with many
workers that is many more than there are cores, and setting ``threadCount`` afterwards comes too
late for the load. The engine names no thread count, so the one that was allocated is put in.
"""

from __future__ import annotations

import inspect
from functools import cache, partial
from typing import Any

import wrapt

from digitalmodel_optimizer.host.current import current

BINDING = "OrcFxAPI"


class OrcFxAPIOfThread(wrapt.ObjectProxy):  # type: ignore[misc,type-arg,unused-ignore]
    """The binding's module, but for ``Model`` on a thread that is loading a file of a batch."""

    @property
    def Model(self) -> Any:  # noqa: N802 - OrcFxAPI's name
        model = self.__wrapped__.Model
        context = current()
        if context is None or context.native_threads <= 0 or not _takes_threads(model):
            return model
        return partial(model, threadCount=context.native_threads)


@cache
def _takes_threads(model: Any) -> bool:
    """Whether models can be made with a number of threads; not all providers know of it."""
    try:
        parameters = inspect.signature(model).parameters
    except (TypeError, ValueError):  # it does not tell
        return True
    any_name = inspect.Parameter.VAR_KEYWORD
    return "threadCount" in parameters or any(p.kind is any_name for p in parameters.values())

"""Answering the engine's questions about one model from results that were read in blocks.

The engine asks for one column at a time. A :class:`ResultReader` is told beforehand what will be
asked (the plan), reads it in blocks through the plugins when the first answer is needed, and hands
out each answer once it is asked for. Whatever is not in the plan, or could not be read, is a
:data:`MISS`: the engine then asks the model itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any

from digitalmodel_optimizer.contract import Request, RequestKind
from digitalmodel_optimizer.engine.keys import Freezer, NotUnderstoodError

MISS: Any = object()

ReadBlock = Callable[[Sequence[Request]], Sequence[Any] | None]


def request_key(request: Request, owner: Hashable, freezer: Freezer) -> Hashable:
    """What makes two requests the same; ``owner`` is the object's identity within its model."""
    return (
        request.kind,
        owner,
        request.variable,
        freezer.freeze(request.period),
        freezer.freeze(request.object_extra),
        freezer.freeze(request.arclength_range),
    )


class ResultReader:
    """The planned results of one model; lives as long as the model, on the model's thread.

    :param plan: (key, request) in the order in which the engine will ask.
    :param read_block: reads requests through the plugins.
    :param block_size: how many distinct requests are read at a time, which bounds the memory that
        is held for answers not yet asked for.
    """

    def __init__(
        self,
        plan: Iterable[tuple[Hashable, Request]],
        read_block: ReadBlock,
        block_size: int,
    ) -> None:
        planned = list(plan)
        self._uses = Counter(key for key, _ in planned)
        self._requests = dict(planned)
        self._blocks = self._split(list(self._requests), max(1, block_size))
        self._read_block = read_block
        self._answers: dict[Hashable, Any] = {}

    @staticmethod
    def _split(keys: list[Hashable], size: int) -> dict[Hashable, tuple[Hashable, ...]]:
        blocks = (tuple(keys[start : start + size]) for start in range(0, len(keys), size))
        return {key: block for block in blocks for key in block}

    def answer(self, key: Hashable) -> Any:
        """The result for ``key``, or :data:`MISS`."""
        if key not in self._answers:
            block = self._blocks.get(key)
            if block is None:
                return MISS
            self._read(block)
        answer = self._answers.get(key, MISS)
        self._uses[key] -= 1
        if self._uses[key] <= 0:
            self._answers.pop(key, None)
            self._blocks.pop(key, None)
        return answer

    def _read(self, block: tuple[Hashable, ...]) -> None:
        wanted = [key for key in block if key in self._blocks]
        answers = self._read_block([self._requests[key] for key in wanted])
        for place, key in enumerate(wanted):
            answer = answers[place] if answers is not None else None
            if answer is None:
                del self._blocks[key]
            else:
                self._answers[key] = answer


def time_history_request(
    model_object: Any, variable: Any, period: Any, object_extra: Any
) -> Request:
    """The request that a ``TimeHistory`` call means; several variables at once are not ours."""
    if not isinstance(variable, str):
        raise NotUnderstoodError("several variables at once")
    return Request(RequestKind.TIME_HISTORY, model_object, variable, period, object_extra)


def range_graph_request(
    model_object: Any, variable: Any, period: Any, object_extra: Any, arclength_range: Any
) -> Request:
    if not isinstance(variable, str):
        raise NotUnderstoodError("several variables at once")
    return Request(
        RequestKind.RANGE_GRAPH, model_object, variable, period, object_extra, arclength_range
    )

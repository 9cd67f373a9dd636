"""Answering the engine's questions about one model from results that were read in blocks.

The engine asks for one column at a time. A :class:`ResultReader` is told beforehand what will be
asked (the plan), reads it in blocks through the plugins when the first answer is needed, and hands
out each answer once it is asked for. Whatever is not in the plan, or could not be read, is a
:data:`MISS`: the engine then asks the model itself.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any

from digitalmodel_optimizer.file.keys import Freezer, UncacheableArgumentError
from digitalmodel_optimizer.plugin import Request, RequestKind

MISS: Any = object()

ReadBlock = Callable[[Sequence[Request]], Sequence[Any] | None]


def request_key(
    freezer: Freezer,
    kind: RequestKind,
    owner: Hashable,
    variable: Any,
    period: Any,
    object_extra: Any,
    arclength_range: Any = None,
) -> Hashable:
    """What makes two requests the same; ``owner`` is the object's identity within its model.

    :raises UncacheableArgumentError: several variables at once, or an argument of unclear meaning.
    """
    if not isinstance(variable, str):
        raise UncacheableArgumentError("several variables at once")
    freeze = freezer.freeze
    return (
        kind.value,
        owner,
        variable,
        freeze(period),
        freeze(object_extra),
        freeze(arclength_range),
    )


class _Planned:
    """A request of the plan: how often it will still be asked for, and its answer once read."""

    __slots__ = ("answer", "block", "request", "uses")

    def __init__(self, request: Request) -> None:
        self.request = request
        self.uses = 0
        self.answer = MISS
        self.block: Sequence[_Planned] = ()


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
        self._planned: dict[Hashable, _Planned] = {}
        for key, request in plan:
            self._planned.setdefault(key, _Planned(request)).uses += 1
        self._read_block = read_block
        every, size = list(self._planned.values()), max(1, block_size)
        for start in range(0, len(every), size):
            block = every[start : start + size]
            for planned in block:
                planned.block = block

    def answer(self, key: Hashable) -> Any:
        """The result for ``key``, or :data:`MISS`."""
        planned = self._planned.get(key)
        if planned is None:
            return MISS
        if planned.answer is MISS and planned.uses:
            self._read(planned.block)
        answer = planned.answer
        planned.uses -= 1
        if planned.uses <= 0:
            planned.answer = MISS
            del self._planned[key]
        return answer

    def _read(self, block: Sequence[_Planned]) -> None:
        wanted = [planned for planned in block if planned.uses > 0 and planned.answer is MISS]
        answers = self._read_block([planned.request for planned in wanted])
        for place, planned in enumerate(wanted):
            answer = answers[place] if answers is not None else None
            if answer is None:
                planned.uses = 0
            else:
                planned.answer = answer

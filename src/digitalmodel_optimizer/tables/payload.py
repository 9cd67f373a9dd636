"""What the engine made of one file, as it comes from a worker and waits for the end of the batch.

Only a little of it is wanted before the end. The tables are wanted by nobody until all files are
done, and there may be thousands of them: they travel, are noted and are kept as one piece of bytes
each, which costs the parent no time and a fraction of the memory that the objects would take.
"""

from __future__ import annotations

import pickle
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass, field, fields, replace
from typing import Any

from digitalmodel_optimizer.host.state import FIRST, EngineState, State
from digitalmodel_optimizer.tables.codec import NotPlainError, decode, encode
from digitalmodel_optimizer.tables.row_tables import OneRow


@dataclass(frozen=True)
class FileTables:
    """What is put together when all files are done.

    ``summary`` and ``linked`` map a group's label to its one-file table, as the engine would have
    handed them to its save functions: a DataFrame, or its plain values
    (:class:`~digitalmodel_optimizer.tables.row_tables.OneRow`). ``records`` is ``cfg[<basename>]``
    as the file left it, ``attributes`` are the lists that the engine keeps on its post-process
    object.
    """

    summary: Any = None
    linked: Any = None
    records: dict[str, Any] = field(default_factory=dict)
    attributes: dict[str, list[Any]] = field(default_factory=dict)


_FIELDS = tuple(item.name for item in fields(FileTables))


@dataclass(frozen=True)
class EngineOutput:
    """``packed`` are the :class:`FileTables` as bytes; :func:`unpacked` has them.

    ``plain``: they are plain data (:mod:`~digitalmodel_optimizer.tables.codec`), which may be kept
    in a file. Where something in them has no plain form they are a pickle, which goes from a worker
    to its parent and nowhere else. ``begun`` names the lists that the file has begun in its
    records, ``left`` is what else it changed in ``cfg``, ``started_from`` the state it was given.
    """

    packed: bytes
    plain: bool = True
    begun: tuple[str, ...] = ()
    left: State = ()
    started_from: EngineState = FIRST
    stop_time_s: float | None = None

    @classmethod
    def of(
        cls,
        tables: FileTables,
        left: State = (),
        started_from: EngineState = FIRST,
        stop_time_s: float | None = None,
    ) -> EngineOutput:
        try:
            packed, plain = encode([getattr(tables, name) for name in _FIELDS]), True
        except NotPlainError:
            packed, plain = pickle.dumps(tables, protocol=pickle.HIGHEST_PROTOCOL), False
        return cls(
            packed=packed,
            plain=plain,
            begun=tuple(key for key, value in tables.records.items() if isinstance(value, list)),
            left=left,
            started_from=started_from,
            stop_time_s=stop_time_s,
        )

    def summary_values(self) -> dict[str, dict[str, Any]]:
        """Values of the file's summary row by group and column label, the first row of a table."""
        summary = _tables(self).summary or {}
        return {str(label): _first_row(table) for label, table in summary.items()}


def _tables(output: EngineOutput) -> FileTables:
    if output.plain:
        return FileTables(*decode(output.packed))
    # Never from a file: what is kept there for a later run is plain.
    tables: FileTables = pickle.loads(output.packed)  # noqa: S301 - of our own worker
    return tables


def _first_row(table: Any) -> dict[str, Any]:
    if isinstance(table, OneRow):
        return dict(zip(table.added_names, table.added, strict=True))
    return {str(name): table[name].iloc[0] for name in table.columns} if len(table) else {}


def unpacked(outputs: Iterable[EngineOutput]) -> Iterator[FileTables]:
    """The tables of each; the columns' names, which come with every file, are one copy for all."""
    known: dict[Hashable, Any] = {}

    def one(names: Hashable) -> Any:
        return known.setdefault(names, names)

    def table(item: Any) -> Any:
        if not isinstance(item, OneRow):
            return item
        return replace(item, names=one(item.names), added_names=one(item.added_names))

    for output in outputs:
        tables = _tables(output)
        summary = tables.summary
        if isinstance(summary, dict):
            summary = {one(label): table(item) for label, item in summary.items()}
        yield replace(tables, summary=summary)

"""One copy of what the results of a batch have in common.

Results come out of other processes, each with its own copy of the columns' names and of the state
it started from; a batch of thousands of files keeps them all until its tables are written.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import replace
from typing import Any

from digitalmodel_optimizer.engine.row_tables import OneRow
from digitalmodel_optimizer.engine.state import FIRST, EngineState
from digitalmodel_optimizer.engine.unit import EngineOutput


class Shared:
    """Remembers the parts of one batch's results that come again."""

    def __init__(self) -> None:
        self._names: dict[Hashable, Any] = {}
        self._state: EngineState = FIRST

    def __call__(self, output: EngineOutput) -> EngineOutput:
        """``output``, equal to what it was, with parts that other results hold too."""
        if output.started_from != self._state:
            self._state = output.started_from
        return replace(
            output,
            started_from=self._state,
            summary=self._tables(output.summary),
            linked=self._tables(output.linked),
        )

    def _tables(self, tables: Any) -> Any:
        if not isinstance(tables, dict):
            return tables
        return {self._one(label): self._table(table) for label, table in tables.items()}

    def _table(self, table: Any) -> Any:
        if not isinstance(table, OneRow):
            return table
        return replace(
            table, names=self._one(table.names), added_names=self._one(table.added_names)
        )

    def _one(self, names: Hashable) -> Any:
        return self._names.setdefault(names, names)

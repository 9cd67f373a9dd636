"""What a validation found, as plain data for JSON."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from digitalmodel_optimizer import __version__
from digitalmodel_optimizer.tables.differences import (
    ColumnDifference,
    Place,
    Rows,
    TableDifference,
)
from digitalmodel_optimizer.validation.folders import FileComparison, State

SCHEMA = "digitalmodel-optimizer/validate/1"


@dataclass(frozen=True)
class Outcome:
    """``left`` and ``right`` say what was compared; ``inputs`` and ``seed`` are a sample's."""

    left: str
    right: str
    files: tuple[FileComparison, ...]
    inputs: Sequence[str] = ()
    seed: int | None = None
    seconds: Mapping[str, float] = field(default_factory=dict)

    @property
    def equal(self) -> bool:
        return not any(item.differs for item in self.files)

    @property
    def counts(self) -> dict[State, int]:
        found = Counter(item.state for item in self.files)
        return {state: found[state] for state in State if found[state]}


def as_json(outcome: Outcome) -> dict[str, Any]:
    """The JSON form; docs/reference/validate.md describes it."""
    return {
        "schema": SCHEMA,
        "version": __version__,
        "equal": outcome.equal,
        "left": outcome.left,
        "right": outcome.right,
        "inputs": list(outcome.inputs),
        "seed": outcome.seed,
        "seconds": dict(outcome.seconds),
        "files": [_file(item) for item in outcome.files],
    }


def _file(item: FileComparison) -> dict[str, Any]:
    lines = item.lines
    return {
        "name": item.name,
        "state": item.state.value,
        "note": item.note,
        "table": None if item.table is None else _table(item.table),
        "lines": None if lines is None else {"left": lines.left, "right": lines.right},
    }


def _table(table: TableDifference) -> dict[str, Any]:
    return {
        "columns_missing": list(table.columns_missing),
        "columns_extra": list(table.columns_extra),
        "columns_renamed": [list(names) for names in table.columns_renamed],
        "columns_reordered": table.columns_reordered,
        "rows_missing": _rows(table.rows_missing),
        "rows_extra": _rows(table.rows_extra),
        "rows_repeated": _rows(table.rows_repeated),
        "rows_reordered": table.rows_reordered,
        "columns": [_column(item) for item in table.columns],
        "first": None if table.first is None else _place(table.first),
        "text": table.text,
    }


def _rows(rows: Rows) -> dict[str, Any]:
    return {"number": rows.number, "first": list(rows.first)}


def _column(item: ColumnDifference) -> dict[str, Any]:
    return {
        "column": item.column,
        "cells": item.cells,
        "kinds": {kind.value: number for kind, number in item.kinds.items()},
        "absolute": _finite(item.absolute),
        "relative": _finite(item.relative),
        "first": _place(item.first),
    }


def _place(place: Place) -> dict[str, Any]:
    return {
        "row": place.row,
        "line": place.line,
        "column": place.column,
        "left": place.left,
        "right": place.right,
    }


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None

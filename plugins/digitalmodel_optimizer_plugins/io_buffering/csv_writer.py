"""The text that pandas' ``to_csv`` gives, for plain tables of numbers, several times sooner.

pandas writes a float as Python's ``repr`` does: the shortest digits that read back equal, with an
exponent below 1e-4 and from 1e16 on. orjson writes the same digits many times sooner and differs
from ``repr`` only in how it spells exponents, missing and infinite values; those few values are
spelled by ``repr`` itself. No csv rule can touch such texts, so joining them is enough. Any other
table is left to pandas.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

_FLOAT = "<f8"
_PLAIN_KINDS = {_FLOAT, "<i8"}
_SMALL, _LARGE = 1e-4, 1e15
_ROW_END = b"],["
_MISSING = b"null"
_LINE_END = os.linesep.encode("ascii")
# A table in blocks: the copies on the way to its text are then of a block's size, not the table's.
_BLOCK_VALUES = 500_000
_LEAST_ROWS = 64


def exact_csv(table: Any, options: Mapping[str, Any]) -> bytes | None:
    """``table.to_csv(None, **options)`` in UTF-8; None where pandas has to be asked."""
    if dict(options) != {"index": False} or not len(table) or table.shape[1] < 2:
        return None
    if any(type(label) is not str for label in table.columns):
        return None
    kinds = {getattr(kind, "str", None) for kind in table.dtypes}
    if not kinds.issubset(_PLAIN_KINDS):
        return None
    header = _header(table.columns)
    if kinds == {_FLOAT}:
        return b"".join((header, *_lines(table)))
    columns = (table.iloc[:, place].to_numpy() for place in range(table.shape[1]))
    texts = zip(*map(_texts, columns), strict=True)
    return b"".join((header, _LINE_END.join(map(b",".join, texts)), _LINE_END))


def _header(labels: Any) -> bytes:
    line = io.StringIO()
    # quoting depends on the line end: a label that holds one is quoted
    csv.writer(line, lineterminator=os.linesep).writerow(list(labels))
    return line.getvalue().encode("utf-8")


def _lines(table: Any) -> Iterator[bytes]:
    """The rows of a table of floats, some at a time."""
    rows = max(_LEAST_ROWS, _BLOCK_VALUES // table.shape[1])
    for start in range(0, len(table), rows):
        yield _rows(np.array(table.iloc[start : start + rows].to_numpy(), order="C"))
        yield _LINE_END


def _rows(values: np.ndarray[Any, Any]) -> bytes:
    """The rows of a block, which is changed: what is spelled apart goes where it had no value."""
    apart = _spelled_otherwise(values)
    spelled = map(_spelled, values[apart].tolist())
    values[apart] = np.nan
    between = _dumped(values)[2:-2].replace(_ROW_END, _LINE_END).split(_MISSING)
    pieces = [b""] * (2 * len(between) - 1)
    pieces[::2], pieces[1::2] = between, spelled
    return b"".join(pieces)


def _texts(values: np.ndarray[Any, Any]) -> list[bytes]:
    """One text per value of a column."""
    texts = _dumped(values)[1:-1].split(b",")
    if values.dtype.kind == "f":
        for place in np.flatnonzero(_spelled_otherwise(values)).tolist():
            texts[place] = _spelled(float(values[place]))
    return texts


def _dumped(values: np.ndarray[Any, Any]) -> bytes:
    import orjson

    return orjson.dumps(np.ascontiguousarray(values), option=orjson.OPT_SERIALIZE_NUMPY)


def _spelled(value: float) -> bytes:
    """As ``repr`` has it; a missing value is empty."""
    return b"" if value != value else repr(value).encode("ascii")  # noqa: PLR0124 - not a number


def _spelled_otherwise(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Where orjson's spelling may differ from ``repr``'s; wider than it need be."""
    size = np.abs(values)
    plain: np.ndarray[Any, Any] = ((size >= _SMALL) & (size < _LARGE)) | (size == 0)
    return ~plain

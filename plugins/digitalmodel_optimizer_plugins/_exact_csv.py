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
from collections.abc import Mapping
from typing import Any

import numpy as np

_PLAIN_KINDS = ("<f8", "<i8")
_SMALL, _LARGE = 1e-3, 1e15


def exact_csv(table: Any, options: Mapping[str, Any]) -> str | None:
    """What ``table.to_csv(None, **options)`` returns; None where pandas has to be asked."""
    if dict(options) != {"index": False} or not len(table) or table.shape[1] < 2:
        return None
    if any(type(label) is not str for label in table.columns):
        return None
    columns = [table.iloc[:, place] for place in range(table.shape[1])]
    if any(getattr(column.dtype, "str", None) not in _PLAIN_KINDS for column in columns):
        return None
    texts = [_texts(column.to_numpy()) for column in columns]
    lines = [_header(table.columns), *map(",".join, zip(*texts, strict=True)), ""]
    return os.linesep.join(lines)


def _header(labels: Any) -> str:
    line = io.StringIO()
    # quoting depends on the line end: a label that holds one is quoted
    csv.writer(line, lineterminator=os.linesep).writerow(list(labels))
    return line.getvalue()[: -len(os.linesep)]


def _texts(values: np.ndarray[Any, Any]) -> list[str]:
    """One text per value; a missing value is empty."""
    import orjson

    plain = np.ascontiguousarray(values)
    text = orjson.dumps(plain, option=orjson.OPT_SERIALIZE_NUMPY).decode("ascii")
    texts = text[1:-1].split(",")
    if plain.dtype.kind == "f":
        for place in np.flatnonzero(_spelled_otherwise(plain)):
            value = plain[place]
            texts[place] = "" if np.isnan(value) else repr(float(value))
    return texts


def _spelled_otherwise(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Where orjson's spelling may differ from ``repr``'s; wider than it need be."""
    size = np.abs(values)
    otherwise: np.ndarray[Any, Any] = (
        ~np.isfinite(values) | (size >= _LARGE) | ((size < _SMALL) & (size > 0))
    )
    return otherwise

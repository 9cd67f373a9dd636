"""CSV files as they are on disk: header, rows with their labels, line endings."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from digitalmodel_optimizer.tables.cells import plain_number

_BLOCK = 1 << 20


class NotATableError(Exception):
    """A file cannot be read as a table."""


class CsvFile:
    """A table's header, and its rows with their labels."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with self.reader() as reader:
            self.names = _distinct(next(reader, []))
        self.places = {name: place for place, name in enumerate(self.names)}

    @contextmanager
    def reader(self) -> Iterator[Any]:
        with self.path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as stream:
            try:
                yield csv.reader(stream)
            except csv.Error as error:
                raise NotATableError(f"{self.path}: {error}") from error

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """Line and cells of each row; short rows are filled up."""
        with self.reader() as reader:
            next(reader, None)
            for cells in reader:
                yield reader.line_num, cells + [""] * (len(self.names) - len(cells))

    def keys(self, labels: Sequence[str]) -> list[tuple[str, int]]:
        """The label of each row with its occurrence number, from 1."""
        seen: dict[str, int] = {}
        keys = []
        for _, cells in self.rows():
            label = self.label(cells, labels)
            seen[label] = seen.get(label, 0) + 1
            keys.append((label, seen[label]))
        return keys

    def label(self, cells: Sequence[str], labels: Sequence[str]) -> str:
        parts = (plain_number(cells[self.places[name]]) for name in labels)
        return " ".join(part for part in parts if part)


def text_difference(left: Path, right: Path) -> str:
    """What differs in the bytes of two files whose cells are the same."""
    one, other = _shape(left), _shape(right)
    said = [f"{what} ({a} and {b})" for (what, a), (_, b) in zip(one, other, strict=True) if a != b]
    return ", ".join(said) or "quotes around cells"


def _shape(path: Path) -> list[tuple[str, str]]:
    both = lone = 0
    first = last = b""
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            first = first or block[:3]
            both += block.count(b"\r\n") + (last == b"\r" and block[:1] == b"\n")
            lone += block.count(b"\n")
            last = block[-1:]
    endings = "CRLF" if both and both == lone else "LF" if not both else "both kinds"
    return [
        ("line endings", endings),
        ("byte order mark", "yes" if first == b"\xef\xbb\xbf" else "no"),
        ("end of the last line", "yes" if last == b"\n" else "no"),
    ]


def _distinct(names: Sequence[str]) -> list[str]:
    """Column names; of those of one name the second is ``name (2)``."""
    seen: dict[str, int] = {}
    distinct = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        distinct.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return distinct

"""From bytes to text and back to byte offsets, exactly."""

from __future__ import annotations

import codecs
import re
from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, pairwise

from digitalmodel_optimizer_migration.data import RefusedError

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_UTF32 = (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)
_LINE_END = re.compile(r"\r\n|\r|\n")
_SNIFF_BYTES = 8192


@dataclass(frozen=True)
class Text:
    """A file's text without its byte order mark, and how it was encoded."""

    text: str
    encoding: str
    mark: bytes

    @cached_property
    def _lines(self) -> tuple[list[int], list[int]]:
        """The character and the byte at which each line begins."""
        starts = [0, *(found.end() for found in _LINE_END.finditer(self.text))]
        sizes = (len(self.encode(self.text[start:end])) for start, end in pairwise(starts))
        return starts, list(accumulate(sizes, initial=len(self.mark)))

    def offset(self, index: int) -> int:
        """The byte at which the character ``index`` begins."""
        starts, offsets = self._lines
        line = bisect_right(starts, index) - 1
        return offsets[line] + len(self.encode(self.text[starts[line] : index]))

    def encode(self, text: str) -> bytes:
        return text.encode(self.encoding)

    def place(self, index: int) -> tuple[int, int]:
        """Line and column, from 1, as editors count them; columns in characters."""
        starts, _ = self._lines
        line = bisect_right(starts, index)
        return line, index - starts[line - 1] + 1


def is_binary(raw: bytes) -> bool:
    """Whether ``raw`` cannot be text: a NUL near its start, but for UTF-16 with its mark."""
    if raw.startswith(_UTF32):
        return True
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return False
    return b"\0" in raw[:_SNIFF_BYTES]


def decode(raw: bytes) -> Text:
    """UTF-8, or UTF-16 where a mark says so: the encodings that PyYAML reads.

    :raises RefusedError: the bytes are not valid in that encoding, or there is a second mark.
    """
    mark, encoding = next((pair for pair in _MARKS if raw.startswith(pair[0])), (b"", "utf-8"))
    body = raw[len(mark) :]
    try:
        text = body.decode(encoding)
    except UnicodeDecodeError as error:
        raise RefusedError(
            f"not valid {encoding.upper()} at byte {len(mark) + error.start}: {error.reason}; "
            "save the file as UTF-8",
            len(body[: error.start].decode(encoding)),
        ) from None
    if text.startswith("\ufeff"):
        raise RefusedError("the file begins with two byte order marks; remove one", 0)
    return Text(text, encoding, mark)


def decode_leniently(raw: bytes) -> Text:
    """The text of ``raw`` with a mark in place of what is not valid; for messages only."""
    mark, encoding = next((pair for pair in _MARKS if raw.startswith(pair[0])), (b"", "utf-8"))
    return Text(raw[len(mark) :].decode(encoding, "replace"), encoding, mark)

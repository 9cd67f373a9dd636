"""Writing to standard output and error, whatever they are; a message never ends a batch.

They may be None (pythonw, services), closed, a terminal that has gone, or a file whose encoding
lacks a character. Standard library only: even what runs before everything else may write.
"""

from __future__ import annotations

import io
import sys
from typing import Any, TextIO


class TolerantStream:
    """Text goes to ``stream`` as well as that can take it, and nowhere if it cannot."""

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream
        self._write = None if stream is None else stream.write
        self.encoding = getattr(stream, "encoding", None) or "ascii"

    def write(self, text: str) -> int:
        try:
            if self._write is not None:
                self._write_encodable(text)
        except (OSError, ValueError):  # ValueError: it is closed
            self._write = None
        return len(text)

    def _write_encodable(self, text: str) -> None:
        assert self._write is not None
        try:
            self._write(text)
        except UnicodeEncodeError:
            self._write(text.encode(self.encoding, "replace").decode(self.encoding))

    def flush(self) -> None:
        if self._stream is not None and self._write is not None:
            try:
                self._stream.flush()
            except (OSError, ValueError):
                self._write = None

    @property
    def gone(self) -> bool:
        """Whether nothing that is written arrives any more."""
        return self._write is None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class _Nowhere(io.TextIOBase):
    """Takes all text and keeps none."""

    @property
    def buffer(self) -> io.BytesIO:
        return io.BytesIO()

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        return len(text)


def replace_missing() -> None:
    """Have the standard streams that this process lacks take text, and drop it.

    From the first batch on, since not everybody asks before writing: loky flushes both whenever it
    starts a process.
    """
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, _Nowhere())


def say(text: str) -> None:
    """Print a line of ours on standard error."""
    stream = TolerantStream(sys.stderr)
    stream.write(f"digitalmodel-optimizer: {text}\n")
    stream.flush()

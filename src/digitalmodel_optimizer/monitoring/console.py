"""A rich console on standard error that takes any encoding, terminal or not."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from rich.console import Console

PLAIN_WIDTH = 100


class TolerantStream:
    """A text stream to write to, for characters too that its encoding does not have."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._write = stream.write
        self.encoding = getattr(stream, "encoding", None) or "ascii"

    def write(self, text: str) -> int:
        try:
            return self._write(text)
        except UnicodeEncodeError:
            return self._write(text.encode(self.encoding, "replace").decode(self.encoding))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def make_console(stream: TextIO | None = None, width: int | None = None) -> Console | None:
    """A console on ``stream``, by default standard error; None where there is none (pythonw).

    Colours and a width of its own only on a terminal; ``NO_COLOR`` and the like are honoured.
    """
    from rich.console import Console

    stream = sys.stderr if stream is None else stream
    if stream is None:
        return None
    if width is None and not _is_terminal(stream):
        width = PLAIN_WIDTH
    return Console(
        file=TolerantStream(stream),  # type: ignore[arg-type]
        width=width,
        force_jupyter=False,
        highlight=False,
        markup=False,
        emoji=False,
    )


def _is_terminal(stream: TextIO) -> bool:
    try:
        return stream.isatty()
    except (AttributeError, ValueError):  # not a real stream, or closed
        return False

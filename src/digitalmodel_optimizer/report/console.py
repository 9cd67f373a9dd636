"""A rich console on standard error that takes any encoding, terminal or not."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, TextIO

from digitalmodel_optimizer.streams import TolerantStream

if TYPE_CHECKING:
    from rich.console import Console

PLAIN_WIDTH = 100


def make_console(stream: TextIO | None = None, width: int | None = None) -> Console | None:
    """A console on ``stream``, by default standard error; None where there is none (pythonw).

    Colours and a width of its own only on a terminal; ``NO_COLOR`` and the like are honoured.
    """
    from rich.console import Console

    stream = standard_stream("stderr") if stream is None else stream
    if stream is None:
        return None
    if width is None and not is_terminal(stream):
        width = PLAIN_WIDTH
    return Console(
        file=TolerantStream(stream),  # type: ignore[arg-type]
        width=width,
        force_jupyter=False,
        highlight=False,
        markup=False,
        emoji=False,
    )


def standard_stream(name: str) -> TextIO | None:
    """``sys.stdout`` or ``sys.stderr``; on a terminal the original one, from under any wrapper.

    The host calls ``colorama.init(strip=True)``, which takes every control sequence out of what is
    written to ``sys.stderr``, terminal or not.
    """
    stream: TextIO | None = getattr(sys, name)
    original: TextIO | None = getattr(sys, f"__{name}__")
    if stream is None or original is None or not (is_terminal(stream) and is_terminal(original)):
        return stream
    try:
        return original if stream.fileno() == original.fileno() else stream
    except (OSError, ValueError, AttributeError):
        return stream


def is_terminal(stream: TextIO) -> bool:
    try:
        return stream.isatty()
    except (AttributeError, ValueError):  # not a real stream, or closed
        return False

"""A terminal's screen as a picture (SVG), in its own colours."""

from __future__ import annotations

import io
import itertools

import pyte
from rich.console import Console
from rich.style import Style
from rich.text import Text

_NAMES = {"brown": "yellow", "default": "default"}


def picture(screen: pyte.Screen, title: str, without: str) -> str:
    """From the first line of the live view on, with a few lines before it.

    :param without: lines that hold it are left out.
    """
    texts = [line.strip() for line in screen.display]
    first = next((n for n, text in enumerate(texts) if text.endswith(("/s", "files"))), 0)
    last = max(n for n, text in enumerate(texts) if text)
    console = Console(record=True, width=screen.columns, file=io.StringIO(), force_terminal=True)
    for row in range(max(0, first - 3), last + 1):
        line = Text()
        if without in screen.display[row]:
            continue
        cells = [screen.buffer[row][column] for column in range(screen.columns)]
        for (fg, bg, bold), run in itertools.groupby(cells, lambda c: (c.fg, c.bg, c.bold)):
            style = Style(color=_colour(fg), bgcolor=_colour(bg), bold=bold)
            line.append("".join(cell.data for cell in run), style)
        console.print(line, end="\n", soft_wrap=True)
    return console.export_svg(title=title)


def _colour(name: str) -> str | None:
    found = _NAMES.get(name, name)
    if found == "default":
        return None
    if found.startswith("bright"):
        return f"bright_{found.removeprefix('bright')}"
    return f"#{found}" if len(found) == 6 and found not in ("yellow", "purple") else found

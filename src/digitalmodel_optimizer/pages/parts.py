"""What all pages share: the frame, tables, and a legend for the colours of drawings."""

from __future__ import annotations

import html
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from digitalmodel_optimizer.plugin import OptimizerError
from digitalmodel_optimizer.plugin.atomic import write_whole

STAGE_COLOURS = {
    "wait": "#c9ced6",
    "load": "#35618f",
    "enumerate": "#5fb0ab",
    "read": "#4e9a47",
    "engine": "#e08a1e",
    "write": "#a56a96",
    "publish": "#7d5a46",
}
_STYLE = """
:root { color-scheme: light; }
body { font: 15px/1.5 system-ui, "Segoe UI", sans-serif; color: #1d2430; max-width: 62em;
       margin: 2em auto; padding: 0 1.2em; }
h1 { font-size: 1.5em; margin: 0 0 .1em; } h2 { font-size: 1.12em; margin: 2em 0 .4em; }
p { margin: .3em 0; } .quiet { color: #5b6573; font-size: .9em; }
.good { color: #1d6b35; } .bad { color: #a8201a; font-weight: 600; }
.facts { display: flex; flex-wrap: wrap; gap: .5em 2.4em; margin: 1em 0; padding: 0;
         list-style: none; }
.facts b { display: block; font-size: 1.35em; font-weight: 600; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: .5em 0; }
th, td { padding: .18em .8em .18em 0; text-align: right; vertical-align: top; }
th { font-weight: 600; border-bottom: 1px solid #9aa3af; }
td.text, th.text { text-align: left; overflow-wrap: break-word; max-width: 36em; }
svg { width: 100%; height: auto; font-size: 12px; }
svg text { fill: #45505e; } svg .grid { stroke: #e3e6eb; } svg .axis { fill: #1d2430; }
svg .line { fill: none; stroke-width: 1.6; } svg .note { font-size: 11px; fill: #1d2430; }
.legend span { margin-right: 1.2em; white-space: nowrap; }
.legend i { display: inline-block; width: .8em; height: .8em; margin-right: .4em; }
.scroll { overflow-x: auto; }
@media print { body { margin: 0; max-width: none; font-size: 11px; } h2 { break-after: avoid; }
  svg, tr { break-inside: avoid; } * { print-color-adjust: exact; } }
"""


def page(title: str, body: Iterable[str], kinds: Mapping[str, str] | None = None) -> str:
    """A whole page.

    :param kinds: colours of drawings by the classes of their marks.
    """
    colours = "".join(
        f"rect.{kind}, circle.{kind}, i.{kind} {{ fill: {colour}; background: {colour}; }} "
        f"polyline.{kind} {{ stroke: {colour}; }}\n"
        for kind, colour in (kinds or {}).items()
    )
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(title)}</title><style>{_STYLE}{colours}</style></head>\n<body>\n"
        + "".join(body)
        + "</body></html>\n"
    )


def legend(names: Iterable[tuple[str, str]]) -> str:
    """Kind and words of each colour that a drawing uses."""
    items = "".join(
        f'<span><i class="{kind}"></i>{html.escape(words)}</span>' for kind, words in names
    )
    return f'<p class="legend quiet">{items}</p>\n'


def table(headings: Sequence[str], rows: Iterable[Sequence[object]], text: int = 1) -> str:
    """A table whose first ``text`` columns, and the last one if it is named so, hold words."""
    last = len(headings) - 1

    def kind(place: int) -> str:
        wordy = place < text or (place == last and headings[last] in ("message", "reason", "what"))
        return ' class="text"' if wordy else ""

    head = "".join(f"<th{kind(n)}>{html.escape(words)}</th>" for n, words in enumerate(headings))
    body = "".join(
        "<tr>"
        + "".join(f"<td{kind(n)}>{html.escape(str(cell))}</td>" for n, cell in enumerate(row))
        + "</tr>\n"
        for row in rows
    )
    return f'<div class="scroll"><table><tr>{head}</tr>\n{body}</table></div>\n'


def write_page(text: str, path: Path) -> None:
    """Write a page as a whole or not at all.

    :raises OptimizerError: it cannot be written.
    """
    try:
        write_whole(os.fspath(path), text.encode("utf-8", "replace"))
    except OSError as error:
        raise OptimizerError(f"{path} cannot be written: {error.strerror}") from None

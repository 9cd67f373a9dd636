"""The page with plots: one file that needs nothing else, plotly's own code inside."""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from digitalmodel_optimizer.bench.json_form import write_whole
from digitalmodel_optimizer.bench.results import Measured, Result, SuiteResult
from digitalmodel_optimizer.bench.tables import (
    LEGEND,
    RESOURCES,
    STAND_IN,
    TIMES,
    Measures,
    cold_remarks,
    resources_of,
)
from digitalmodel_optimizer.plugin import OptimizerError

_HEAD = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem;
       color: #1d2733; }}
table {{ border-collapse: collapse; font-variant-numeric: tabular-nums; }}
td, th {{ padding: .2rem .7rem; text-align: right; border-bottom: 1px solid #d8dee6; }}
td:first-child, th:first-child {{ text-align: left; white-space: nowrap; }}
.bad {{ color: #b3261e; font-weight: 600; }} .quiet {{ color: #5b6875; }}
</style></head><body>
<h1>{title}</h1>
"""
_QUANTITIES = (
    ("loop_s", "loop, seconds"),
    ("memory_mb", "peak of the process tree, MB"),
)


def write_page(result: Result, path: Path) -> None:
    """Write the page on ``result``.

    :raises OptimizerError: plotly is not installed.
    """
    plotly_io()
    write_whole(path, "".join(_page(result)).encode())


def whole_page(title: str, command: str, parts: Sequence[str], text: str) -> str:
    """A page with ``parts``, which are HTML already, and plain ``text`` below them."""
    end = f"<pre>{html.escape(text)}</pre></body></html>\n"
    commands = "<br>".join(f"$ {html.escape(line)}" for line in command.splitlines())
    head = f'{_HEAD.format(title=title)}<p class="quiet">{commands}</p>\n'
    return "".join([head, *parts, end])


def plotly_io() -> tuple[Any, Any]:
    """Plotly's graph objects and its writer.

    :raises OptimizerError: it is not installed.
    """
    try:
        from plotly import graph_objects
        from plotly import io as writer
    except ImportError as error:
        raise OptimizerError(
            "the page with plots needs plotly; pip install digitalmodel-optimizer[bench]"
        ) from error
    return graph_objects, writer


def _page(result: Result) -> Iterator[str]:
    yield _HEAD.format(title="digitalmodel-optimizer: benchmarks")
    machine = ", ".join(
        f"{key.replace('_', ' ')}: {value}" for key, value in result.machine.items()
    )
    versions = ", ".join(f"{key} {value}" for key, value in result.versions.items())
    for line in (f"$ {result.command}", machine, versions, STAND_IN if result.stand_in else ""):
        yield f'<p class="quiet">{html.escape(line)}</p>\n' if line else ""
    first = True
    for suite in result.suites:
        yield f"<h2>{html.escape(suite.name)}</h2>\n"
        yield f"<p>{suite.files} files, {suite.size_mb:.0f} MB: {html.escape(suite.words)}</p>\n"
        if any(item.rounds for item in suite.measured):
            yield figure_html(_plot(suite), with_library=first)
            first = False
        yield from _table(suite, int(result.machine["logical_cpus"]))
    yield f'<p class="quiet">{html.escape(LEGEND)}</p></body></html>\n'


def figure_html(figure: Any, *, with_library: bool) -> str:
    """A figure as a part of a page; one of them has to bring plotly's own code."""
    _, writer = plotly_io()
    text: str = writer.to_html(figure, full_html=False, include_plotlyjs=with_library)
    return text


def _plot(suite: SuiteResult) -> Any:
    """Medians as bars, the spread of the warm rounds as whiskers, cold rounds as marks."""
    graph, _ = plotly_io()
    from plotly.subplots import make_subplots

    shown = [item for item in suite.measured if item.rounds]
    names = [item.name for item in shown]
    figure = make_subplots(rows=1, cols=2, subplot_titles=[words for _, words in _QUANTITIES])
    for place, (quantity, _) in enumerate(_QUANTITIES, start=1):
        spreads = [item.spread(quantity) for item in shown]
        medians = [spread.median if spread else 0.0 for spread in spreads]
        figure.add_trace(
            graph.Bar(
                x=medians,
                y=names,
                orientation="h",
                name="warm, median",
                marker_color="#2f6f9f",
                showlegend=place == 1,
                error_x={
                    "type": "data",
                    "array": [s.most - s.median if s else 0 for s in spreads],
                    "arrayminus": [s.median - s.least if s else 0 for s in spreads],
                },
            ),
            row=1,
            col=place,
        )
        cold = [(item.name, value) for item in shown for value in item.of(quantity, cold=True)]
        figure.add_trace(
            graph.Scatter(
                x=[value for _, value in cold],
                y=[name for name, _ in cold],
                mode="markers",
                name="cold",
                marker={"symbol": "diamond", "color": "#d1802b", "size": 9},
                showlegend=place == 1,
            ),
            row=1,
            col=place,
        )
    figure.update_yaxes(autorange="reversed")
    figure.update_yaxes(showticklabels=False, col=2)
    figure.update_xaxes(rangemode="tozero")
    figure.update_layout(
        height=180 + 34 * len(shown), margin={"l": 10, "r": 10, "t": 50, "b": 30}, template="none",
        legend={"orientation": "h", "y": -0.08}, yaxis={"automargin": True},
    )  # fmt: skip
    return figure


def _table(suite: SuiteResult, cpus: int) -> Iterator[str]:
    headings = [" ".join(words.split()) for words in (*TIMES, *RESOURCES)]
    measures = Measures.of_suite(suite, cpus)
    rows = [
        [item.name, *measures.times(item), *resources_of(item), *_moved(item), _verdict(item)]
        for item in suite.measured
    ]
    yield table_html(["configuration", *headings, "read MB", "written MB", "outputs"], rows)
    for item in suite.measured:
        for words in item.differences:
            yield f'<p class="bad">{html.escape(f"{item.name}: {words}")}</p>\n'
    for words in cold_remarks(suite):
        yield f'<p class="quiet">{html.escape(words)}</p>\n'
    for name, why in suite.skipped.items():
        yield f'<p class="quiet">{html.escape(name)}: left out, {html.escape(why)}</p>\n'


def _moved(item: Measured) -> Iterator[str]:
    for quantity in ("read_mb", "written_mb"):
        spread = item.spread(quantity)
        yield f"{spread.median:.0f}" if spread else "-"


def _verdict(item: Measured) -> str:
    return "identical" if item.same else "DIFFERENT"


def table_html(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A plain table; a cell that says DIFFERENT is marked."""
    lines = ["<table>", "<tr>" + "".join(f"<th>{html.escape(h)}</th>" for h in headings) + "</tr>"]
    for row in rows:
        cells = (
            f'<td class="bad">{cell}</td>'
            if cell == "DIFFERENT"
            else f"<td>{html.escape(cell)}</td>"
            for cell in row
        )
        lines.append("<tr>" + "".join(cells) + "</tr>")
    return "\n".join([*lines, "</table>\n"])

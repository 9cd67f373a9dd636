"""The page of a benchmark: a headline, bars with their spread, tables; it needs nothing but a
browser.
"""

from __future__ import annotations

import html
from collections.abc import Iterator
from pathlib import Path

from digitalmodel_optimizer.bench.configurations import ENGINE, FULL
from digitalmodel_optimizer.bench.json_form import write_whole
from digitalmodel_optimizer.bench.results import Measured, Result, SuiteResult
from digitalmodel_optimizer.bench.tables import (
    LEGEND,
    RESOURCES,
    STAND_IN,
    TIMES,
    Measures,
    cold_remarks,
    heading,
    resources_of,
)
from digitalmodel_optimizer.pages.parts import legend, page, table
from digitalmodel_optimizer.pages.svg import Plot

_COLOURS = {"warm": "#2f6f9f", "cold": "#d1802b", "spread": "#1d2430"}
_QUANTITIES = (
    ("process_s", "seconds of the whole command"),
    ("loop_s", "seconds of the loop"),
    ("memory_mb", "MB of all processes at the peak"),
)


def write_page(result: Result, path: Path) -> None:
    """Write the page on ``result``."""
    text = page(f"digitalmodel-optimizer: {headline(result)}", _body(result), _COLOURS)
    write_whole(path, text.encode())


def headline(result: Result) -> str:
    """``12 to 18 times as fast``: the plugins' whole command against the engine's."""
    ratios = []
    for suite in result.suites:
        spreads = [
            item.spread("process_s") if item else None
            for item in (suite.get(ENGINE.name), suite.get(FULL.name))
        ]
        if spreads[0] and spreads[1]:
            ratios.append(spreads[0].median / spreads[1].median)
    if not ratios:
        return "benchmarks"
    least, most = (f"{value:.2g}" for value in (min(ratios), max(ratios)))
    return f"{least if least == most else f'{least} to {most}'} times as fast, the whole command"


def _body(result: Result) -> Iterator[str]:
    yield f"<h1>{html.escape(headline(result))}</h1>\n"
    machine = ", ".join(f"{key.replace('_', ' ')}: {item}" for key, item in result.machine.items())
    versions = ", ".join(f"{key} {value}" for key, value in result.versions.items())
    stand_in = STAND_IN if result.stand_in else ""
    for line in (stand_in, machine, versions, f"$ {result.command}"):
        yield f'<p class="quiet">{html.escape(line)}</p>\n' if line else ""
    for suite in result.suites:
        yield f"<h2>{html.escape(heading(suite))}</h2>\n"
        if any(item.rounds for item in suite.measured):
            yield legend([("warm", "warm, median"), ("spread", "least to most"), ("cold", "cold")])
            yield from (_bars(suite, *quantity) for quantity in _QUANTITIES)
        yield from _tables(suite, int(result.machine["logical_cpus"]))
    yield f'<p class="quiet">{html.escape(LEGEND)}</p>\n'


def _bars(suite: SuiteResult, quantity: str, words: str) -> str:
    """Medians as bars, the spread of the warm rounds as lines, cold rounds as points."""
    shown = [item for item in suite.measured if item.rounds]
    values = [
        value for item in shown for cold in (False, True) for value in item.of(quantity, cold=cold)
    ]
    if not values:
        return ""
    names = [item.name for item in shown]
    plot = Plot(words, "", 1.05 * max(values), len(shown), 56 + 24 * len(shown), names)
    for place, item in enumerate(shown):
        warm = item.of(quantity)
        spread = item.spread(quantity)
        if warm and spread:
            said = f"{item.name}: {spread.median:.4g} ({spread.least:.4g} to {spread.most:.4g})"
            plot.bar(0, spread.median, place + 0.15, place + 0.85, "warm", said)
            plot.line([(spread.least, place + 0.5), (spread.most, place + 0.5)], "spread", said)
        for value in item.of(quantity, cold=True):
            plot.point(value, place + 0.5, "cold", f"{item.name}, cold: {value:.4g}")
    return plot.drawn(f"{words} by configuration")


def _tables(suite: SuiteResult, cpus: int) -> Iterator[str]:
    measures = Measures.of_suite(suite, cpus)
    headings = [" ".join(words.split()) for words in (*TIMES, *RESOURCES)]
    rows = [
        [item.name, *measures.times(item), *resources_of(item), *_moved(item), _verdict(item)]
        for item in suite.measured
    ]
    yield table(["configuration", *headings, "read MB", "written MB", "outputs"], rows)
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

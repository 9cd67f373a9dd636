"""Pages with plots of the scaling and the memory study."""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from rich.console import Console

from digitalmodel_optimizer.bench.json_form import write_whole
from digitalmodel_optimizer.bench.memory import MemoryResult
from digitalmodel_optimizer.bench.memory_tables import memory_figures
from digitalmodel_optimizer.bench.page import figure_html, plotly_io, whole_page
from digitalmodel_optimizer.bench.scaling import ScalingResult
from digitalmodel_optimizer.bench.scaling_tables import disk_words, load_words, scaling_figures

_WIDTH = 110
_HEIGHT = 440
_COLOURS = (
    "#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd",
    "#8c564b", "#e377c2", "#555555", "#a8a410", "#17becf",
)  # fmt: skip
# Where a logarithmic axis of seconds is labelled.
_TICKS_S = tuple(factor * 10.0**power for power in range(-1, 5) for factor in (1, 2, 5))


def write_scaling_page(result: ScalingResult, path: Path) -> None:
    """Time over workers, one curve a load, one figure a disk; the tables below."""
    figures = list(_scaling_figures(result))
    _write(path, "scaling", result.command, figures, scaling_figures(result))


def write_memory_page(result: MemoryResult, path: Path) -> None:
    """Peaks over file size, and memory over time where many files ran."""
    _write(path, "memory", result.command, list(_memory_figures(result)), memory_figures(result))


def _write(path: Path, name: str, command: str, figures: list[Any], tables: Any) -> None:
    console = Console(width=_WIDTH, record=True, file=io.StringIO(), color_system=None)
    console.print(tables)
    parts = [figure_html(item, with_library=place == 0) for place, item in enumerate(figures)]
    page = whole_page(f"digitalmodel-optimizer: {name}", command, parts, console.export_text())
    write_whole(path, page.encode())


def _scaling_figures(result: ScalingResult) -> Iterator[Any]:
    yield _model_figure(result)
    for disk in dict.fromkeys(plan.machine.disk_mb_per_s for plan in result.plans):
        plans = [plan for plan in result.plans if plan.machine.disk_mb_per_s == disk]
        figure = _figure(
            f"{result.cores} CPUs, {disk_words(disk)} (a model; stars: the plugins, with the most "
            "workers that they raise to)",
            "worker processes",
            "loop, seconds",
        )
        for plan, colour in zip(plans, itertools.cycle(_COLOURS), strict=False):
            times = sorted((int(number), value) for number, value in plan.times_s.items())
            name = load_words(plan)
            _add(figure, name, times, mode="lines+markers", line={"color": colour})
            star = {"symbol": "star", "size": 13, "color": colour, "line": {"width": 1}}
            _add(figure, name, [(plan.raised_to, plan.chosen_s)], marker=star, showlegend=False)
        figure.update_yaxes(type="log", tickvals=_TICKS_S)
        yield figure


def _model_figure(result: ScalingResult) -> Any:
    """Real runs beside what the model makes of them."""
    figure = _figure("the model against real runs", "", "loop, seconds")
    names = [
        f"{item.batch}, {item.workers}{'' if item.ready else ' late'}" for item in result.checked
    ]
    spreads = [item.spread for item in result.checked]
    whiskers = {
        "type": "data",
        "array": [spread.most - spread.median for spread in spreads],
        "arrayminus": [spread.median - spread.least for spread in spreads],
    }
    real = zip(names, (spread.median for spread in spreads), strict=True)
    _add(figure, "real: median, least, most", real, error_y=whiskers, marker={"size": 9})
    model = zip(names, (item.model_s for item in result.checked), strict=True)
    _add(figure, "model", model, marker={"symbol": "x", "size": 9})
    figure.update_yaxes(rangemode="tozero")
    figure.update_xaxes(title="batch, workers (late: none was started early)")
    return figure


def _memory_figures(result: MemoryResult) -> Iterator[Any]:
    for quantity, words in (("memory_mb", "the process tree"), ("worker_mb", "the largest worker")):
        if not result.points:
            break
        figure = _figure(f"peak of {words}", "size of each file, MB", "resident memory, MB")
        for name in dict.fromkeys(item.configuration for item in result.points):
            mine = [item for item in result.points if item.configuration == name]
            curve = [(item.size_mb, getattr(item, quantity)) for item in mine]
            _add(figure, name, curve, mode="lines+markers")
        figure.update_yaxes(rangemode="tozero")
        yield figure
    if result.growth is not None:
        samples = result.growth.samples
        title = f"{result.growth.files:,} files of {result.growth.size_mb:.1f} MB, one worker"
        figure = _figure(title, "seconds", "resident memory, MB")
        for name, attribute in (("worker", "largest_child_mb"), ("the host's process", "root_mb")):
            _add(figure, name, [(item.elapsed_s, getattr(item, attribute)) for item in samples],
                 mode="lines")  # fmt: skip
        figure.update_yaxes(rangemode="tozero")
        yield figure


def _figure(title: str, across: str, up: str) -> Any:
    graph, _ = plotly_io()
    figure = graph.Figure()
    figure.update_layout(title=title, template="none", height=_HEIGHT, colorway=_COLOURS)
    figure.update_xaxes(title=across, automargin=True)
    figure.update_yaxes(title=up, automargin=True)
    return figure


def _add(figure: Any, name: str, points: Iterable[tuple[Any, float]], **look: Any) -> None:
    graph, _ = plotly_io()
    across, up = zip(*points, strict=True)
    figure.add_trace(graph.Scatter(x=across, y=up, name=name, **{"mode": "markers", **look}))

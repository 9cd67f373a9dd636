"""Pages with plots of the scaling and the memory study."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console

from digitalmodel_optimizer.bench.memory import MemoryResult
from digitalmodel_optimizer.bench.memory_tables import memory_figures
from digitalmodel_optimizer.bench.page import figure_html, plotly_io, whole_page
from digitalmodel_optimizer.bench.scaling import ScalingResult
from digitalmodel_optimizer.bench.scaling_tables import disk_words, load_words, scaling_figures

_WIDTH = 110


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
    path.parent.mkdir(parents=True, exist_ok=True)
    page = whole_page(f"digitalmodel-optimizer: {name}", command, parts, console.export_text())
    path.write_text(page, encoding="utf-8")


def _scaling_figures(result: ScalingResult) -> Iterator[Any]:
    graph, _ = plotly_io()
    for disk in dict.fromkeys(plan.machine.disk_mb_per_s for plan in result.plans):
        figure = graph.Figure()
        for plan in result.plans:
            if plan.machine.disk_mb_per_s == disk:
                times = sorted((int(number), value) for number, value in plan.times_s.items())
                figure.add_trace(
                    graph.Scatter(
                        x=[number for number, _ in times],
                        y=[value for _, value in times],
                        mode="lines+markers",
                        name=load_words(plan),
                    )
                )
        title = f"{result.cores} CPUs, {disk_words(disk)}: seconds over workers"
        figure.update_layout(title=title, template="none", height=420)
        figure.update_yaxes(type="log")
        yield figure


def _memory_figures(result: MemoryResult) -> Iterator[Any]:
    graph, _ = plotly_io()
    for quantity, words in (("memory_mb", "process tree"), ("worker_mb", "each worker")):
        figure = graph.Figure()
        for name in dict.fromkeys(item.configuration for item in result.points):
            mine = [item for item in result.points if item.configuration == name]
            figure.add_trace(
                graph.Scatter(
                    x=[item.size_mb for item in mine],
                    y=[getattr(item, quantity) for item in mine],
                    mode="lines+markers",
                    name=name,
                )
            )
        figure.update_layout(
            title=f"peak of the {words}, MB, over MB of a file", template="none", height=420
        )
        if result.points:
            yield figure
    if result.growth is not None:
        samples = result.growth.samples
        figure = graph.Figure()
        for name, attribute in (("worker", "largest_child_mb"), ("parent", "root_mb")):
            figure.add_trace(
                graph.Scatter(
                    x=[item.elapsed_s for item in samples],
                    y=[getattr(item, attribute) for item in samples],
                    name=name,
                )
            )
        title = f"memory in MB over seconds, {result.growth.files} files"
        figure.update_layout(title=title, template="none", height=420)
        yield figure

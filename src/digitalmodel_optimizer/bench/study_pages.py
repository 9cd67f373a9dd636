"""Pages with drawings of the scaling and the memory study."""

from __future__ import annotations

import html
import io
import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from rich.console import Console

from digitalmodel_optimizer.bench.json_form import write_whole
from digitalmodel_optimizer.bench.memory import MemoryResult
from digitalmodel_optimizer.bench.memory_tables import memory_figures
from digitalmodel_optimizer.bench.scaling import ScalingResult
from digitalmodel_optimizer.bench.scaling_tables import disk_words, load_words, scaling_figures
from digitalmodel_optimizer.pages.parts import legend, page
from digitalmodel_optimizer.pages.svg import Plot

_WIDTH = 110
_HEIGHT = 380
_COLOURS = {
    f"c{place}": colour
    for place, colour in enumerate((
        "#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd",
        "#8c564b", "#e377c2", "#555555", "#a8a410", "#17becf",
    ))
}  # fmt: skip
Curve = tuple[str, list[tuple[float, float]]]


def write_scaling_page(result: ScalingResult, path: Path) -> None:
    """Time over workers, one curve a load, one drawing a disk; the tables below."""
    drawings = list(_scaling_drawings(result))
    _write(path, "scaling", result.command, drawings, scaling_figures(result))


def write_memory_page(result: MemoryResult, path: Path) -> None:
    """Peaks over file size, and memory over time where many files ran."""
    _write(path, "memory", result.command, list(_memory_drawings(result)), memory_figures(result))


def _write(path: Path, name: str, command: str, drawings: list[str], tables: Any) -> None:
    console = Console(width=_WIDTH, record=True, file=io.StringIO(), color_system=None)
    console.print(tables)
    commands = "<br>".join(f"$ {html.escape(line)}" for line in command.splitlines())
    head = f'<h1>digitalmodel-optimizer: {name}</h1>\n<p class="quiet">{commands}</p>\n'
    text = f"<pre>{html.escape(console.export_text())}</pre>\n"
    title = f"digitalmodel-optimizer: {name}"
    write_whole(path, page(title, [head, *drawings, text], _COLOURS).encode())


def _scaling_drawings(result: ScalingResult) -> Iterator[str]:
    yield _model_drawing(result)
    for disk in dict.fromkeys(plan.machine.disk_mb_per_s for plan in result.plans):
        plans = [plan for plan in result.plans if plan.machine.disk_mb_per_s == disk]
        curves = [
            (
                load_words(plan),
                sorted((float(number), value) for number, value in plan.times_s.items()),
            )
            for plan in plans
        ]
        chosen = [(float(plan.raised_to), plan.chosen_s) for plan in plans]
        title = (
            f"{result.cores} CPUs, {disk_words(disk)} (a model; points: the plugins, with the most "
            "workers that they raise to)"
        )
        yield _drawing(title, "worker processes", "loop, s", curves, chosen, log=True)


def _model_drawing(result: ScalingResult) -> str:
    """Real runs beside what the model makes of them."""
    if not result.checked:
        return ""
    names = [
        f"{item.batch}, {item.workers}{'' if item.ready else ' late'}" for item in result.checked
    ]
    most = 1.1 * max(max(item.spread.most, item.model_s) for item in result.checked)
    plot = Plot("loop, s", "", most, len(names), 56 + 22 * len(names), names)
    for place, item in enumerate(result.checked):
        spread = item.spread
        said = f"real: {spread.median:.3g} s ({spread.least:.3g} to {spread.most:.3g})"
        plot.line([(spread.least, place + 0.5), (spread.most, place + 0.5)], "c0", said)
        plot.point(spread.median, place + 0.5, "c0", said)
        plot.point(item.model_s, place + 0.5, "c1", f"the model: {item.model_s:.3g} s")
    words = "the model against real runs"
    below = legend([("c0", "real: median, least to most"), ("c1", "the model")])
    note = '<p class="quiet">batch, workers (late: none was started early)</p>\n'
    return f"<h2>{words}</h2>\n{below}{plot.drawn(words)}{note}"


def _memory_drawings(result: MemoryResult) -> Iterator[str]:
    for quantity, words in (("memory_mb", "the process tree"), ("worker_mb", "the largest worker")):
        if not result.points:
            break
        curves = []
        for name in dict.fromkeys(item.configuration for item in result.points):
            mine = [item for item in result.points if item.configuration == name]
            curves.append((name, [(item.size_mb, getattr(item, quantity)) for item in mine]))
        yield _drawing(f"peak of {words}", "size of each file, MB", "resident memory, MB", curves)
    if result.growth is not None:
        samples = result.growth.samples
        title = f"{result.growth.files:,} files of {result.growth.size_mb:.1f} MB, one worker"
        curves = [
            (name, [(item.elapsed_s, getattr(item, attribute)) for item in samples])
            for name, attribute in (
                ("worker", "largest_child_mb"),
                ("the host's process", "root_mb"),
            )
        ]
        yield _drawing(title, "seconds", "resident memory, MB", curves)


def _drawing(
    title: str,
    across: str,
    up: str,
    curves: Iterable[Curve],
    chosen: Iterable[tuple[float, float]] = (),
    *,
    log: bool = False,
) -> str:
    """Curves in one drawing; ``chosen`` are points, one for each curve."""
    known = list(curves)
    marks = list(chosen)
    points = [point for _, curve in known for point in curve] + marks
    if not points:
        return ""
    x_most, y_most = (1.05 * max(values) for values in zip(*points, strict=True))
    least = min(y for _, y in points) if log else 0.0
    plot = Plot(across, up, x_most, y_most, _HEIGHT, y_least=0.9 * least)
    kinds = list(itertools.islice(itertools.cycle(_COLOURS), len(known)))
    for (name, curve), kind in zip(known, kinds, strict=True):
        plot.line(curve, kind, name)
    for (x, y), kind in zip(marks, kinds, strict=False):
        plot.point(x, y, kind, f"{y:.3g} s with {x:.0f} workers")
    below = legend(zip(kinds, (name for name, _ in known), strict=True))
    return f"<h2>{html.escape(title)}</h2>\n{below}{plot.drawn(title)}"

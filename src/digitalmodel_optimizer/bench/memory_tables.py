"""What the memory study prints."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from digitalmodel_optimizer.bench.configurations import ENGINE
from digitalmodel_optimizer.bench.memory import Budget, Growth, MemoryResult, Point
from digitalmodel_optimizer.report.format import amount, count, duration

_VERDICTS = {True: " (no growth)", False: " (GROWTH)", None: " (too few files to tell)"}


def memory_figures(result: MemoryResult) -> Group:
    parts: list[RenderableType] = []
    if result.points:
        parts += [_peaks(result.points), ""]
    if result.budget is not None:
        parts += [Text(line) for line in budget_lines(result.budget)]
    if result.growth is not None:
        parts += [Text(line) for line in growth_lines(result.growth)]
    return Group(*parts)


def _peaks(points: tuple[Point, ...]) -> Table:
    table = Table(
        title="peaks, MB resident",
        title_justify="left",
        pad_edge=False,
        box=None,
        padding=(0, 1, 0, 0),
    )
    table.add_column("files", no_wrap=True)
    table.add_column("run", no_wrap=True)
    for heading in ("workers", "tree", "worker", "of engine's", "outputs"):
        table.add_column(heading, justify="right", no_wrap=True)
    engines = {item.size_mb: item for item in points if item.configuration == ENGINE.name}
    for item in points:
        engine = engines.get(item.size_mb)
        table.add_row(
            amount(item.size_mb),
            item.configuration,
            str(item.workers),
            f"{item.memory_mb:.0f}",
            f"{item.worker_mb:.0f}",
            f"{item.worker_mb / engine.worker_mb:.0%}" if engine else "-",
            "identical" if item.same else "DIFFERENT",
        )
    return table


def budget_lines(budget: Budget) -> Iterator[str]:
    yield (
        f"budget of {amount(budget.budget_mb)}: {count(budget.workers, 'worker')} of "
        f"{budget.asked_workers}, {budget.failed} files failed, {amount(budget.workers_mb)} at the "
        f"peak of the workers ({amount(budget.memory_mb)} with the host's process), outputs "
        f"{'identical' if budget.same else 'DIFFERENT'}: the budget "
        f"{'held' if budget.held else 'DID NOT HOLD'}"
    )
    yield from (f"  {reason}" for reason in budget.reasons)


def growth_lines(growth: Growth) -> Iterator[str]:
    worker = f"{growth.worker_first_mb:.1f} to {growth.worker_last_mb:.1f} MB"
    yield (
        f"{growth.files:,} files of {amount(growth.size_mb)} in one worker, "
        f"{duration(growth.loop_s)}: the worker from {worker}, "
        f"{growth.worker_mb_per_1000:+.2f} MB per 1000 files{_VERDICTS[growth.steady]}; "
        "the parent, which keeps all results to the end, "
        f"{growth.parent_mb_per_1000:+.2f} MB per 1000 files"
    )

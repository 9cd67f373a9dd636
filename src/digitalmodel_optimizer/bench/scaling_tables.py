"""What the scaling study prints."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from digitalmodel_optimizer.bench.planning import LEARNING_S, WRONG_SHARE, Plan
from digitalmodel_optimizer.bench.scaling import ScalingResult
from digitalmodel_optimizer.report.format import amount

HONEST = (
    "Costs are those of the stand-in, whose loading is not OrcaFlex's; rows with a rate in MB/s "
    "take a load to need so much longer. Beyond the checked numbers of workers this is a model."
)
LEGEND = (
    "15 to 60: s with so many workers; best: the number that ends first; sweet: the smallest "
    "within 3 % of it; table: the mission's number, and how much longer it takes than the best; "
    "plugins: what they begin with and are raised to, and how much longer they take than the best."
)
_SHOWN = ("15", "30", "45", "60")
_WORST = 5
_SHORT_S = 10.0


def scaling_figures(result: ScalingResult) -> Group:
    parts: list[RenderableType] = [_costs(result), "", _checked(result), ""]
    for disk in dict.fromkeys(plan.machine.disk_mb_per_s for plan in result.plans):
        parts += [_plans(result, disk), ""]
    parts += [Text(LEGEND, style="dim"), ""]
    if result.grid:
        parts += [_grid(result.grid), "", *map(Text, grid_words(result.grid)), ""]
    parts += [Text(line) for line in judgements(result.plans)]
    parts += ["", Text(HONEST, style="dim")]
    return Group(*parts)


def _table(title: str, *headings: str) -> Table:
    table = Table(title=title, title_justify="left", pad_edge=False, box=None, padding=(0, 1, 0, 0))
    for place, heading in enumerate(headings):
        table.add_column(heading, justify="left" if place == 0 else "right", no_wrap=True)
    return table


def _costs(result: ScalingResult) -> Table:
    table = _table(f"measured on this machine, medians of {result.rounds} rounds", "cost", "figure")
    costs = result.costs
    for words, value in (
        ("start of a worker", f"{costs.start_s:.2f} s"),
        ("the same, when it was started early", f"{costs.ready_s:.2f} s"),
        ("start of a worker, in the parent", f"{1000 * costs.spawn_s:.0f} ms"),
        ("a file in a worker", f"{1000 * costs.file_s:.1f} ms"),
        ("each MB of it, in memory", f"{1000 * costs.mb_s:.2f} ms"),
        ("each MB more than the worker's files before", f"{1000 * costs.grow_s:.2f} ms"),
        ("from a worker's file to its next, in the parent", f"{1000 * costs.turn_s:.1f} ms"),
        ("a batch, before its first file and after its last", f"{costs.batch_s:.2f} s"),
        ("a file's share of that", f"{1000 * costs.merge_s:.1f} ms"),
        ("slower when all cores are busy", f"{costs.contention:.0%}"),
        ("memory per MB of a file", f"{costs.memory_factor:.2f} MB"),
        ("the disk", f"{result.disk_mb_per_s:.0f} MB/s" if result.disk_mb_per_s else "not known"),
    ):
        table.add_row(words, value)
    return table


def _checked(result: ScalingResult) -> Table:
    headings = ("batch", "workers", "early", "real: median", "least", "most", "model", "error")
    table = _table("the model against real runs, seconds of the loop", *headings)
    for item in result.checked:
        found = item.spread
        times = (found.median, found.least, found.most, item.model_s)
        cells = (*(f"{value:.2f}" for value in times), f"{item.error:+.0%}")
        table.add_row(item.batch, str(item.workers), str(item.ready), *cells)
    others = [trace.others for trace in result.traces] or [0.0]
    errors = [abs(item.error) for item in result.checked]
    within = sum(item.within for item in result.checked)
    table.caption = (
        f"error: median {statistics.median(errors):.0%}, largest {max(errors):.0%}; "
        f"{within} of {len(errors)} lie among the measured times; other programs kept "
        f"{statistics.median(others):.2f} cores busy, at most {max(others):.2f}"
    )
    table.caption_justify = "left"
    return table


def disk_words(disk_mb_per_s: float | None) -> str:
    return "files in memory" if disk_mb_per_s is None else f"a disk of {disk_mb_per_s:.0f} MB/s"


def load_words(plan: Plan) -> str:
    further = plan.load.further_s_per_mb
    rate = f" at {1 / further:.0f} MB/s" if further else ""
    return f"{plan.load.files} x {amount(plan.load.size_mb)}{rate}"


def _plans(result: ScalingResult, disk: float | None) -> Table:
    title = f"{result.cores} CPUs, {amount(result.memory_mb)}, {disk_words(disk)}"
    table = _table(title, "files", *_SHOWN, "best", "sweet", "table", "plugins")
    for plan in result.plans:
        if plan.machine.disk_mb_per_s == disk:
            table.add_row(load_words(plan), *_cells(plan))
    return table


def _cells(plan: Plan) -> Iterator[str]:
    for shown in _SHOWN:
        yield f"{plan.times_s[shown]:.1f}" if shown in plan.times_s else "-"
    yield f"{plan.best}"
    yield f"{plan.sweet}"
    yield f"{plan.load.table} {plan.over_best(plan.load.table):+.0%}"
    yield f"{_numbers(plan)} {plan.chosen_over_best:+.0%}"


def _numbers(plan: Plan) -> str:
    raised = plan.raised_to > plan.chosen
    return f"{plan.chosen}-{plan.raised_to}" if raised else str(plan.chosen)


def _grid(grid: Sequence[Plan]) -> Table:
    """How far from the best number the table and the plugins are, by size of the files."""
    headings = (
        "files of",
        "batches",
        "plugins: within",
        "median",
        "worst",
        "table: within",
        "worst",
    )
    table = _table(f"{len(grid)} batches: from the best fixed number", *headings)
    for size_mb in dict.fromkeys(plan.load.size_mb for plan in grid):
        plans = [plan for plan in grid if plan.load.size_mb == size_mb]
        ours = [plan.chosen_over_best for plan in plans]
        theirs = [plan.over_best(plan.load.table) for plan in plans]
        table.add_row(
            amount(size_mb),
            str(len(plans)),
            _within(ours),
            f"{statistics.median(ours):+.0%}",
            f"{max(ours):+.0%}",
            _within(theirs),
            f"{max(theirs):+.0%}",
        )
    return table


def _within(shares: Sequence[float]) -> str:
    return f"{sum(share <= WRONG_SHARE for share in shares) / len(shares):.0%}"


def grid_words(grid: Sequence[Plan]) -> Iterator[str]:
    """The grid in a sentence, and its worst batches."""
    far = [plan for plan in grid if not plan.is_near]
    yield (
        f"the plugins are within {WRONG_SHARE:.0%} or {LEARNING_S} s of the best fixed number in "
        f"{len(grid) - len(far)} of {len(grid)} batches"
    )
    if not far:
        return
    short = sum(plan.best_s < _SHORT_S for plan in far)
    most_s = max(plan.chosen_s - plan.best_s for plan in far)
    yield (
        f"of the others, {short} would be over in less than {_SHORT_S:.0f} s; none loses more than "
        f"{most_s:.1f} s; the worst of them:"
    )
    for plan in sorted(far, key=lambda item: -item.chosen_over_best)[:_WORST]:
        machine = plan.machine
        licences = f", {machine.licences} licences" if machine.licences else ""
        yield (
            f"  {load_words(plan)}, {amount(machine.memory_mb)}{licences}, "
            f"{disk_words(machine.disk_mb_per_s)}: {_numbers(plan)} workers take "
            f"{plan.chosen_s:.1f} s, {plan.best} take {plan.best_s:.1f} s"
        )


def judgements(plans: Sequence[Plan]) -> Iterator[str]:
    """Where the mission's table is wrong, in sentences."""
    for load in dict.fromkeys((plan.load.name, plan.load.table) for plan in plans):
        mine = [plan for plan in plans if (plan.load.name, plan.load.table) == load]
        wrong = [plan for plan in mine if plan.over_best(plan.load.table) > WRONG_SHARE]
        words = f"{load[0]}, {load[1]} workers: within {WRONG_SHARE:.0%} of the best everywhere"
        if wrong:
            worst = max(wrong, key=lambda plan: plan.over_best(load[1]))
            words = (
                f"{load[0]}, {load[1]} workers: wrong in {len(wrong)} of {len(mine)} cases, at "
                f"worst {worst.over_best(load[1]):+.0%} against {worst.best} workers "
                f"({load_words(worst)}, {disk_words(worst.machine.disk_mb_per_s)})"
            )
        yield words

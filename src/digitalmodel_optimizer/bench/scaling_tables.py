"""What the scaling study prints."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from digitalmodel_optimizer.bench.scaling import WRONG_SHARE, Plan, ScalingResult
from digitalmodel_optimizer.monitoring.words import amount, duration

HONEST = (
    "Costs are those of the stand-in, whose loading is not OrcaFlex's; a slower load moves work to "
    "the cores and more workers pay. Beyond the checked numbers of workers this is a model."
)
_SHOWN = ("15", "30", "45", "60")


def scaling_figures(result: ScalingResult) -> Group:
    parts: list[RenderableType] = [_costs(result), "", _checked(result), ""]
    for disk in dict.fromkeys(plan.disk_mb_per_s for plan in result.plans):
        parts += [_plans(result, disk), ""]
    parts += [Text(line) for line in judgements(result)]
    parts += ["", Text(HONEST, style="dim")]
    return Group(*parts)


def _table(title: str, *headings: str) -> Table:
    table = Table(title=title, title_justify="left", pad_edge=False, box=None, padding=(0, 1, 0, 0))
    for place, heading in enumerate(headings):
        table.add_column(heading, justify="left" if place == 0 else "right", no_wrap=True)
    return table


def _costs(result: ScalingResult) -> Table:
    table = _table("measured on this machine", "cost", "figure")
    costs = result.costs
    for words, value in (
        ("start of a worker", f"{costs.start_s:.2f} s"),
        ("a file in a worker", f"{1000 * costs.file_s:.1f} ms"),
        ("each MB of it, in memory", f"{1000 * costs.mb_s:.2f} ms"),
        ("a file in the parent", f"{1000 * costs.parent_s:.1f} ms"),
        ("a batch in the parent", f"{costs.batch_s:.2f} s"),
        ("slower when all cores are busy", f"{costs.contention:.0%}"),
        ("memory per MB of a file", f"{costs.memory_factor:.2f} MB"),
        ("the disk", f"{result.disk_mb_per_s:.0f} MB/s" if result.disk_mb_per_s else "not known"),
    ):
        table.add_row(words, value)
    return table


def _checked(result: ScalingResult) -> Table:
    table = _table("the model against real runs", "batch", "workers", "real", "model", "error")
    for item in result.checked:
        cells = (duration(item.real_s), duration(item.model_s), f"{item.error:+.0%}")
        table.add_row(item.batch, str(item.workers), *cells)
    return table


def disk_words(disk_mb_per_s: float | None) -> str:
    return "files in memory" if disk_mb_per_s is None else f"a disk of {disk_mb_per_s:.0f} MB/s"


def _plans(result: ScalingResult, disk: float | None) -> Table:
    title = f"{result.cores} CPUs, {amount(result.memory_mb)}, {disk_words(disk)}: seconds"
    headings = (*_SHOWN, "best", "sweet", "table", "plugins")
    table = _table(title, "files", *headings)
    for plan in result.plans:
        if plan.disk_mb_per_s == disk:
            table.add_row(f"{plan.load.files} x {amount(plan.load.size_mb)}", *_cells(plan))
    return table


def _cells(plan: Plan) -> Iterator[str]:
    for shown in _SHOWN:
        yield f"{plan.times_s[shown]:.1f}" if shown in plan.times_s else "-"
    yield f"{plan.best}"
    yield f"{plan.sweet}"
    for number in (plan.load.table, plan.chosen):
        yield f"{number} {plan.over_best(number):+.0%}"


def judgements(result: ScalingResult) -> Iterator[str]:
    """Where the mission's table is wrong, and where the plugins' choice is, in sentences."""
    for who, pick in (("the mission's table", "table"), ("the plugins' choice", "chosen")):
        wrong = []
        for plan in result.plans:
            number = plan.load.table if pick == "table" else plan.chosen
            if plan.over_best(number) > WRONG_SHARE:
                wrong.append(
                    f"{plan.load.files} x {amount(plan.load.size_mb)} on "
                    f"{disk_words(plan.disk_mb_per_s)}: {number} workers take "
                    f"{plan.over_best(number):.0%} longer than {plan.best}"
                )
        if wrong:
            yield f"{who} is more than {WRONG_SHARE:.0%} from the best: {'; '.join(wrong)}"
        else:
            yield f"{who} is within {WRONG_SHARE:.0%} of the best everywhere"

"""What the demo prints: one line per output file, then one table with all figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from digitalmodel_optimizer.demo.study import Study
from digitalmodel_optimizer.measuring.compare import Comparison
from digitalmodel_optimizer.measuring.host_runs import HostRun
from digitalmodel_optimizer.report.format import amount, count, duration

HONEST = (
    "Measured on a stand-in for OrcaFlex: the figures show the engine's own work, reading and "
    "scheduling, not OrcaFlex's arithmetic. The loop is the engine's post_process; the whole "
    "process has the host's start in it."
)


@dataclass(frozen=True)
class Outcome:
    """A study, run both ways, and how the outputs compare."""

    study: Study
    engine: HostRun
    plugins: HostRun
    outputs: tuple[Comparison, ...]

    @property
    def same(self) -> bool:
        return bool(self.outputs) and all(item.same for item in self.outputs)


def print_comparisons(console: Console, outcome: Outcome, *, quiet: bool) -> None:
    """``identical  results/dm_fsts_struts.csv``, and so on for every output file.

    ``quiet`` leaves out the lines on files that are the same.
    """
    for item in outcome.outputs:
        if quiet and item.same:
            continue
        line = Text(f"{item.word:<10} results/{item.name}", style="" if item.same else "bold red")
        if item.why:
            line.append(f"  ({item.why})", style="dim")
        console.print(line, soft_wrap=True)
    same = sum(item.same for item in outcome.outputs)
    console.print(
        Text(
            f"{same} of {count(len(outcome.outputs), 'output file')} of {outcome.study.name} "
            "have the same bytes",
            style="bold green" if outcome.same else "bold red",
        )
    )


def figures(outcomes: Sequence[Outcome]) -> Group:
    """The table of times and memory, and the decisions in words."""
    table = Table(pad_edge=False)
    table.add_column("batch")
    table.add_column("run")
    for heading in ("loop", "process", "memory"):
        table.add_column(heading, justify="right")
    table.add_column("backend")
    for outcome in outcomes:
        study = outcome.study
        table.add_row(study.name, "engine's loop", *_figures(outcome.engine), "the engine's")
        table.add_row(
            Text(f"{study.files} x {amount(study.file_mb)}", style="dim"),
            "plugins",
            *_figures(outcome.plugins),
            _backend(outcome.plugins),
        )
        table.add_row("", Text("ratio", style="bold"), *_ratios(outcome), "", end_section=True)
    return Group(table, *_decisions(outcomes), Text(HONEST, style="dim"))


def _figures(run: HostRun) -> tuple[str, str, str]:
    loop = "-" if run.loop_s is None else duration(run.loop_s)
    return loop, duration(run.process_s), amount(run.memory_mb)


def _ratios(outcome: Outcome) -> tuple[Text, Text, Text]:
    engine, plugins = outcome.engine, outcome.plugins
    return (
        _ratio(engine.loop_s, plugins.loop_s),
        _ratio(engine.process_s, plugins.process_s),
        _ratio(engine.memory_mb, plugins.memory_mb),
    )


def _ratio(before: float | None, after: float | None) -> Text:
    return Text(f"{before / after:.1f} x" if before and after else "-", style="bold")


def _backend(run: HostRun) -> str:
    if run.report is None:
        return "no plugins took part"
    return f"{run.report['backend']}, {count(run.report['workers'], 'worker')}"


def _decisions(outcomes: Sequence[Outcome]) -> list[Table]:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column()
    for outcome in outcomes:
        report = outcome.plugins.report or {}
        for place, decision in enumerate(report.get("decisions", ())):
            grid.add_row(outcome.study.name if place == 0 else "", Text(decision))
    return [grid] if grid.row_count else []

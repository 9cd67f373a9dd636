"""``digitalmodel-optimizer plan``: what a run would do, before it does it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    from digitalmodel_optimizer.dry_run.plan import Effect, Plan

MAX_PROBLEMS = 10
_STYLES = {"refused": "bold red", "fails": "red", "warning": "yellow"}


def command(
    context: typer.Context,
    config: Annotated[
        str, typer.Argument(metavar="CONFIG [HOST ARGUMENTS]...", help="The batch's YAML file.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="The plan as JSON.")] = False,
) -> None:
    """Say what `run CONFIG ...` would do: files, decisions, time, outputs, what would fail.

    Writes nothing, starts no worker and loads no model. Ends with status 0 if the run would be
    clean, 1 if something would fail, 2 if it would be refused. Options stand before CONFIG.
    """
    show_plan(config, context.args, as_json=as_json)


def show_plan(config: str, arguments: Sequence[str], *, as_json: bool) -> NoReturn:
    """Print the plan and end with its status."""
    from digitalmodel_optimizer.dry_run.dry_run import plan_run
    from digitalmodel_optimizer.dry_run.plan import as_dict

    plan = plan_run(config, arguments)
    if as_json:
        typer.echo(json.dumps(as_dict(plan), indent=1))
    else:
        _print(plan)
    raise typer.Exit(plan.exit_status)


def _print(plan: Plan) -> None:
    from rich.table import Table
    from rich.text import Text

    from digitalmodel_optimizer.report.console import make_console, standard_stream

    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True, style="bold")
    table.add_column(overflow="fold")
    for label, sentence in _lines(plan):
        table.add_row(Text(f"  {label}", style=_STYLES.get(label, "")), Text(sentence))
    console = make_console(standard_stream("stdout"))
    if console is not None:
        style = ("bold green", "bold yellow", "bold red")[plan.exit_status]
        console.print(Text(_headline(plan), style=style), table, sep="\n")


def _headline(plan: Plan) -> str:
    from digitalmodel_optimizer.report.format import amount, count

    size = amount(sum(file.size_mb for file in plan.files))
    files = f"{count(len(plan.files), 'file')}, {size}"
    verdict = ("would run clean", "something would fail", "would be refused")[plan.exit_status]
    return f"{plan.config}: {verdict} ({files})"


def _lines(plan: Plan) -> Iterator[tuple[str, str]]:
    """A label and a sentence or two for each thing that the plan says."""
    from digitalmodel_optimizer.report.format import amount, count

    off = plan.plugins_off
    yield "host", f"digitalmodel {plan.host}"
    yield "plugins", "on" if off is None else f"off, the host's own loop would run: {off}"
    if plan.input_folder:
        yield "inputs", plan.input_folder
    for words, results in (
        ("finished by an interrupted run, resumed", plan.resumed),
        ("unchanged, taken from the cache", plan.kept),
    ):
        if results:
            size = amount(sum(result.file.size_mb for result in results.values()))
            yield "done", f"{count(len(results), 'file')}, {size}: {words}"
    for why, number in plan.read_because.items():
        yield "read", f"{count(number, 'file')}: {why}"
    yield from _decisions(plan)
    if plan.outputs:
        replaced = sum(output.size_bytes is not None for output in plan.outputs)
        yield (
            "outputs",
            (
                f"{count(len(plan.outputs), 'file')}, results in {plan.results_folder}; "
                f"{replaced} would replace what is there"
            ),
        )
    if plan.disk is not None:
        needed = "" if plan.disk.needed_mb is None else f", {amount(plan.disk.needed_mb)} needed"
        yield "disk", f"{amount(plan.disk.free_mb)} free{needed} ({plan.disk.basis})"
    for effect in ("refused", "fails", "warning"):
        yield from _problems(plan, effect)


def _decisions(plan: Plan) -> Iterator[tuple[str, str]]:
    from digitalmodel_optimizer.report.format import amount, count, duration

    decisions = plan.decisions
    if decisions is None:
        return
    for item in decisions.schedule.assignments:
        size = f"{count(len(item.group.files), 'file')}, {amount(item.group.size_mb)}"
        yield "group", f"{item.group.label} ({size}): {item.allocation.reason}"
    name = decisions.executor.name if decisions.executor else "unknown"
    yield "backend", f"{name}: {decisions.executor_reason}"
    if decisions.provisional:
        yield "", "workers are decided anew once the first file has been measured"
    expected = decisions.expected
    if expected is None:
        yield "expected", "no plugin estimates time and memory"
    else:
        cost = f"about {duration(expected.seconds)}, up to {amount(expected.memory_mb)} of memory"
        yield "expected", f"{cost} ({expected.basis})"


def _problems(plan: Plan, effect: Effect) -> Iterator[tuple[str, str]]:
    found = [problem.message for problem in plan.problems if problem.effect == effect]
    for place, message in enumerate(found[:MAX_PROBLEMS]):
        yield (effect if place == 0 else ""), message
    if len(found) > MAX_PROBLEMS:
        yield "", f"and {len(found) - MAX_PROBLEMS} more; --json lists all"

"""``digitalmodel-optimizer history``: what earlier runs took."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Annotated, Any

import typer

from digitalmodel_optimizer.commands.report import find_run, opened

if TYPE_CHECKING:
    from digitalmodel_optimizer.history.store import Run

app = typer.Typer(help="What earlier runs took, on this machine.", no_args_is_help=True)
AsJson = Annotated[bool, typer.Option("--json", help="As JSON.")]
_DAY_S = 86_400.0
_PAGE_RUNS = 200


@app.command("list")
def list_runs(
    batch: Annotated[
        str | None,
        typer.Argument(metavar="[CONFIG|FOLDER]", help="Only runs of this batch."),
    ] = None,
    last: Annotated[int, typer.Option(min=1, help="At most so many, the latest.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List runs, the latest last."""
    runs = _asked(lambda: opened().runs(batch, last=last))
    if as_json:
        typer.echo(json.dumps([asdict(run) for run in runs], indent=1))
        return
    if not runs:
        typer.echo("no runs are in the history" + (f" of {batch}" if batch else ""))
        return
    _print_runs(runs)


@app.command()
def show(
    run: Annotated[str, typer.Argument(metavar="RUN|CONFIG", help="A run's number, or a batch.")],
    as_json: AsJson = False,
) -> None:
    """Show the report of a run as it was printed."""
    import sys

    from digitalmodel_optimizer.report.report import print_report

    def found() -> tuple[Run, dict[str, Any] | None]:
        history = opened()
        one = find_run(history, run)
        return one, history.facts(one.id)

    one, facts = _asked(found)
    if as_json:
        typer.echo(json.dumps(asdict(one) if facts is None else facts, indent=1))
    elif facts is None:
        _print_runs([one])
    else:
        print_report({**facts, "run": one.id}, sys.stdout)


@app.command()
def compare(
    one: Annotated[str, typer.Argument(metavar="RUN", help="A run's number.")],
    other: Annotated[str, typer.Argument(metavar="RUN", help="Another run's number.")],
    as_json: AsJson = False,
) -> None:
    """Set two runs side by side: what took longer, and what was decided otherwise."""
    from digitalmodel_optimizer.history.comparing import compare_runs

    def found() -> dict[str, Any]:
        history = opened()
        first, second = (find_run(history, name) for name in (one, other))
        return compare_runs(first, second, history.facts(first.id), history.facts(second.id))

    compared = _asked(found)
    if as_json:
        typer.echo(json.dumps(compared, indent=1))
        return
    _print_table(
        ("", *compared["runs"], "change"),
        [(row["what"], *row["values"], row["change"]) for row in compared["rows"]],
    )
    for sentence in compared["sentences"]:
        typer.echo(sentence)


@app.command()
def page(
    batch: Annotated[str, typer.Argument(metavar="CONFIG|FOLDER", help="The batch.")],
    output: Annotated[Path, typer.Option("-o", "--output")] = Path("history.html"),
) -> None:
    """Write a page of a batch over its runs."""
    from digitalmodel_optimizer.pages.history_page import history_page
    from digitalmodel_optimizer.pages.parts import write_page

    def write() -> None:
        history = opened()
        find_run(history, batch)
        write_page(history_page(batch, history.runs(batch, last=_PAGE_RUNS)), output)

    _asked(write)
    typer.echo(str(output.absolute()))


@app.command()
def export(
    output: Annotated[Path, typer.Option("-o", "--output", help="A .csv or .json file.")],
    batch: Annotated[
        str | None, typer.Argument(metavar="[CONFIG|FOLDER]", help="Only runs of this batch.")
    ] = None,
) -> None:
    """Write the figures of all runs as CSV, or as JSON where the file's name ends so."""
    from digitalmodel_optimizer.history.comparing import as_csv
    from digitalmodel_optimizer.pages.parts import write_page

    def write() -> int:
        runs = opened().runs(batch)
        text = as_csv(runs)
        if output.suffix == ".json":
            text = json.dumps([asdict(run) for run in runs], indent=1) + "\n"
        write_page(text, output)
        return len(runs)

    typer.echo(f"{output.absolute()}: {_asked(write)} runs")


@app.command()
def prune(
    keep_days: Annotated[
        float | None, typer.Option(min=0, help="Remove runs that are older.")
    ] = None,
    keep_reports: Annotated[
        int | None,
        typer.Option(min=0, help="Remove files and samples of all but so many runs, the latest."),
    ] = None,
) -> None:
    """Remove old runs, or what takes most of their space."""
    if keep_days is None and keep_reports is None:
        raise typer.BadParameter("say what to keep: --keep-days, --keep-reports")

    def remove() -> tuple[int, int]:
        before_s = None if keep_days is None else time.time() - keep_days * _DAY_S
        return opened().prune(before_s=before_s, reports=keep_reports)

    runs, reports = _asked(remove)
    typer.echo(f"{runs} runs removed, and the reports of {reports} more")


def _asked(question: Any) -> Any:
    """The answer; what is wrong with the history is one line."""
    from digitalmodel_optimizer.plugin import OptimizerError

    try:
        return question()
    except OptimizerError as error:
        typer.echo(f"digitalmodel-optimizer: {error}", err=True)
        raise typer.Exit(error.exit_status) from None


def _print_runs(runs: list[Run]) -> None:
    headings = ("run", "began", "batch", "status", "read", "loop", "rate", "memory", "limited by")
    _print_table(headings, list(map(_cells, runs)))


def _cells(run: Run) -> tuple[str, ...]:
    from digitalmodel_optimizer.report.format import amount, duration

    return (
        str(run.id),
        time.strftime("%Y-%m-%d %H:%M", time.localtime(run.began_s)),
        PurePath(run.batch).name,
        run.status if run.kind == "run" else f"{run.status}, {run.kind}",
        f"{run.files_read} of {run.files}",
        duration(run.elapsed_s),
        f"{amount(run.mb_per_s)}/s" if run.mb_per_s else "-",
        amount(run.memory_peak_mb),
        run.bottleneck,
    )


def _print_table(headings: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    for line in _columns([headings, *rows]):
        typer.echo(line)


def _columns(rows: list[tuple[str, ...]]) -> Iterator[str]:
    """Rows with their columns under each other."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip()

"""``digitalmodel-optimizer baseline``: the engine's own loop, once, to compare later runs with."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from digitalmodel_optimizer.commands.bench_frame import make_console, reporting_errors


def command(
    context: typer.Context,
    config: Annotated[
        Path, typer.Argument(metavar="CONFIG [HOST ARGUMENTS]...", help="The batch's YAML file.")
    ],
    sample: Annotated[
        str | None,
        typer.Option(metavar="SHARE|NUMBER", help="Only some of the files: 5%, or 20."),
    ] = None,
    page: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a page with its memory over time.")
    ] = None,
) -> None:
    """Run the host's own loop once, measure it, and keep it in the history.

    It runs into a scratch folder; nothing of yours is written to. Reports of later runs of the
    batch say how many times as fast they are.
    """
    from digitalmodel_optimizer.commands.report import opened
    from digitalmodel_optimizer.history.store import BASELINE
    from digitalmodel_optimizer.pages.parts import write_page
    from digitalmodel_optimizer.pages.run_page import run_page
    from digitalmodel_optimizer.report.format import amount, count, duration
    from digitalmodel_optimizer.validation.baseline import run_baseline
    from digitalmodel_optimizer.validation.runs import Sample

    console = make_console()
    with reporting_errors():
        drawn = None if sample is None else Sample.of(sample, seed=0).draw
        history = opened()
        with tempfile.TemporaryDirectory(prefix="digitalmodel-optimizer-baseline-") as work:
            facts = run_baseline(config, context.args, Path(work), drawn, console.print)
        facts["run"] = history.add(facts, BASELINE)
        if page is not None:
            write_page(run_page(facts), page)
    loop, whole = duration(facts["elapsed_s"]), duration(facts["command_s"])
    console.print(
        f"{count(facts['files'], 'file')}, {amount(facts['size_done_mb'])}: {loop} in the loop, "
        f"{whole} the whole command, {amount(facts['memory_peak_mb'])} of memory",
        soft_wrap=True,
    )
    console.print(f"limited by {facts['bottleneck']['sentence']}", soft_wrap=True)
    console.print(f"kept as run {facts['run']}, the baseline of {config.name}", soft_wrap=True)

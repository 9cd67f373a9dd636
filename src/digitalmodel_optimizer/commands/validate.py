"""``digitalmodel-optimizer validate``: are the plugins' results the host's own?"""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from digitalmodel_optimizer.commands.bench_frame import make_console, reporting_errors, telling

if TYPE_CHECKING:
    from rich.console import Console

    from digitalmodel_optimizer.validation.outcome import Outcome
    from digitalmodel_optimizer.validation.runs import Sample

_MOST_FILES = 20


def command(
    context: typer.Context,
    what: Annotated[
        str,
        typer.Argument(
            metavar="CONFIG [HOST ARGUMENTS]... | FOLDER_A FOLDER_B",
            help="The batch's YAML file, or two result folders.",
        ),
    ],
    sample: Annotated[
        str | None,
        typer.Option(
            metavar="SHARE|NUMBER", help="Only some of the input files: 5%, or 20; for CONFIG."
        ),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Draws the same sample again; printed by each run.")
    ] = None,
    keep: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Write both results here and leave them there."),
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the result there as JSON.")
    ] = None,
) -> None:
    """Compare the host's own loop with the plugins on a batch, or two result folders.

    The batch is run twice, each time into a scratch folder; nothing of yours is written to. Ends
    with status 0 if all is equal, 1 if something differs, 2 if it could not be compared.
    """
    with reporting_errors():
        from digitalmodel_optimizer.bench.json_form import demand_writable, write_json
        from digitalmodel_optimizer.validation.outcome import as_json

        if json_file is not None:
            demand_writable(json_file)
        console = make_console()
        if os.path.isdir(what):
            outcome = _folders([what, *context.args], sample or seed)
        else:
            outcome = _batch(what, context.args, _sample(sample, seed), keep, console)
        _show(console, outcome)
        if json_file is not None:
            write_json(as_json(outcome), json_file)
            console.print(f"written: {json_file}", soft_wrap=True)
    raise typer.Exit(0 if outcome.equal else 1)


def _sample(text: str | None, seed: int | None) -> Sample | None:
    from digitalmodel_optimizer.validation.runs import NotComparedError, Sample

    if text is None:
        if seed is not None:
            raise NotComparedError("--seed draws a sample, and needs --sample")
        return None
    return Sample.of(text, secrets.randbelow(10**6) if seed is None else seed)


def _folders(names: Sequence[str], sampled: object) -> Outcome:
    from digitalmodel_optimizer.measuring.compare import installed_own_outputs
    from digitalmodel_optimizer.validation.folders import compare_folders
    from digitalmodel_optimizer.validation.outcome import Outcome
    from digitalmodel_optimizer.validation.runs import NotComparedError

    if sampled is not None:
        raise NotComparedError("--sample draws input files of a CONFIG, and two folders have none")
    if len(names) != 2:
        raise NotComparedError(
            f"{names[0]} is a folder: name one more behind it, and options before both"
        )
    left, right = map(Path, names)
    if not right.is_dir():
        raise NotComparedError(f"there is no folder {right}")
    files = tuple(compare_folders(left, right, installed_own_outputs()))
    if not files:
        raise NotComparedError(f"there are no files in {left} and {right}")
    return Outcome(str(left), str(right), files)


def _batch(
    config: str,
    arguments: Sequence[str],
    sample: Sample | None,
    keep: Path | None,
    console: Console,
) -> Outcome:
    from digitalmodel_optimizer.bench.running import working_folder
    from digitalmodel_optimizer.measuring.compare import installed_own_outputs
    from digitalmodel_optimizer.validation.folders import compare_folders
    from digitalmodel_optimizer.validation.outcome import Outcome
    from digitalmodel_optimizer.validation.runs import NotComparedError, run_both

    if not os.path.isfile(config):
        raise NotComparedError(f"there is no file or folder {config}")
    if keep is not None and keep.is_dir() and any(keep.iterdir()):
        raise NotComparedError(f"{keep} is not empty; choose another folder with --keep")
    with working_folder(keep) as work, telling(console) as say:
        runs = run_both(Path(config), arguments, work, sample, say)
        say("comparing the outputs")
        files = tuple(
            compare_folders(runs.left, runs.right, installed_own_outputs(), settings=True)
        )
    if not files:
        raise NotComparedError(f"{config} wrote no files, so nothing was compared")
    return Outcome(
        left="the host's own loop",
        right="the plugins",
        files=files,
        inputs=[str(path) for path in runs.batch.files],
        seed=None if sample is None else sample.seed,
        seconds={"host": runs.host.process_s, "plugins": runs.plugins.process_s},
    )


def _show(console: Console, outcome: Outcome) -> None:
    from rich.table import Table
    from rich.text import Text

    from digitalmodel_optimizer.report.format import count
    from digitalmodel_optimizer.validation.folders import State
    from digitalmodel_optimizer.validation.words import in_words, summary

    console.print(f"{outcome.left} against {outcome.right}", soft_wrap=True)
    if outcome.seed is not None:
        files = count(len(outcome.inputs), "input file")
        console.print(f"sample: {files}, drawn by --seed {outcome.seed}")
    shown = [item for item in outcome.files if item.state is not State.EQUAL]
    if shown:
        table = Table(pad_edge=False)
        for heading in ("file", "state", "what differs"):
            table.add_column(heading, overflow="fold")
        for item in shown[:_MOST_FILES]:
            table.add_row(Text(item.name), item.state.value, Text("\n".join(in_words(item))))
        console.print(table)
    if len(shown) > _MOST_FILES:
        console.print(f"and {len(shown) - _MOST_FILES} more; --json has all of them")
    style = "bold green" if outcome.equal else "bold red"
    console.print(Text(summary(outcome), style=style))

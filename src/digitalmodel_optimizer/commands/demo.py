"""``digitalmodel-optimizer demo``: the engine's own loop against the plugins, on made-up files."""

from __future__ import annotations

import enum
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from digitalmodel_optimizer.commands.host_needed import demand_host

if TYPE_CHECKING:
    from rich.console import Console

    from digitalmodel_optimizer.demo.study import Study

_INTERRUPTED_STATUS = 130


class StudyName(str, enum.Enum):
    """The studies to choose from."""

    dm_fsts = "dm_fsts"
    dm_fsts_lngc = "dm_fsts_lngc"
    both = "both"


def command(
    study: Annotated[StudyName, typer.Option(help="Small files, large files, or both.")] = (
        StudyName.both
    ),
    files: Annotated[int | None, typer.Option(min=1, help="Number of files of a study.")] = None,
    size: Annotated[
        float | None, typer.Option(min=0.7, metavar="MB", help="Size of each file.")
    ] = None,
    backend: Annotated[
        str | None, typer.Option(help="A backend of hybrid-executor instead of its own choice.")
    ] = None,
    keep: Annotated[
        Path | None,
        typer.Option(
            "--keep", "--folder", metavar="FOLDER", help="Work in this folder and leave it there."
        ),
    ] = None,
    quiet: Annotated[
        bool, typer.Option("--quiet", help="A count in place of the lines on equal files.")
    ] = False,
) -> None:
    """Make a batch, run the engine's own loop and the plugins on it, compare every output byte.

    Runs `python -m digitalmodel` with a stand-in for OrcaFlex; needs neither OrcaFlex nor a
    licence.
    """
    from rich.console import Console

    from digitalmodel_optimizer.plugin import OptimizerError

    console = Console(highlight=False, markup=False, emoji=False)
    demand_host()
    folder = keep.absolute() if keep else Path(tempfile.mkdtemp(prefix="digitalmodel-optimizer-"))
    try:
        status = _run(console, folder, study.value, files, size, backend, quiet)
    except KeyboardInterrupt:
        typer.echo("interrupted", err=True)
        status = _INTERRUPTED_STATUS
    except OptimizerError as error:
        typer.echo(f"digitalmodel-optimizer: {error}", err=True)
        status = error.exit_status
    finally:
        if keep is None:
            shutil.rmtree(folder, ignore_errors=True)
    if keep:
        typer.echo(f"kept: {folder}")
    raise typer.Exit(status)


def _run(
    console: Console,
    folder: Path,
    name: str,
    files: int | None,
    size_mb: float | None,
    backend: str | None,
    quiet: bool,
) -> int:
    from digitalmodel_optimizer.demo.batch import Demo, choose_studies, host_arguments
    from digitalmodel_optimizer.demo.tables import figures, print_comparisons

    outcomes = []
    with (
        console.status("", spinner="line") as status,
        Demo(folder, host_arguments(backend), status.update) as demo,
    ):
        for study in choose_studies(name, files, size_mb):
            console.print(_what(study), soft_wrap=True)
            outcome = demo.run(study)
            print_comparisons(console, outcome, quiet=quiet)
            console.print()
            outcomes.append(outcome)
    console.print(figures(outcomes))
    return 0 if all(outcome.same for outcome in outcomes) else 1


def _what(study: Study) -> str:
    from digitalmodel_optimizer.report.format import amount, count

    return (
        f"{study.name}: {count(study.files, 'file')} of {amount(study.file_mb)}; python -m "
        f"digitalmodel {study.name}.yml without and with the plugins"
    )

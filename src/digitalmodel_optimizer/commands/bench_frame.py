"""What the commands of the benchmarks share: errors in one line, results that get written."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

_INTERRUPTED_STATUS = 130
_SIGNAL_STATUS = 128
_ENDING_SIGNALS = ("SIGTERM", "SIGHUP")

FolderOption = Annotated[
    Path | None,
    typer.Option(metavar="FOLDER", help="Keep made batches here instead of in the cache folder."),
]
JsonOption = Annotated[
    Path | None, typer.Option("--json", metavar="FILE", help="Write the result there as JSON.")
]
PageOption = Annotated[
    Path | None,
    typer.Option("--page", metavar="FILE", help="Write a page with drawings there."),
]


def command_line() -> str:
    """The command as it was typed."""
    import shlex

    return shlex.join(["digitalmodel-optimizer", *sys.argv[1:]])


def make_console() -> Console:
    from rich.console import Console

    return Console(highlight=False, markup=False, emoji=False)


@contextmanager
def telling(console: Console) -> Iterator[Callable[[str], None]]:
    """Something to say what is being done now with: a spinner, or nothing where nobody looks."""
    with console.status("", spinner="line") as status:
        yield status.update


def check_writable(json_file: Path | None, page: Path | None) -> None:
    """Whether results can be written is known before the first run, not after an hour."""
    from digitalmodel_optimizer.bench.json_form import demand_writable

    if json_file is not None:
        demand_writable(json_file)
    if page is not None:
        demand_writable(page)


def write_outputs(
    result: Any,
    json_file: Path | None,
    page: Path | None,
    write_page: Callable[[Any, Path], None],
    console: Console,
) -> None:
    """Write a result where it was asked for; one that cannot be written does not cost the other."""
    from digitalmodel_optimizer.bench.json_form import write_json
    from digitalmodel_optimizer.plugin import OptimizerError

    faults = []
    for path, write in ((json_file, write_json), (page, write_page)):
        if path is None:
            continue
        try:
            write(result, path)
        except OSError as error:
            faults.append(f"{path} cannot be written: {error.strerror}")
        else:
            console.print(f"written: {path}", soft_wrap=True)
    if faults:
        raise OptimizerError("; ".join(faults))


def save_early(result: Any, json_file: Path | None) -> None:
    """What took an hour is not lost with the next; a full disk is told of at the end."""
    from digitalmodel_optimizer.bench.json_form import write_json

    if json_file is not None:
        with suppress(OSError):
            write_json(result, json_file)


@contextmanager
def reporting_errors() -> Iterator[None]:
    """One line and a status for errors that are written for the person who typed the command."""
    from digitalmodel_optimizer.plugin import OptimizerError

    try:
        with _ended_by_signals():
            yield
    except KeyboardInterrupt:
        typer.echo("interrupted", err=True)
        raise typer.Exit(_INTERRUPTED_STATUS) from None
    except OptimizerError as error:
        typer.echo(f"digitalmodel-optimizer: {error}", err=True)
        raise typer.Exit(error.exit_status) from None
    except OSError as error:
        typer.echo(f"digitalmodel-optimizer: {error}", err=True)
        raise typer.Exit(1) from None


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Being asked to end, or a terminal that is closed, leaves no process and no folder behind."""

    def end(number: int, _frame: object) -> None:
        raise SystemExit(_SIGNAL_STATUS + number)

    before = {}
    for name in _ENDING_SIGNALS:
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            before[number] = signal.signal(number, end)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

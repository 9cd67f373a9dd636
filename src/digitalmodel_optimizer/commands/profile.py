"""``digitalmodel-optimizer profile``: the sizes of batches, and what would be decided for them."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from digitalmodel_optimizer.dry_run.profile import Profile

_MB = {"": 1.0, "mb": 1.0, "gb": 1000.0, "tb": 1_000_000.0}
_BAR = 40


def parse_memory(text: str) -> float:
    """MB of ``256GB``, ``64000 MB``, ``64000``."""
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-zA-Z]*)\s*", str(text))
    if found is None or found[2].lower() not in _MB:
        raise typer.BadParameter(f"{text!r} must be a number with MB, GB or TB, such as 256GB")
    return float(found[1]) * _MB[found[2].lower()]


def command(
    what: Annotated[
        list[str],
        typer.Argument(metavar="FOLDER|CONFIG...", help="Batches, shown side by side."),
    ],
    cpus: Annotated[
        int | None, typer.Option(min=1, help="Decide for a machine with so many logical CPUs.")
    ] = None,
    memory: Annotated[
        float | None,
        typer.Option(parser=parse_memory, metavar="SIZE", help="... and so much memory: 256GB."),
    ] = None,
    licences: Annotated[
        int | None, typer.Option(min=1, help="... and at most so many OrcaFlex licences.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
    page: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a page with the histograms.")
    ] = None,
) -> None:
    """Show the sizes of simulation files, and what the plugins would decide for them.

    Opens no file and writes nothing but the page. Where the machine is not this one, time and
    memory are what this project assumes for it.
    """
    from digitalmodel_optimizer.dry_run.profile import Described, as_dict, profile_of
    from digitalmodel_optimizer.plugin import OptimizerError

    try:
        profiles = [profile_of(item, Described(cpus, memory, licences)) for item in what]
        if page is not None:
            from digitalmodel_optimizer.pages.parts import write_page
            from digitalmodel_optimizer.pages.profile_page import profile_page

            write_page(profile_page(list(map(as_dict, profiles))), page)
    except OptimizerError as error:
        typer.echo(f"digitalmodel-optimizer: {error}", err=True)
        raise typer.Exit(error.exit_status) from None
    if as_json:
        typer.echo(json.dumps(list(map(as_dict, profiles)), indent=1))
    else:
        _print(profiles)


def _print(profiles: Sequence[Profile]) -> None:
    from rich.table import Table
    from rich.text import Text

    from digitalmodel_optimizer.report.console import make_console, standard_stream

    console = make_console(standard_stream("stdout"))
    if console is None:
        return
    table = Table(pad_edge=False, box=None, padding=(0, 2, 0, 0))
    table.add_column("", style="bold", no_wrap=True)
    for profile in profiles:
        table.add_column(Text(PurePath(profile.name).name or profile.name), overflow="fold")
    for label, cells in _rows(profiles):
        table.add_row(Text(label), *map(Text, cells))
    console.print(table)
    for profile in profiles:
        if profile.sizes_mb:
            console.print()
            console.print(Text(PurePath(profile.name).name or profile.name, style="bold"))
            _print_histogram(console, profile)


def _rows(profiles: Sequence[Profile]) -> list[tuple[str, list[str]]]:
    from digitalmodel_optimizer.report.format import amount

    def row(label: str, words: Any) -> tuple[str, list[str]]:
        return label, [words(profile) for profile in profiles]

    return [
        row("files", lambda p: str(len(p.sizes_mb))),
        row("size", lambda p: amount(p.total_mb)),
        row("smallest", lambda p: amount(p.quantile(0.0))),
        row("median", lambda p: amount(p.quantile(0.5))),
        row("95 % below", lambda p: amount(p.quantile(0.95))),
        row("largest", lambda p: amount(p.quantile(1.0))),
        row("machine", lambda p: f"{p.machine.logical_cpus} CPUs, "
            f"{amount(p.machine.memory_available_mb)} available"),
        row("groups", _groups),
        row("expected", _expected),
    ]  # fmt: skip


def _groups(profile: Profile) -> str:
    from digitalmodel_optimizer.report.format import count

    if profile.decisions is None:
        return "-"
    return "\n".join(
        f"{item.group.label}: {count(len(item.group.files), 'file')}; {item.allocation.reason}"
        for item in profile.decisions.schedule.assignments
    )


def _expected(profile: Profile) -> str:
    from digitalmodel_optimizer.report.format import amount, duration

    expected = profile.decisions.expected if profile.decisions else None
    if expected is None:
        return "-"
    cost = f"about {duration(expected.seconds)}, up to {amount(expected.memory_mb)} of memory"
    return f"{cost} ({expected.basis})"


def _print_histogram(console: Any, profile: Profile) -> None:
    from rich.progress_bar import ProgressBar
    from rich.table import Table

    from digitalmodel_optimizer.dry_run.profile import histogram
    from digitalmodel_optimizer.report.format import amount

    bins = histogram(profile.sizes_mb)
    most = max(number for _, _, number in bins)
    width = max(10, min(_BAR, console.width - 36))
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(justify="right", no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    for low, high, number in bins:
        bar = ProgressBar(total=most, completed=number, width=width, complete_style="blue",
                          finished_style="blue")  # fmt: skip
        table.add_row(f"{amount(low)} to {amount(high)}", bar, str(number))
    console.print(table)

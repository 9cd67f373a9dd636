"""``digitalmodel-optimizer doctor``: would a run go through the plugins, and if not, why not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from digitalmodel_optimizer.commands.checks import Check


def command(
    config: Annotated[
        Path | None, typer.Argument(help="A batch's YAML file: look at what it asks for, too.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The checks as JSON.")] = False,
) -> None:
    """Check host, OrcFxAPI, settings, plugins and machine, and say what to do.

    Ends with status 1 if something would stop a run.
    """
    from dataclasses import asdict

    from digitalmodel_optimizer.commands.checks import FAIL, all_checks

    checks = list(all_checks(config))
    if as_json:
        typer.echo(json.dumps([asdict(check) for check in checks], indent=1))
    else:
        _print(checks)
    raise typer.Exit(int(any(check.state == FAIL for check in checks)))


def _print(checks: Sequence[Check]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    styles = {"ok": "green", "warn": "yellow", "fail": "bold red"}
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, style="bold")
    table.add_column(overflow="fold")
    for check in checks:
        said = Text(check.found)
        if check.advice:
            said.append(f"\n{check.advice}", style="italic")
        table.add_row(Text(check.state, style=styles[check.state]), check.name, said)
    Console(highlight=False, markup=False, emoji=False).print(table)

"""``digitalmodel-optimizer plugins``: what is installed, in which state, with which options."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Group

    from digitalmodel_optimizer.commands.installed import InstalledPlugin
    from digitalmodel_optimizer.plugin import Option, Settings

_SHORT_STATE = 20


def command(
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Show states and values of this batch.")
    ] = None,
    hooks: Annotated[bool, typer.Option("--hooks", help="Also the hooks of each.")] = False,
    options: Annotated[bool, typer.Option("--options", help="Also the options of each.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="All of it, as JSON.")] = False,
) -> None:
    """List the installed plugins: where from, what they do, whether they are on."""
    from dataclasses import replace

    from digitalmodel_optimizer.commands.installed import ON, look_at_plugins
    from digitalmodel_optimizer.plugin import OptimizerError
    from digitalmodel_optimizer.report.warning_lines import print_warnings_in_a_line

    print_warnings_in_a_line()
    try:
        found = look_at_plugins()
        settings = _settings(config, found) if config else None
    except OptimizerError as error:
        typer.echo(f"digitalmodel-optimizer: {error}", err=True)
        raise typer.Exit(error.exit_status) from None
    off = {item.name for item in found if not item.on_by_default}
    if settings is not None:
        off = set(settings.blocked)
    state = "off by default" if settings is None else f"off in {config}"
    found = [
        replace(item, state=state) if item.state == ON and item.name in off else item
        for item in found
    ]
    if as_json:
        typer.echo(json.dumps([_as_dict(item, settings) for item in found], indent=1))
        return
    _print(found, settings, hooks=hooks, options=options)


def _settings(config: Path, found: Sequence[InstalledPlugin]) -> Settings:
    from digitalmodel_optimizer.config.configuration import read_configuration
    from digitalmodel_optimizer.config.settings import read_settings

    declared = {item.name: item.known for item in found}
    return read_settings(read_configuration(config).merged, declared)


def _as_dict(item: InstalledPlugin, settings: Settings | None) -> dict[str, Any]:
    content = item.as_dict()
    if settings is not None:
        content["values"] = dict(settings.plugin(item.name))
    return content


def _print(
    found: Sequence[InstalledPlugin], settings: Settings | None, *, hooks: bool, options: bool
) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False, markup=False, emoji=False)
    if not found:
        console.print("no plugin is installed")
        return
    table = Table()
    table.add_column("plugin", no_wrap=True)
    table.add_column("state", no_wrap=all(len(item.state) < _SHORT_STATE for item in found))
    table.add_column("from", overflow="fold")
    table.add_column("what it does", overflow="fold")
    for item in found:
        style = "green" if item.state == "on" else "yellow"
        said = item.summary + (f"\nhooks: {_hooks(item)}" if hooks else "")
        table.add_row(item.name, Text(item.state, style=style), item.distribution, said)
    console.print(table)
    for item in found:
        if options and item.declared.options:
            console.print(_options(item, settings))


def _hooks(item: InstalledPlugin) -> str:
    return ", ".join(name.removeprefix("optimizer_") for name in item.hooks) or "none"


def _options(item: InstalledPlugin, settings: Settings | None) -> Group:
    """Two lines an option: name and value, then what it takes and what it does."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True, style="bold")
    table.add_column(overflow="fold")
    for option in item.declared.options:
        value = f"{_value(option.default)} (default)"
        if settings is not None:
            value = f"{_value(settings.plugin(item.name).get(option.name))}, default {value[:-10]}"
        said = Text(value, style="cyan")
        said.append(f"\n{option.help} ({takes(option)})", style="default")
        table.add_row(f"  {option.name}", said)
    return Group(Text(f"\norcaflex.parallel.plugins.{item.name}", style="bold"), table)


def _value(value: Any) -> str:
    return "empty" if value is None or value in ((), {}) else str(value)


def takes(option: Option) -> str:
    """What an option takes, in words: ``seconds, 1 or more, or auto``."""
    if option.choices:
        return ("a list of " if option.kind is list else "") + ", ".join(option.choices)
    words = {bool: "True or False", int: "whole number", float: "number", str: "text"}
    said = option.unit or words.get(option.kind, "mapping")
    if option.minimum is not None and option.maximum is not None:
        said += f", {option.minimum:g} to {option.maximum:g}"
    elif option.minimum is not None:
        said += f", {option.minimum:g} or more"
    elif option.maximum is not None:
        said += f", at most {option.maximum:g}"
    said += ", or auto" if option.auto else ""
    return said + (", or empty" if option.optional else "")

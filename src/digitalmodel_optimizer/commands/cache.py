"""``digitalmodel-optimizer cache``: what is kept from run to run, and removing it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from digitalmodel_optimizer.plugin import Settings, Store, StoreAction
    from digitalmodel_optimizer.plugin.manager import Manager

app = typer.Typer(help="Results that are kept from run to run.", no_args_is_help=True)
Place = Annotated[
    Path,
    typer.Argument(
        metavar="CONFIG|FOLDER", help="The batch's YAML file, its results folder, or the cache."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="As JSON.")]


@app.command()
def info(place: Place, as_json: AsJson = False) -> None:
    """Say how many results are kept, where, and how much space they take."""
    from digitalmodel_optimizer.plugin import StoreAction

    _act(StoreAction.INFO, place, as_json=as_json)


@app.command()
def prune(place: Place, as_json: AsJson = False) -> None:
    """Remove results of files that are gone or have changed, and of earlier settings."""
    from digitalmodel_optimizer.plugin import StoreAction

    _act(StoreAction.PRUNE, place, as_json=as_json)


@app.command()
def clear(place: Place, as_json: AsJson = False) -> None:
    """Remove all results that are kept; outputs stay."""
    from digitalmodel_optimizer.plugin import StoreAction

    _act(StoreAction.CLEAR, place, as_json=as_json)


def _act(action: StoreAction, place: Path, *, as_json: bool) -> None:
    from digitalmodel_optimizer.plugin import OptimizerError
    from digitalmodel_optimizer.report.warning_lines import print_warnings_in_a_line

    print_warnings_in_a_line()
    try:
        manager, settings, folder = _look_at(place)
        stores = _asked(manager, action=action, results_folder=folder, settings=settings)
    except OptimizerError as error:
        typer.echo(f"digitalmodel-optimizer: {error}", err=True)
        raise typer.Exit(error.exit_status) from None
    if as_json:
        typer.echo(json.dumps([_as_dict(store) for store in stores], indent=1))
        return
    for store in stores:
        typer.echo(_sentence(store))
    if not stores:
        typer.echo(f"nothing is kept for {place}")


def _asked(manager: Manager, **arguments: Any) -> list[Store]:
    from digitalmodel_optimizer.plugin import Store

    hook = "optimizer_manage_store"
    stores = [answer for answer in manager.ask(hook, **arguments) if answer is not None]
    for store in stores:
        if not isinstance(store, Store):
            raise manager.invalid_return(hook, store, "a Store")
    return stores


def _look_at(place: Path) -> tuple[Manager, Settings, str]:
    """The plugins with their settings, and the results folder."""
    from digitalmodel_optimizer.batch.loading import load_plugins
    from digitalmodel_optimizer.config.configuration import read_configuration
    from digitalmodel_optimizer.host.preview import results_folder

    if place.is_dir():
        manager, _, settings = load_plugins({})
        return manager, settings, str(place.resolve())
    configuration = read_configuration(place)
    manager, _, settings = load_plugins(configuration.merged)
    return manager, settings, results_folder(configuration)


def _as_dict(store: Store) -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(store)


def _sentence(store: Store) -> str:
    from digitalmodel_optimizer.report.format import amount, count

    limit = "" if store.limit_mb is None else f" of at most {amount(store.limit_mb)}"
    said = f"{store.place}: {count(store.results, 'result')}, {amount(store.size_mb)}{limit}"
    if store.removed:
        said += f"; {count(store.removed, 'result')} removed, {amount(store.removed_mb)}"
    return said

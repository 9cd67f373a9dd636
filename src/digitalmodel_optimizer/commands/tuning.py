"""``digitalmodel-optimizer tuning``: what was learned from earlier runs, and what follows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from digitalmodel_optimizer.plugin import Settings, TuningAction
    from digitalmodel_optimizer.plugin.manager import Manager

app = typer.Typer(help="The number of workers, learned from earlier runs.", no_args_is_help=True)
FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="Runs as JSON.")]


@app.command()
def explain(
    config: Annotated[
        Path | None,
        typer.Argument(metavar="[CONFIG]", help="Only this batch, with its settings."),
    ] = None,
) -> None:
    """Say what was observed, what follows from it, what would be chosen now, and why."""
    from digitalmodel_optimizer.plugin import TuningAction

    _act(TuningAction.EXPLAIN, config=config)


@app.command()
def freeze() -> None:
    """Keep the choices as they are: learn nothing, try nothing out."""
    from digitalmodel_optimizer.plugin import TuningAction

    _act(TuningAction.FREEZE)


@app.command()
def thaw() -> None:
    """Learn again."""
    from digitalmodel_optimizer.plugin import TuningAction

    _act(TuningAction.THAW)


@app.command()
def export(file: FileArgument) -> None:
    """Write what was learned."""
    from digitalmodel_optimizer.plugin import TuningAction

    _act(TuningAction.EXPORT, file)


@app.command("import")
def import_(file: FileArgument) -> None:
    """Add what was learned elsewhere, or before a reset."""
    from digitalmodel_optimizer.plugin import TuningAction

    _act(TuningAction.IMPORT, file)


@app.command()
def reset() -> None:
    """Forget what was learned."""
    from digitalmodel_optimizer.plugin import TuningAction

    _act(TuningAction.RESET)


def _act(action: TuningAction, file: Path | None = None, config: Path | None = None) -> None:
    from digitalmodel_optimizer.plugin import OptimizerError
    from digitalmodel_optimizer.report.warning_lines import print_warnings_in_a_line

    print_warnings_in_a_line()
    try:
        manager, settings = _loaded(config)
        path = "" if file is None else str(file)
        answers = manager.ask(
            "optimizer_manage_tuning", action=action, path=path, settings=settings
        )
    except OptimizerError as error:
        typer.echo(f"digitalmodel-optimizer: {error}", err=True)
        raise typer.Exit(error.exit_status) from None
    for lines in answers:
        for line in lines:
            typer.echo(line)
    if not answers:
        typer.echo("no plugin learns")


def _loaded(config: Path | None) -> tuple[Manager, Settings]:
    """The plugins with the settings of the user's batch; those that learn are off by default."""
    from dataclasses import replace

    from digitalmodel_optimizer.batch.loading import load_plugins
    from digitalmodel_optimizer.config.configuration import read_configuration

    if config is None:
        block = {"enabled": True, "plugins": {"tuning": {"enabled": True}}}
        manager, _, settings = load_plugins({"orcaflex": {"parallel": block}})
    else:
        manager, _, settings = load_plugins(read_configuration(config).merged)
        settings = replace(settings, source=str(config))
    return manager, settings

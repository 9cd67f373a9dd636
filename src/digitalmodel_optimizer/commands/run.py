"""``digitalmodel-optimizer run``: the host's own command, the plugins' seam set up explicitly."""

from __future__ import annotations

import difflib
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

_USAGE_STATUS = 2
_INTERRUPTED_STATUS = 130


def command(
    context: typer.Context,
    config: Annotated[
        str, typer.Argument(metavar="CONFIG [HOST ARGUMENTS]...", help="The batch's YAML file.")
    ],
) -> None:
    """Do what `python -m digitalmodel CONFIG ...` does, plugins included.

    The same happens with `python -m digitalmodel` itself once this package is installed; `run`
    also works where Python does not process .pth files. What follows CONFIG goes to the host
    as it is.
    """
    from digitalmodel_optimizer.config.yaml_files import read_mapping
    from digitalmodel_optimizer.plugin import OptimizerError

    if not os.path.isfile(config):
        _say(_no_such_file(config))
        raise typer.Exit(_USAGE_STATUS)
    try:
        read_mapping(Path(config))
    except OptimizerError as error:  # the host would say so at the end of a traceback
        _say(str(error))
        raise typer.Exit(_USAGE_STATUS) from None
    if not _host_is_there():
        _say("digitalmodel is not installed in this Python; pip install digitalmodel")
        raise typer.Exit(_USAGE_STATUS)
    try:
        run_host([config, *context.args])
    except KeyboardInterrupt:
        raise SystemExit(_INTERRUPTED_STATUS) from None


def run_host(arguments: list[str]) -> None:
    """Run the host's ``engine()`` in this process with ``arguments`` as its command line."""
    from digitalmodel_optimizer import watcher
    from digitalmodel_optimizer.host.modules import run_engine
    from digitalmodel_optimizer.startup import activation, command_line

    os.environ[command_line.RUN_VARIABLE] = str(os.getpid())
    sys.argv = ["digitalmodel", *arguments]
    if watcher.switched_off():
        _say(f"switched off by {watcher.ENVIRONMENT_VARIABLE}; the engine runs untouched")
    elif command_line.command_line_enables():
        activation.stand_in()
    else:
        from digitalmodel_optimizer.startup.typos import slip_on_the_command_line

        slip = slip_on_the_command_line()
        said = f"{arguments[0]} does not enable the plugins, the engine runs untouched"
        add = "to enable them add to it  orcaflex: {parallel: {enabled: True}}"
        _say(f"{said}: {slip}" if slip else f"{said}; {add}")
    run_engine()


def _host_is_there() -> bool:
    import importlib.util

    from digitalmodel_optimizer import watcher

    watcher.stop_watching()  # from here on it is for us to say whether we stand in
    return importlib.util.find_spec("digitalmodel") is not None


def _no_such_file(config: str) -> str:
    path = Path(config)
    try:
        others = [item.name for item in path.parent.iterdir() if item.suffix in (".yml", ".yaml")]
    except OSError:
        return f"there is no file {config}, nor the folder"
    near = difflib.get_close_matches(path.name, others, n=1)
    return f"there is no file {config}" + (
        f"; did you mean {path.with_name(near[0])}?" if near else ""
    )


def _say(text: str) -> None:
    typer.echo(f"digitalmodel-optimizer: {text}", err=True)

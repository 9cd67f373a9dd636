"""``digitalmodel-optimizer run``: the host's own command, with the plugins set up explicitly."""

from __future__ import annotations

import difflib
import os
from pathlib import Path
from typing import Annotated

import typer

from digitalmodel_optimizer.streams import say

_USAGE_STATUS = 2
_INTERRUPTED_STATUS = 130


def command(
    context: typer.Context,
    config: Annotated[
        str, typer.Argument(metavar="CONFIG [HOST ARGUMENTS]...", help="The batch's YAML file.")
    ],
    plan: Annotated[
        bool, typer.Option("--plan", help="Say what would be done, and do nothing; see plan.")
    ] = False,
    verify_inputs: Annotated[
        bool,
        typer.Option(
            "--verify-inputs",
            help="Where results are kept, compare the whole content of each file.",
        ),
    ] = False,
) -> None:
    """Do what `python -m digitalmodel CONFIG ...` does, plugins included.

    The same happens with `python -m digitalmodel` itself once this package is installed; `run`
    also works where Python does not process .pth files. What follows CONFIG goes to the host
    as it is.
    """
    from digitalmodel_optimizer.config.settings import VERIFY_VARIABLE
    from digitalmodel_optimizer.config.user_yaml import read_yaml
    from digitalmodel_optimizer.plugin import OptimizerError
    from digitalmodel_optimizer.startup.no_start import missing_file

    if verify_inputs:
        os.environ[VERIFY_VARIABLE] = "1"
    if plan:
        from digitalmodel_optimizer.commands.plan import show_plan

        show_plan(config, context.args, as_json=False)
    if not os.path.isfile(config):
        say(missing_file(Path(config)) or _no_such_file(config))
        raise typer.Exit(_USAGE_STATUS)
    try:
        _ = read_yaml(Path(config)).content
    except OptimizerError as error:  # the host would say so at the end of a traceback
        say(str(error))
        raise typer.Exit(_USAGE_STATUS) from None
    if not _host_is_there():
        say("digitalmodel is not installed in this Python; pip install digitalmodel")
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

    command_line.be_host_command(arguments)
    if watcher.switched_off():
        say(f"{activation.OFF}: switched off by {watcher.ENVIRONMENT_VARIABLE}")
    elif command_line.command_line_enables():
        activation.wrap_entrances()
    elif not activation.report_typo():
        advice = "to enable them, add to it  orcaflex: {parallel: {enabled: True}}"
        say(f"{activation.OFF}: {arguments[0]} does not enable them; {advice}")
    run_engine()


def _host_is_there() -> bool:
    import importlib.util

    from digitalmodel_optimizer import watcher

    watcher.stop_watching()  # from here on this command decides
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

"""``digitalmodel-optimizer watch``: post-process each simulation file as it arrives."""

from __future__ import annotations

import re
import signal
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

_INTERRUPTED_STATUS = 130
_WAITED_FOR = "no_files"
_SECONDS = {"s": 1.0, "min": 60.0, "h": 3600.0}


def parse_duration(text: str) -> float:
    """Seconds of ``45s``, ``30min``, ``2h``."""
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(s|min|h)\s*", str(text))
    if found is None:
        raise typer.BadParameter(f"{text!r} must be a number with s, min or h, such as 30min")
    return float(found[1]) * _SECONDS[found[2]]


def command(
    context: typer.Context,
    config: Annotated[
        str, typer.Argument(metavar="CONFIG [HOST ARGUMENTS]...", help="The batch's YAML file.")
    ],
    until_idle: Annotated[
        float | None,
        typer.Option(
            parser=parse_duration,
            metavar="DURATION",
            help="End when no file has changed for so long, such as 30min.",
        ),
    ] = None,
    settle: Annotated[
        float,
        typer.Option(
            parser=parse_duration,
            metavar="DURATION",
            help="A file counts when it has not changed for so long.",
        ),
    ] = "10s",  # type: ignore[assignment]  # parsed, as what is typed
    poll: Annotated[
        bool,
        typer.Option("--poll", help="Look for changes, for network shares that do not tell."),
    ] = False,
) -> None:
    """Post-process each simulation file as it arrives, and keep the tables up to date.

    Runs what `run CONFIG ...` runs whenever files have arrived, and keeps their results, so that
    only new files are read. Ends by Ctrl-C, or with --until-idle. Options stand before CONFIG.
    """
    import tempfile
    from pathlib import Path

    from digitalmodel_optimizer.plugin import OptimizerError
    from digitalmodel_optimizer.streams import say
    from digitalmodel_optimizer.watch.watching import Job, Watching, wakes

    arguments = [config, *context.args]
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C
    try:
        folders = _folders_to_watch(arguments)
        woken = wakes(folders, poll=poll)
        with tempfile.TemporaryDirectory(
            prefix="digitalmodel-optimizer-watch-", ignore_cleanup_errors=True
        ) as folder:
            watching = Watching(Job(arguments, settle, until_idle), _tell, Path(folder))
            _tell(f"watching {', '.join(folders)} for {config}")
            try:
                status = watching.run(woken)
            except KeyboardInterrupt:
                _tell(f"interrupted; {watching.summary()}")
                status = _INTERRUPTED_STATUS
    except KeyboardInterrupt:
        status = _INTERRUPTED_STATUS
    except OptimizerError as error:
        say(str(error))
        status = error.exit_status
    raise typer.Exit(status)


def _folders_to_watch(arguments: Sequence[str]) -> list[str]:
    """Where the batch's files lie.

    :raises OptimizerError: rounds of this batch would be refused, or go without plugins.
    """
    import os

    from digitalmodel_optimizer.plugin import OptimizerError

    plan = _plan(arguments)
    refused = [
        item["message"]
        for item in plan["problems"]
        if item["effect"] == "refused" and item["code"] != _WAITED_FOR
    ]
    if refused:
        raise OptimizerError("\n".join(refused))
    if not plan["plugins"]["on"]:
        raise OptimizerError(f"watch needs the plugins, which are off: {plan['plugins']['reason']}")
    folders = [plan["input_folder"]] if plan["input_folder"] else []
    folders += [os.path.dirname(os.path.abspath(item["path"])) for item in plan["files"]]
    return list(dict.fromkeys(map(os.path.abspath, folders)))


def _plan(arguments: Sequence[str]) -> dict[str, Any]:
    """In a process of its own: the host's modules need not stay in memory for days."""
    import json
    import subprocess

    from digitalmodel_optimizer.plugin import OptimizerError

    command = "from digitalmodel_optimizer.commands import main; main()"
    done = subprocess.run(  # noqa: S603 - this Python, a command of ours
        [sys.executable, "-c", command, "plan", "--json", *arguments],
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    try:
        content: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        raise OptimizerError(
            f"the batch cannot be planned: {done.stderr.strip()[-2000:]}"
        ) from None
    return content


def _tell(text: str) -> None:
    """A line with the time, at once, whatever standard output is."""
    import time

    from digitalmodel_optimizer.streams import TolerantStream

    stream = TolerantStream(sys.stdout)
    for line in text.splitlines():
        stream.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {line}\n")
    stream.flush()

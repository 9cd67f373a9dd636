"""Commands that run the host say at once what is missing."""

from __future__ import annotations

import importlib.util

import typer

_HOST = (("digitalmodel", "digitalmodel"), ("OrcFxAPI", "OrcFxAPI"))


def demand_host() -> None:
    """End with status 1 and one line unless digitalmodel and OrcFxAPI are installed."""
    from digitalmodel_optimizer import watcher

    watcher.stop_watching()  # the host is looked for here, and only imported in other processes
    missing = [name for name, module in _HOST if importlib.util.find_spec(module) is None]
    if missing:
        typer.echo(
            f"digitalmodel-optimizer: {' and '.join(missing)} not installed in this Python; "
            "pip install digitalmodel-optimizer[host]",
            err=True,
        )
        raise typer.Exit(1)

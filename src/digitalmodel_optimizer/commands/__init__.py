"""The command line, ``digitalmodel-optimizer`` (``dmo`` for short)."""

from __future__ import annotations


def main() -> None:
    """Entry point of the console scripts."""
    from digitalmodel_optimizer.commands.app import app

    app()

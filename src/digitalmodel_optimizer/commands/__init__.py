"""The command line, ``digitalmodel-optimizer`` (``dmo`` for short)."""

from __future__ import annotations

import io
import sys

from digitalmodel_optimizer.streams import replace_missing


def main() -> None:
    """Entry point of the console scripts."""
    replace_missing()
    for stream in (sys.stdout, sys.stderr):
        # A path, or an ellipsis of ours, may hold what a console of old cannot print.
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")
    from digitalmodel_optimizer.commands.app import app

    app()

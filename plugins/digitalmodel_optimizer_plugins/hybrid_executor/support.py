"""Whether this process can have worker processes at all."""

from __future__ import annotations

import os
import re
import sys

_PYTHON = re.compile(r"python|pypy", re.IGNORECASE)


def why_no_processes() -> str | None:
    """Why not, as a sentence; None where they can be had.

    A worker is another run of ``sys.executable``. Inside another program (OrcaFlex runs Python for
    post-calculation actions) or in a frozen one that is no Python, and a worker would be another
    run of that program.
    """
    if getattr(sys, "frozen", False):
        return "this is a frozen program, which cannot start Python as a worker"
    executable = sys.executable
    if not executable or not os.path.isfile(executable):
        return "this Python does not know its own executable"
    if not _PYTHON.search(os.path.basename(os.path.realpath(executable))) and not _PYTHON.search(
        os.path.basename(executable)
    ):
        return f"Python runs inside {executable}, which cannot be started as a worker"
    try:
        import loky.backend  # noqa: F401
    except ImportError as error:
        return f"this system has no support for them ({error})"
    return None

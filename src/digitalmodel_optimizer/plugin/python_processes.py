"""Whether another process of this very Python can be started."""

from __future__ import annotations

import os
import re
import sys

_PYTHON = re.compile(r"python|pypy", re.IGNORECASE)


def why_no_python_processes() -> str | None:
    """Why not, as a sentence; None where they can be had.

    Such a process is another run of ``sys.executable``. Inside another program (OrcaFlex runs
    Python for post-calculation actions), or in a frozen one, it would be another run of that
    program.
    """
    if getattr(sys, "frozen", False):
        return "this is a frozen program, which cannot start Python as a worker"
    executable = sys.executable
    if not executable or not os.path.isfile(executable):
        return "this Python does not know its own executable"
    names = (os.path.realpath(executable), executable)
    if not any(_PYTHON.search(os.path.basename(name)) for name in names):
        return f"Python runs inside {executable}, which cannot be started as a worker"
    return None

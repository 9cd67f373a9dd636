"""``num_threads=30`` in Python files that use digitalmodel or OrcFxAPI becomes 15."""

from __future__ import annotations

from digitalmodel_optimizer_migration.data import PYTHON
from digitalmodel_optimizer_migration.rule import Rule

RULE = Rule(
    name="python-num-threads",
    key="python.num_threads",
    path=("num_threads",),
    kind=PYTHON,
    summary="num_threads=30 becomes 15 in files that import digitalmodel or OrcFxAPI",
    readers="the call or function itself; executors of Python take whole numbers only",
    reason=(
        "A default that stands in code is used wherever the configuration says nothing. Keyword "
        "arguments, parameter defaults, assignments, defaults of command-line options (argparse, "
        "click, typer) and of lookups (.get) are looked at, whole numbers only."
    ),
    new="15",
    most=61,  # concurrent.futures on Windows takes no more
)

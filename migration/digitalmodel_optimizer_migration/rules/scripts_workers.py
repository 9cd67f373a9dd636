"""``--workers 30`` and its kin in shell and batch scripts and in Markdown are reported."""

from __future__ import annotations

from digitalmodel_optimizer_migration.data import SCRIPT
from digitalmodel_optimizer_migration.rule import Rule

RULE = Rule(
    name="scripts-workers",
    key="--workers",
    path=(),
    kind=SCRIPT,
    summary="reported: --workers 30, --threads 30 in scripts and Markdown",
    readers=(
        "no post-process code of digitalmodel; the optimizer plugins take --workers as a ceiling"
    ),
    reason=(
        "It does nothing without the plugins, and holds them to 30 with them. Scripts are never "
        "rewritten: what a shell makes of a line cannot be read back and compared."
    ),
    instead="leave the option out, or write --workers 15",
)

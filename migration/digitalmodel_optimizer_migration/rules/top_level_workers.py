"""Top-level ``workers`` is read by no post-process code of the host."""

from __future__ import annotations

from digitalmodel_optimizer_migration.rule import Rule

RULE = Rule(
    name="top-level-workers",
    key="workers",
    path=("workers",),
    summary="reported: no post-process code of digitalmodel reads it",
    readers=(
        "no post-process code of digitalmodel; the optimizer plugins take it as a ceiling, "
        "because --workers leaves it behind"
    ),
    reason="A setting that does nothing without the plugins misleads whoever tunes it.",
    instead="write threads: 15 under orcaflex: parallel:",
)

"""Top-level ``parallel.threads`` is read by nobody."""

from __future__ import annotations

from digitalmodel_optimizer_migration.rule import Rule

RULE = Rule(
    name="parallel-threads",
    key="parallel.threads",
    path=("parallel", "threads"),
    summary="reported: read by nobody",
    readers="nobody; it stands in guidelines only",
    reason="A setting that nobody reads misleads whoever tunes it.",
    instead="write threads: 15 under orcaflex: parallel:",
)

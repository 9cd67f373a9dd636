"""``parallel_processing.progress_reporting`` is read by nobody."""

from __future__ import annotations

from digitalmodel_optimizer_migration.rule import Rule

RULE = Rule(
    name="parallel-processing-progress-reporting",
    key="parallel_processing.progress_reporting",
    path=("parallel_processing", "progress_reporting"),
    summary="reported: read by nobody",
    readers="nobody, though many base configurations hold it",
    reason="A setting that nobody reads misleads whoever tunes it.",
    instead="with the optimizer plugins write progress under orcaflex: parallel:",
)

"""``parallel_processing.timeout_per_file`` is read by nobody."""

from __future__ import annotations

from digitalmodel_optimizer_migration.rule import Rule

RULE = Rule(
    name="parallel-processing-timeout-per-file",
    key="parallel_processing.timeout_per_file",
    path=("parallel_processing", "timeout_per_file"),
    summary="reported: read by nobody",
    readers="nobody, though many base configurations hold it",
    reason="A time limit that is not kept is worse than none.",
    instead="with the optimizer plugins write timeout_per_file under orcaflex: parallel:",
)

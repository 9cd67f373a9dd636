"""``parallel_processing.workers: 30``, the alias of max_workers, becomes auto."""

from __future__ import annotations

from digitalmodel_optimizer_migration.rule import REWRITE, Rule

RULE = Rule(
    name="parallel-processing-workers",
    key="parallel_processing.workers",
    path=("parallel_processing", "workers"),
    summary="30 workers become auto (alias of max_workers)",
    readers=(
        "digitalmodel's source tree takes it for max_workers where that is missing; so do the "
        "optimizer plugins"
    ),
    reason="As parallel-processing-max-workers.",
    new="auto",
    auto=True,
    quoted=REWRITE,
)

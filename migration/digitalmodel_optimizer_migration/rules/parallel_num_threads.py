"""``parallel.num_threads: 30`` becomes 15."""

from __future__ import annotations

from digitalmodel_optimizer_migration.rule import REWRITE, Rule

RULE = Rule(
    name="parallel-num-threads",
    key="parallel.num_threads",
    path=("parallel", "num_threads"),
    summary="30 threads become 15",
    readers=(
        "a pydantic model of digitalmodel: whole numbers from 1 to 128, also in quotes; it has no "
        "auto, and refuses keys that it does not know"
    ),
    reason=(
        "30 threads crowd the disk when files are large; 15 is the one fixed number that suits "
        "all sizes."
    ),
    new="15",
    quoted=REWRITE,
)

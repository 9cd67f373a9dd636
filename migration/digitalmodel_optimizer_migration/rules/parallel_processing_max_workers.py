"""``parallel_processing.max_workers: 30`` becomes auto."""

from __future__ import annotations

from digitalmodel_optimizer_migration.rule import REWRITE, Rule

RULE = Rule(
    name="parallel-processing-max-workers",
    key="parallel_processing.max_workers",
    path=("parallel_processing", "max_workers"),
    summary="30 workers become auto",
    readers=(
        "digitalmodel's source tree takes a whole number or auto, and the CPU count for any other "
        "text; released digitalmodel does not read it; the optimizer plugins take both"
    ),
    reason=(
        "auto lets each reader choose: digitalmodel's source tree takes 8, 6, 4 or 2 workers by "
        "the median size of the files (bounds at 100, 500 and 1000 MB), the plugins what this "
        "machine's cores, memory and licences allow."
    ),
    new="auto",
    auto=True,
    quoted=REWRITE,
)

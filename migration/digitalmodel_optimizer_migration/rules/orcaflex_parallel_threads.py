"""``orcaflex.parallel.threads: 30`` becomes 15."""

from __future__ import annotations

from digitalmodel_optimizer_migration.rule import Rule

RULE = Rule(
    name="orcaflex-parallel-threads",
    key="orcaflex.parallel.threads",
    path=("orcaflex", "parallel", "threads"),
    summary="30 workers become 15",
    readers=(
        "digitalmodel's custom analysis takes a whole number and fails on text; the optimizer "
        "plugins take a whole number as a ceiling"
    ),
    reason=(
        "30 workers crowd the disk when files are large; 15 is the one fixed number that suits "
        "all sizes. auto would be better with the plugins, but the custom analysis fails on it."
    ),
    new="15",
    quoted_reason="text to its readers, which take whole numbers; write 15 without quotes",
)

"""``threading.defaults`` was written by a deploy script and is read by nobody."""

from __future__ import annotations

from digitalmodel_optimizer_migration.rule import Rule

RULE = Rule(
    name="threading-defaults",
    key="threading.defaults",
    path=("threading", "defaults"),
    summary="reported: written by a deploy script, read by nobody",
    readers="nobody; a deploy script of digitalmodel writes it",
    reason="A setting that nobody reads misleads whoever tunes it.",
    instead=(
        "with the optimizer plugins write size_classes under "
        "orcaflex: parallel: plugins: thread-allocation:"
    ),
)

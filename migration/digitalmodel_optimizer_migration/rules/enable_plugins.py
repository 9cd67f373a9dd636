"""``orcaflex.parallel.enabled: True`` for post-process configurations that have none."""

from __future__ import annotations

from digitalmodel_optimizer_migration.rule import Rule

RULE = Rule(
    name="enable-plugins",
    key="orcaflex.parallel.enabled",
    path=("orcaflex", "parallel", "enabled"),
    summary="--enable-plugins: adds the block that enables the optimizer plugins",
    readers="the optimizer plugins; digitalmodel's post-processing reads nothing there",
    reason=(
        "Without the plugins the block changes nothing. Only post-process configurations get it: "
        "basename orcaflex_post_process, or another basename of ours with orcaflex.postprocess. "
        "A file that says enabled: False keeps it."
    ),
    asked=True,
)

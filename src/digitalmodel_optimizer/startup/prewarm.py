"""Getting ready for a batch while the host itself is being imported, which takes it seconds."""

from __future__ import annotations

import contextlib
import warnings

from digitalmodel_optimizer.batch.loading import load_plugins
from digitalmodel_optimizer.batch.machine import measure_machine
from digitalmodel_optimizer.batch.prewarmed import prewarmed
from digitalmodel_optimizer.batch.worker import PrepareWorker
from digitalmodel_optimizer.config.settings import switched_off
from digitalmodel_optimizer.config.yaml_lines import readable
from digitalmodel_optimizer.host.layouts import Layout
from digitalmodel_optimizer.plugin import SimulationFile
from digitalmodel_optimizer.plugin.manager import (
    PluginReference,
    blocked_by_environment,
    installed_plugins,
)
from digitalmodel_optimizer.startup.command_line import host_arguments
from digitalmodel_optimizer.startup.preview import foreseen_batch


def get_ready(layout: Layout) -> None:
    """Import the installed plugins and let them prepare for the batch that is to be expected.

    Whatever is wrong with the plugins or the settings is told when the batch begins.
    """
    with contextlib.suppress(Exception), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        batch = foreseen_batch()
        off = blocked_by_environment() | (switched_off(batch[0]) if batch else frozenset())
        prewarmed.plugins = installed_plugins()
        for reference in prewarmed.plugins:
            if reference.name not in off:
                with contextlib.suppress(Exception):
                    reference.load()
        if batch is not None:
            _prepare(layout, prewarmed.plugins, *batch)
            # Kept for the check of its keys. That many new objects beside all that the host has
            # imported would set off Python's collector for 0.1 s.
            readable(host_arguments()[0])


def _prepare(
    layout: Layout, plugins: list[PluginReference], cfg: object, files: tuple[SimulationFile, ...]
) -> None:
    manager, _, settings = load_plugins(cfg, plugins)
    answers = manager.hook.optimizer_get_ready(
        files=files,
        prepare=PrepareWorker(layout, tuple(manager.references)),
        machine=measure_machine(),
        settings=settings,
    )
    prewarmed.workers = sum(answer for answer in answers if answer)

"""Prewarming for a batch while the host itself is being imported, which takes it seconds."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Sequence
from typing import Any

from digitalmodel_optimizer.batch.loading import load_plugins
from digitalmodel_optimizer.batch.machine import measure_machine
from digitalmodel_optimizer.batch.prewarmed import prewarmed
from digitalmodel_optimizer.batch.worker import PrepareWorker
from digitalmodel_optimizer.config.configuration import Configuration
from digitalmodel_optimizer.config.enabling import BLOCK
from digitalmodel_optimizer.config.settings import switched_off
from digitalmodel_optimizer.host.config import HostConfig
from digitalmodel_optimizer.host.files import simulation_files
from digitalmodel_optimizer.host.layouts import Layout
from digitalmodel_optimizer.host.preview import preview
from digitalmodel_optimizer.plugin import SimulationFile
from digitalmodel_optimizer.plugin.manager import (
    PluginReference,
    blocked_by_environment,
    installed_plugins,
)


def prewarm(layout: Layout, configuration: Configuration) -> None:
    """Import the installed plugins and let them start workers for the batch that is expected.

    Any fault of the plugins or the settings is reported when the batch begins.
    """
    with contextlib.suppress(Exception), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cfg = configuration.merged
        off = blocked_by_environment() | switched_off(cfg)
        prewarmed.plugins = installed_plugins()
        for reference in prewarmed.plugins:
            if reference.name not in off:
                with contextlib.suppress(Exception):
                    reference.load()
        expected = preview(configuration)
        _, files = simulation_files(expected)
        if files:
            _start_workers(layout, prewarmed.plugins, expected, files)
            # Its result is kept for the check of the file's keys. That many new objects beside all
            # that the host has imported would set off Python's collector for 0.1 s.
            configuration.origin(BLOCK)


def _start_workers(
    layout: Layout,
    plugins: list[PluginReference],
    cfg: Any,
    files: Sequence[SimulationFile],
) -> None:
    manager, _, settings = load_plugins(cfg, plugins)
    if settings.cache:
        changed = manager.hook.optimizer_expect_files(
            files=files, results_folder=str(HostConfig(cfg).result_folder), settings=settings
        )
        files = files if changed is None else changed
    if not files:
        return
    answers = manager.hook.optimizer_prewarm(
        files=tuple(files),
        prepare=PrepareWorker(layout, tuple(manager.references)),
        machine=measure_machine(),
        settings=settings,
    )
    prewarmed.workers = sum(answer for answer in answers if answer)

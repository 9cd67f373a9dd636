"""Getting ready for a batch while the host itself is being imported, which takes it seconds."""

from __future__ import annotations

import contextlib
import warnings
from dataclasses import dataclass

from digitalmodel_optimizer.contract import SimulationFile
from digitalmodel_optimizer.engine.foresee import foreseen_batch
from digitalmodel_optimizer.engine.layouts import Layout
from digitalmodel_optimizer.engine.peek import host_arguments
from digitalmodel_optimizer.execution.loading import load_plugins
from digitalmodel_optimizer.execution.worker import PrepareWorker
from digitalmodel_optimizer.machine import measure_machine
from digitalmodel_optimizer.manager import (
    PluginReference,
    blocked_by_environment,
    installed_plugins,
)
from digitalmodel_optimizer.settings import switched_off
from digitalmodel_optimizer.yaml_lines import readable


@dataclass
class _Ready:
    workers: int = 0
    plugins: list[PluginReference] | None = None


_ready = _Ready()


def get_ready(layout: Layout) -> None:
    """Import the installed plugins and let them prepare for the batch that is to be expected.

    Whatever is wrong with the plugins or the settings is told when the batch begins.
    """
    with contextlib.suppress(Exception), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        batch = foreseen_batch()
        off = blocked_by_environment() | (switched_off(batch[0]) if batch else frozenset())
        _ready.plugins = installed_plugins()
        for reference in _ready.plugins:
            if reference.name not in off:
                with contextlib.suppress(Exception):
                    reference.load()
        if batch is not None:
            _prepare(layout, _ready.plugins, *batch)
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
    _ready.workers = sum(answer for answer in answers if answer)


def take_found_plugins() -> list[PluginReference] | None:
    """The plugins that were found for the process's first batch; None for any later one.

    Looking through all installed distributions takes a while, and by the next batch of a notebook
    another one may be there.
    """
    plugins, _ready.plugins = _ready.plugins, None
    return plugins


def take_ready_workers() -> int:
    """How many worker processes wait for the process's first batch; none for any later one."""
    workers, _ready.workers = _ready.workers, 0
    return workers

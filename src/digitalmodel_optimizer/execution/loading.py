"""The plugins and the settings of one run."""

from __future__ import annotations

import warnings
from typing import Any

from digitalmodel_optimizer.contract import OptimizerWarning, Settings
from digitalmodel_optimizer.execution.defaults import CoreDefaults
from digitalmodel_optimizer.execution.worker import EngineDefaults
from digitalmodel_optimizer.manager import Manager, build_manager, installed_plugins
from digitalmodel_optimizer.settings import read_settings


def load_plugins(cfg: Any) -> tuple[Manager, EngineDefaults, Settings]:
    """The plugins that ``cfg`` leaves switched on, and its settings, validated."""
    references = installed_plugins()
    declared = build_manager(references).options()
    settings = read_settings(cfg, declared)
    unknown = settings.blocked - {reference.name for reference in references}
    for name in sorted(unknown):
        warnings.warn(f"no plugin is called {name}; nothing to block", OptimizerWarning, 2)
    engine = EngineDefaults()
    manager = build_manager(
        references,
        settings.blocked,
        defaults=[("core", CoreDefaults()), ("engine", engine)],
        trace=settings.trace,
    )
    return manager, engine, settings

"""The plugins and the settings of one run."""

from __future__ import annotations

import difflib
import os
import warnings
from typing import Any

from digitalmodel_optimizer.batch.defaults import CoreDefaults
from digitalmodel_optimizer.batch.worker import EngineDefaults
from digitalmodel_optimizer.config.settings import read_settings, switched_off
from digitalmodel_optimizer.plugin import OptimizerWarning, Settings
from digitalmodel_optimizer.plugin.manager import (
    BLOCK_VARIABLE,
    TRACE_VARIABLE,
    Manager,
    PluginReference,
    blocked_by_environment,
    build_manager,
    installed_plugins,
)


def load_plugins(
    cfg: Any, references: list[PluginReference] | None = None
) -> tuple[Manager, EngineDefaults, Settings]:
    """The plugins that ``cfg`` leaves switched on, and its settings, validated.

    What is switched off is not imported, so that a plugin that does harm can be kept out by name.

    :param references: the installed plugins, where they have just been looked for.
    """
    references = installed_plugins() if references is None else references
    names = {reference.name for reference in references}
    for name in sorted(blocked_by_environment() - names):
        near = difflib.get_close_matches(name, names, n=1)
        said = f"did you mean {near[0]}?" if near else "nothing to block"
        text = f"{BLOCK_VARIABLE}: no plugin is called {name}; {said}"
        warnings.warn(text, OptimizerWarning, stacklevel=2)
    engine = EngineDefaults()
    manager = build_manager(
        references,
        blocked_by_environment() | switched_off(cfg),
        defaults=[("core", CoreDefaults()), ("engine", engine)],
        trace=bool(os.environ.get(TRACE_VARIABLE)),
    )
    settings = read_settings(cfg, {**dict.fromkeys(names), **manager.options()})
    manager.leave_out(settings.blocked)  # those too that are off unless the settings enable them
    return manager, engine, settings

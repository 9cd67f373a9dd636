"""Settings as a batch has them: every option of a plugin with its default filled in."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from digitalmodel_optimizer.plugin import Settings

_OF_THE_RUN = {field.name for field in fields(Settings)}


def settings_of(plugin: Any, **values: Any) -> Settings:
    """What the run says (``ceiling``, ``use_processes``) by its name, all else to ``plugin``."""
    run = {name: value for name, value in values.items() if name in _OF_THE_RUN}
    options = {option.name: option.default for option in plugin.optimizer_options().options}
    given = {name: value for name, value in values.items() if name not in _OF_THE_RUN}
    assert options.keys() >= given.keys(), f"{plugin.NAME} has no {given.keys() - options.keys()}"
    return Settings(**{"enabled": True, **run}, plugin_options={plugin.NAME: {**options, **given}})

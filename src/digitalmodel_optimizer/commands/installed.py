"""What is known of every installed plugin: where from, what state, which hooks and options."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from digitalmodel_optimizer.plugin import PluginError, PluginOptions
from digitalmodel_optimizer.plugin.manager import (
    BLOCK_VARIABLE,
    BUILT_IN,
    Manager,
    PluginReference,
    blocked_by_environment,
    hook_names,
    installed_plugins,
)

ON = "on"
OPTIONS_HOOK = "optimizer_options"  # every plugin has it


@dataclass(frozen=True)
class InstalledPlugin:
    """A plugin as users see it. ``state`` is ``on``, or why it is not."""

    name: str
    distribution: str
    value: str
    summary: str = ""
    state: str = ON
    hooks: tuple[str, ...] = ()
    declared: PluginOptions = field(default_factory=lambda: PluginOptions(""))

    @property
    def on_by_default(self) -> bool:
        """Whether it takes part where the settings do not name it."""
        return all(option.default for option in self.declared.options if option.name == "enabled")

    @property
    def known(self) -> PluginOptions | None:
        """What it declares; None where nobody knows, since it was not or cannot be imported."""
        return self.declared if self.hooks or self.summary else None

    def as_dict(self) -> dict[str, Any]:
        """For JSON: types of options by name."""
        content = asdict(self)
        declared = content.pop("declared")
        content["options"] = [
            {**option, "kind": option["kind"].__name__} for option in declared["options"]
        ]
        return content


def look_at_plugins() -> list[InstalledPlugin]:
    """Load every installed plugin, each on its own, so that a bad one hides no other.

    :raises PluginError: two plugins have the same name.
    """
    blocked = blocked_by_environment()
    return [_look_at(reference, blocked) for reference in installed_plugins()]


def _look_at(reference: PluginReference, blocked: frozenset[str]) -> InstalledPlugin:
    def plugin(**known: Any) -> InstalledPlugin:
        return InstalledPlugin(reference.name, reference.distribution, reference.value, **known)

    blocking = f"blocked by {BLOCK_VARIABLE}"
    if reference.name in blocked and reference.name not in BUILT_IN:
        return plugin(state=blocking)  # it may be blocked for what its import does
    try:
        loaded = reference.load()
    except Exception as error:  # a plugin's own fault, of whatever kind
        return plugin(state=f"cannot be imported: {type(error).__name__}: {error}")
    manager = Manager()
    try:
        manager.add(loaded, reference)
        manager.check()
        declared = manager.options().get(reference.name, PluginOptions(""))
    except PluginError as error:
        return plugin(state=f"breaks the contract: {error}")
    return plugin(
        summary=declared.summary,
        state=blocking if reference.name in blocked else ON,
        hooks=_hooks(manager, loaded),
        declared=declared,
    )


def _hooks(manager: Manager, plugin: Any) -> tuple[str, ...]:
    """The hooks that it implements, under whatever names, in the order of the specifications."""
    found = {caller.name for caller in manager.get_hookcallers(plugin) or ()}
    return tuple(name for name in hook_names() if name in found and name != OPTIONS_HOOK)

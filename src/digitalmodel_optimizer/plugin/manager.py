"""Finding, loading and calling plugins.

The built-in plugins come in by the same door as anyone's: entry points. A worker process rebuilds
the same set from the names and import paths that the parent found.
"""

from __future__ import annotations

import difflib
import inspect
import os
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType
from typing import Any

import pluggy

from digitalmodel_optimizer.plugin import (
    PROJECT_NAME,
    OptimizerWarning,
    PluginError,
    PluginOptions,
    hookspecs,
)

ENTRY_POINT_GROUP = "digitalmodel_optimizer.plugins"
BLOCK_VARIABLE = "DIGITALMODEL_OPTIMIZER_BLOCK"
TRACE_VARIABLE = "DIGITALMODEL_OPTIMIZER_TRACE"
BUILT_IN = (
    "thread-allocation",
    "gc",
    "io-buffering",
    "batch-grouping",
    "hybrid-executor",
    "result-extraction",
)


@dataclass(frozen=True)
class PluginReference:
    """Where a plugin comes from: enough to load it again in another process."""

    name: str
    value: str
    distribution: str

    def load(self) -> Any:
        """The plugin itself; whatever its import raises, but never an end of this process."""
        try:
            return EntryPoint(self.name, self.value, ENTRY_POINT_GROUP).load()
        except SystemExit as error:
            raise ImportError(f"it would end the process: SystemExit({error.code!r})") from error


class Manager(pluggy.PluginManager):
    """A pluggy manager which also catches hooks that were never marked, and says whose."""

    def __init__(self) -> None:
        super().__init__(PROJECT_NAME)
        self.add_hookspecs(hookspecs)
        self.references: list[PluginReference] = []

    def add(self, plugin: Any, reference: PluginReference) -> None:
        """Register ``plugin``; :class:`PluginError` if it does not fit the contract."""
        self._refuse_methods(plugin, reference)
        try:
            self.register(plugin, name=reference.name)
        except (pluggy.PluginValidationError, ValueError) as error:
            raise PluginError(f"{_culprit(reference)}: {error}") from None
        self.references.append(reference)
        self._refuse_unmarked(plugin, reference)

    def check(self) -> None:
        """Refuse hooks that do not exist, naming the plugin and the nearest right name."""
        try:
            self.check_pending()
        except pluggy.PluginValidationError as error:
            name = self.get_name(error.plugin) or "?"
            reference = next((r for r in self.references if r.name == name), None)
            raise PluginError(self._unknown_hook(error, reference, name)) from None

    def _unknown_hook(
        self, error: pluggy.PluginValidationError, reference: PluginReference | None, name: str
    ) -> str:
        unknown = [
            hook
            for hook in dir(error.plugin)
            if self.parse_hookimpl_opts(error.plugin, hook) is not None
            and not hasattr(hookspecs, hook)
        ]
        parts = []
        for hook in unknown:
            near = difflib.get_close_matches(hook, hook_names(), n=1)
            parts.append(f"{hook} is no hook" + (f"; did you mean {near[0]}?" if near else ""))
        who = _culprit(reference) if reference else f"plugin {name}"
        return f"{who}: {'; '.join(parts) or error}"

    def _refuse_unmarked(self, plugin: Any, reference: PluginReference) -> None:
        for name in dir(plugin):
            unmarked = (
                name.startswith("optimizer_")
                and callable(getattr(plugin, name))
                and self.parse_hookimpl_opts(plugin, name) is None
            )
            if unmarked:
                raise PluginError(f"{_culprit(reference)}: {name} is not marked with @hookimpl")

    def _refuse_methods(self, plugin: Any, reference: PluginReference) -> None:
        """A class in place of an object of it: its hooks would be called without their ``self``."""
        if not inspect.isclass(plugin):
            return
        for name in hook_names():
            if inspect.isfunction(inspect.getattr_static(plugin, name, None)):
                raise PluginError(
                    f"{_culprit(reference)}: {reference.value} is a class, whose {name} needs an "
                    "object; name an object of it, or a module, in the entry point"
                )

    def answering(self, hook_name: str) -> str:
        """Who may have given an answer that cannot be used, for messages.

        The plugins of others among those that implement the hook, or else all of them.
        """
        found = {item.plugin_name for item in getattr(self.hook, hook_name).get_hookimpls()}
        loaded = [reference for reference in self.references if reference.name in found]
        others = [reference for reference in loaded if reference.name not in BUILT_IN]
        return " or ".join(_culprit(reference) for reference in others or loaded)

    def wrong_answer(self, hook_name: str, answer: Any, expected: str) -> PluginError:
        """The error for an ``answer`` of ``hook_name`` that is not what the hook asks for."""
        who = self.answering(hook_name)
        said = f"{hook_name} answered {answer!r}, not {expected}"
        return PluginError(f"{who}: {said}" if who else said)

    def call_each(self, hook_name: str, **arguments: Any) -> None:
        """Call a hook that every plugin must hear of, one that fails or not; then raise the first.

        pluggy ends a call with the first error: what others have to tidy up would stay.
        """
        first: Exception | None = None
        for item in reversed(getattr(self.hook, hook_name).get_hookimpls()):
            others = [plugin for plugin in self.get_plugins() if plugin is not item.plugin]
            try:
                self.subset_hook_caller(hook_name, others)(**arguments)
            except Exception as error:
                first = first or error
        if first is not None:
            raise first

    def culprit(self, error: BaseException) -> str | None:
        """Which plugin an exception came out of, for messages; None if it was none of ours.

        Taken from the traceback: the innermost frame that runs in a plugin's own module.
        """
        by_module = {
            reference.value.partition(":")[0]: reference
            for reference in self.references
            if reference.name not in BUILT_IN
        }
        found = None
        trace = error.__traceback__
        while trace is not None:
            found = by_module.get(trace.tb_frame.f_globals.get("__name__", ""), found)
            trace = trace.tb_next
        return _culprit(found) if found is not None else None

    def options(self) -> dict[str, PluginOptions]:
        """What every loaded plugin says of itself, by plugin name; nothing, if it does not say."""
        return {reference.name: self._options_of(reference) for reference in self.references}

    def _options_of(self, reference: PluginReference) -> PluginOptions:
        declare = getattr(self.get_plugin(reference.name), "optimizer_options", None)
        if declare is None:
            return PluginOptions("")
        try:
            answer = declare()
        except Exception as error:
            raise PluginError(
                f"{_culprit(reference)}: optimizer_options failed: {type(error).__name__}: {error}"
            ) from error
        if not isinstance(answer, PluginOptions):
            raise PluginError(
                f"{_culprit(reference)}: optimizer_options returned {answer!r}, not PluginOptions"
            )
        return answer


def hook_names() -> tuple[str, ...]:
    return tuple(name for name in vars(hookspecs) if name.startswith("optimizer_"))


def _culprit(reference: PluginReference) -> str:
    return f"plugin {reference.name} ({reference.value}, from {reference.distribution})"


def installed_plugins() -> list[PluginReference]:
    """Every plugin that is installed, built-in ones first; two of one name are an error."""
    by_name: dict[str, PluginReference] = {}
    for entry in entry_points(group=ENTRY_POINT_GROUP):
        distribution = entry.dist.name if entry.dist is not None else "an unknown distribution"
        reference = PluginReference(entry.name, entry.value, distribution)
        other = by_name.setdefault(entry.name, reference)
        if (other.value, other.distribution) != (reference.value, reference.distribution):
            raise PluginError(
                f"two plugins are called {entry.name}: {_culprit(other)} and "
                f"{_culprit(reference)}; uninstall one of them"
            )
    rank = {name: place for place, name in enumerate(BUILT_IN)}
    return sorted(by_name.values(), key=lambda item: (rank.get(item.name, len(rank)), item.name))


def blocked_by_environment() -> frozenset[str]:
    words = os.environ.get(BLOCK_VARIABLE, "").split(",")
    return frozenset(word.strip() for word in words if word.strip())


def build_manager(
    references: Iterable[PluginReference],
    blocked: frozenset[str] = frozenset(),
    defaults: Sequence[tuple[str, ModuleType | object]] = (),
    trace: bool = False,
) -> Manager:
    """A manager with ``references`` loaded, the core's ``defaults`` asked last.

    A plugin that cannot be imported is skipped with an :class:`OptimizerWarning` that names its
    distribution; one that breaks the contract is a :class:`PluginError`.
    """
    manager = Manager()
    for name, default in defaults:
        manager.register(default, name=name)
    for reference in references:
        if reference.name in blocked:
            continue
        try:
            plugin = reference.load()
        except Exception as error:
            warnings.warn(
                f"{_culprit(reference)} is left out, it cannot be imported: "
                f"{type(error).__name__}: {error}",
                OptimizerWarning,
                stacklevel=2,
            )
            continue
        manager.add(plugin, reference)
    manager.check()
    if trace:
        trace_calls(manager)
    return manager


def trace_calls(manager: Manager) -> None:
    """Print every hook call with its plugins to standard error."""
    import sys

    def before(hook_name: str, implementations: Sequence[Any], _arguments: Any) -> None:
        who = ", ".join(item.plugin_name for item in reversed(implementations))
        print(f"[{hook_name}] {who}", file=sys.stderr)

    manager.add_hookcall_monitoring(before, lambda *_: None)

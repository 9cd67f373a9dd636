"""Finding, loading and calling plugins.

The built-in plugins load the same way as anyone's: by entry points. A worker process rebuilds
the same set from the names and import paths that the parent found.
"""

from __future__ import annotations

import difflib
import inspect
import os
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint, PackageNotFoundError, entry_points, version
from types import ModuleType
from typing import Any

import pluggy

from digitalmodel_optimizer.plugin import hookspecs
from digitalmodel_optimizer.plugin.errors import OptimizerError, OptimizerWarning, PluginError
from digitalmodel_optimizer.plugin.hookspecs import PROJECT_NAME
from digitalmodel_optimizer.plugin.options import PluginOptions, Settings

ENTRY_POINT_GROUP = "digitalmodel_optimizer.plugins"
BLOCK_VARIABLE = "DIGITALMODEL_OPTIMIZER_BLOCK"
TRACE_VARIABLE = "DIGITALMODEL_OPTIMIZER_TRACE"
OPTIMIZERS = (
    "thread-allocation",
    "gc",
    "io-buffering",
    "batch-grouping",
    "hybrid-executor",
    "result-extraction",
    "result-cache",
)
"""The built-in plugins that make a batch faster or smaller, and are on by default."""
BYSTANDERS = ("alerts", "metrics", "affinity", "tuning")
"""Built-in plugins that are off by default, and on which no result depends."""
BUILT_IN = (*OPTIMIZERS, "checks", *BYSTANDERS)


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
        self.faults: list[PluginError] = []
        self._silenced: set[tuple[str, str]] = set()
        self._callers: dict[str, list[tuple[str, Any]]] = {}

    def add(self, plugin: Any, reference: PluginReference) -> None:
        """Register ``plugin``; :class:`PluginError` if it does not fit the contract."""
        self._refuse_methods(plugin, reference)
        try:
            self.register(plugin, name=reference.name)
        except (pluggy.PluginValidationError, ValueError) as error:
            raise PluginError(f"{_named(reference)}: {error}") from None
        self.references.append(reference)
        self._refuse_unmarked(plugin, reference)

    def leave_out(self, names: Iterable[str]) -> None:
        """Unregister the plugins of these names; one that is not there is passed over."""
        left_out = set(names)
        for name in left_out:
            if self.has_plugin(name):
                self.unregister(name=name)
        self.references = [item for item in self.references if item.name not in left_out]

    def check(self) -> None:
        """Refuse hooks that do not exist, naming the plugin and the nearest right name."""
        try:
            self.check_pending()
        except pluggy.PluginValidationError as error:
            name = self.get_name(error.plugin) or "?"
            raise PluginError(self._unknown_hooks(error, name)) from None

    def _unknown_hooks(self, error: pluggy.PluginValidationError, name: str) -> str:
        parts = []
        for attribute in dir(error.plugin):
            options = self.parse_hookimpl_opts(error.plugin, attribute)
            hook = (options and options.get("specname")) or attribute
            if options is not None and not hasattr(hookspecs, hook):
                near = difflib.get_close_matches(hook, hook_names(), n=1)
                said = f"; did you mean {near[0]}?" if near else ""
                parts.append(f"unknown hook {hook}{said}")
        return f"{self.who(name)}: {'; '.join(parts) or error}"

    def _refuse_unmarked(self, plugin: Any, reference: PluginReference) -> None:
        for name in dir(plugin):
            unmarked = (
                name.startswith("optimizer_")
                and callable(getattr(plugin, name))
                and self.parse_hookimpl_opts(plugin, name) is None
            )
            if unmarked:
                raise PluginError(f"{_named(reference)}: {name} is not marked with @hookimpl")

    def _refuse_methods(self, plugin: Any, reference: PluginReference) -> None:
        """A class in place of an object of it: its hooks would be called without their ``self``."""
        if not inspect.isclass(plugin):
            return
        for name in dir(plugin):
            hook = name in hook_names() or self.parse_hookimpl_opts(plugin, name) is not None
            if hook and inspect.isfunction(inspect.getattr_static(plugin, name, None)):
                raise PluginError(
                    f"{_named(reference)}: {reference.value} is a class, whose {name} needs an "
                    "object; name an object of it, or a module, in the entry point"
                )

    # -- calling -----------------------------------------------------------------------------

    def ask(self, hook_name: str, **arguments: Any) -> Any:
        """Call a hook whose answer is needed; whatever a plugin raises names the plugin."""
        try:
            return getattr(self.hook, hook_name)(**arguments)
        except OptimizerError:
            raise
        except Exception as error:
            raised_by = self._blamed(error, ours=True)
            who = _named(raised_by) if raised_by else self.responders(hook_name)
            said = _raised(hook_name, error)
            raise PluginError(f"{who}: {said}" if who else said) from error

    def tell(self, hook_name: str, **arguments: Any) -> list[tuple[str, Any]]:
        """Call a hook that every plugin must hear of, whatever others do with it.

        A plugin that raises is not told the same again; the fault stands in :attr:`faults`.

        :return: what they answered, each with the plugin's name; None is left out.
        """
        answers: list[tuple[str, Any]] = []
        for name, caller in self._callers_of(hook_name):
            if (hook_name, name) in self._silenced:
                continue
            try:
                answers += [(name, answer) for answer in caller(**arguments) or ()]
            except Exception as error:
                self._silenced.add((hook_name, name))
                fault = PluginError(f"{self.who(name)}: {_raised(hook_name, error)}")
                fault.__cause__ = error
                self.faults.append(fault)
        return answers

    def ask_tolerant(self, hook_name: str, **arguments: Any) -> Any:
        """:meth:`ask` for an answer that the batch can do without.

        A plugin that raises is not asked again, others are; the fault stands in :attr:`faults`.
        """
        while True:
            silent = [self.get_plugin(name) for hook, name in self._silenced if hook == hook_name]
            try:
                return self.subset_hook_caller(hook_name, silent)(**arguments)
            except Exception as error:
                names = [item.plugin_name for item in getattr(self.hook, hook_name).get_hookimpls()]
                blamed = self._blamed(error, ours=True)
                named = {blamed.name} if blamed else set(names)
                new = {(hook_name, name) for name in named} - self._silenced
                if not new:
                    return None
                self._silenced |= new
                who = _named(blamed) if blamed else self.responders(hook_name)
                said = error if isinstance(error, OptimizerError) else _raised(hook_name, error)
                fault = PluginError(f"{who}: {said}" if who else str(said))
                fault.__cause__ = error
                self.faults.append(fault)

    def _callers_of(self, hook_name: str) -> list[tuple[str, Any]]:
        """A caller for each plugin that implements the hook, in pluggy's order."""
        implementations = getattr(self.hook, hook_name).get_hookimpls()
        known = self._callers.get(hook_name)
        if known is None or len(known) != len(implementations):
            known = []
            for item in reversed(implementations):
                others = [plugin for plugin in self.get_plugins() if plugin is not item.plugin]
                known.append((item.plugin_name, self.subset_hook_caller(hook_name, others)))
            self._callers[hook_name] = known
        return known

    # -- naming ------------------------------------------------------------------------------

    def who(self, name: str) -> str:
        """The plugin called ``name`` with its distribution, for messages."""
        reference = next((item for item in self.references if item.name == name), None)
        return _named(reference) if reference else f"plugin {name}"

    def responders(self, hook_name: str) -> str:
        """Who may have given an answer that cannot be used, for messages.

        The plugins of others among those that implement the hook, or else all of them.
        """
        found = {item.plugin_name for item in getattr(self.hook, hook_name).get_hookimpls()}
        loaded = [reference for reference in self.references if reference.name in found]
        others = [reference for reference in loaded if reference.name not in BUILT_IN]
        return " or ".join(_named(reference) for reference in others or loaded)

    def invalid_return(self, hook_name: str, answer: Any, expected: str) -> PluginError:
        """The error for an ``answer`` of ``hook_name`` that is not what the hook asks for."""
        who = self.responders(hook_name)
        said = f"{hook_name} returned {answer!r}, not {expected}"
        return PluginError(f"{who}: {said}" if who else said)

    def blame(self, error: BaseException) -> str | None:
        """Which plugin of somebody else an exception came out of, for messages; None if of none.

        Taken from the traceback: the innermost frame that runs in a plugin's own module.
        """
        blamed = self._blamed(error)
        return _named(blamed) if blamed is not None else None

    def _blamed(self, error: BaseException, *, ours: bool = False) -> PluginReference | None:
        by_module = {
            reference.value.partition(":")[0]: reference
            for reference in self.references
            if ours or reference.name not in BUILT_IN
        }
        found = None
        trace = error.__traceback__
        while trace is not None:
            found = by_module.get(trace.tb_frame.f_globals.get("__name__", ""), found)
            trace = trace.tb_next
        return found

    def describe_others(self, settings: Settings) -> str:
        """The plugins that results may depend on: with version and options where not built in.

        Of a built-in one only its presence counts: its options are applied to what workers report.
        """
        return "; ".join(
            reference.name
            if reference.name in BUILT_IN
            else f"{_named(reference)} {_version(reference)} "
            f"{dict(settings.plugin(reference.name))}"
            for reference in self.references
            if reference.name not in (*OPTIMIZERS, *BYSTANDERS)
        )

    # -- options -----------------------------------------------------------------------------

    def options(self) -> dict[str, PluginOptions]:
        """What every loaded plugin says of itself, by plugin name; nothing, if it does not say."""
        declared = {item.plugin_name: item for item in self.hook.optimizer_options.get_hookimpls()}
        return {
            reference.name: self._options_of(reference, declared.get(reference.name))
            for reference in self.references
        }

    def _options_of(
        self, reference: PluginReference, implementation: pluggy.HookImpl | None
    ) -> PluginOptions:
        if implementation is None:
            return PluginOptions("")
        try:
            answer = implementation.function()
        except Exception as error:
            raise PluginError(
                f"{_named(reference)}: optimizer_options raised {type(error).__name__}: {error}"
            ) from error
        if not isinstance(answer, PluginOptions):
            raise PluginError(
                f"{_named(reference)}: optimizer_options returned {answer!r}, not PluginOptions"
            )
        return answer


def _raised(hook_name: str, error: Exception) -> str:
    return f"{hook_name} raised {type(error).__name__}: {error}"


def hook_names() -> tuple[str, ...]:
    return tuple(name for name in vars(hookspecs) if name.startswith("optimizer_"))


def _named(reference: PluginReference) -> str:
    return f"plugin {reference.name} ({reference.value}, from {reference.distribution})"


def _version(reference: PluginReference) -> str:
    try:
        return version(reference.distribution)
    except PackageNotFoundError:
        return ""


def installed_plugins() -> list[PluginReference]:
    """Every plugin that is installed, built-in ones first; two of one name are an error."""
    by_name: dict[str, PluginReference] = {}
    for entry in entry_points(group=ENTRY_POINT_GROUP):
        distribution = entry.dist.name if entry.dist is not None else "an unknown distribution"
        reference = PluginReference(entry.name, entry.value, distribution)
        other = by_name.setdefault(entry.name, reference)
        if (other.value, other.distribution) != (reference.value, reference.distribution):
            raise PluginError(
                f"two plugins are called {entry.name}: {_named(other)} and "
                f"{_named(reference)}; uninstall one of them"
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
                f"{_named(reference)} is left out, it cannot be imported: "
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

"""Imports of the host's modules that wait until what they bind is used for the first time.

The host imports whatever any of its commands may need: seconds, and most of its memory. Here an
import statement at the top level of one of its modules only records what it would bind. The import
is done when such a name is looked up: by code of the module, however deep, as an attribute of the
module, or by ``from module import name``. What is found is the object itself, never a placeholder.

A module runs with a namespace that recognizes what an import statement hands over, and with
builtins that are asked for each name that the module lacks. Not deferred: imports inside ``try``
and ``with``, in functions and classes, ``import *``, and modules that print while they are imported
(``loud``), so that their output comes where it always came.
"""

from __future__ import annotations

import ast
import builtins
import sys
from collections.abc import Collection, Iterator, MutableMapping, Sequence
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import resolve_name
from types import CodeType, ModuleType
from typing import Any, NamedTuple

from digitalmodel_optimizer.watcher import imports_everything


def defer_imports(packages: Collection[str], loud: Collection[str] = ()) -> None:
    """Defer imports in those modules of ``packages`` that are imported from now on.

    :param packages: names of top-level packages.
    :param loud: full names of modules that are imported as soon as a statement names them.
    """
    deferred = any(isinstance(finder, _Finder) for finder in sys.meta_path)
    if not deferred and not imports_everything():
        sys.meta_path.insert(0, _Finder(packages, _Named(loud)))


class _Finder:
    def __init__(self, packages: Collection[str], named: _Named) -> None:
        self._packages = frozenset(packages)
        self._named = named

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name.partition(".")[0] not in self._packages:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is None or type(spec.loader) is not SourceFileLoader:
            return None
        spec.loader = _Loader(name, spec.loader.path, self._named)
        return spec


class _Loader(SourceFileLoader):
    def __init__(self, name: str, path: str, named: _Named) -> None:
        super().__init__(name, path)
        self._named = named

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _LeanModule(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        code = self.get_code(module.__name__)
        if code is None:  # as the loader above has it
            raise ImportError(f"cannot load module {module.__name__!r}", name=module.__name__)
        scope = vars(module)
        deferring = _Builtins(scope, code, self._caught_lines(code), self._named)
        scope["__builtins__"] = deferring
        exec(code, scope, _Namespace(scope, deferring))  # noqa: S102 - as any loader does
        if "__getattr__" in scope:  # the module answers for all names itself
            deferring.load_all()

    def _caught_lines(self, code: CodeType) -> frozenset[int]:
        """Lines where an error may be caught, which must then be raised there."""
        if not getattr(code, "co_exceptiontable", True):  # from Python 3.11
            return frozenset()
        return frozenset(
            line
            for node in ast.walk(ast.parse(self.get_data(self.path)))
            if type(node).__name__ in {"Try", "TryStar", "With"}
            for line in range(node.lineno, node.end_lineno + 1)  # type: ignore[attr-defined]
        )


class _LeanModule(ModuleType):
    """A module whose deferred names are attributes like any other."""

    def __getattr__(self, name: str) -> Any:
        deferring = vars(self).get("__builtins__")
        if isinstance(deferring, _Builtins):
            if name in deferring.deferred:
                return deferring.load(name)
            if name == "__all__":  # ``import *`` takes every name
                deferring.load_all()
        return super().__getattribute__(name)

    def __dir__(self) -> list[str]:
        deferring = vars(self).get("__builtins__")
        names = deferring.deferred if isinstance(deferring, _Builtins) else ()
        return sorted({*super().__dir__(), *names})


class _Statement(NamedTuple):
    """An import statement: ``import module``, or ``from module import`` with names."""

    module: str
    names: tuple[str, ...]
    place: str

    def run(self, attribute: str | None) -> Any:
        """Import, and return what is bound; ``import a.b`` binds ``a``, with ``as`` it is ``b``."""
        bound, source = "bound", f"import {self.module} as bound"
        if self.names:
            source = f"from {self.module} import {attribute} as bound"
        elif attribute is None:
            bound, source = self.module.partition(".")[0], f"import {self.module}"
        space: dict[str, Any] = {}
        exec(compile(source, self.place, "exec"), space)  # noqa: S102 - the same statement
        return space[bound]


class _Deferred:
    """What a deferred statement hands over; any attribute of it is one name of the statement."""

    def __init__(self, statement: _Statement, attribute: str | None = None) -> None:
        _facts_of(self).update(statement=statement, attribute=attribute)

    def __getattribute__(self, name: str) -> _Deferred:
        return _Deferred(_facts_of(self)["statement"], name)


def _facts_of(deferred: _Deferred) -> dict[str, Any]:
    """Its statement and attribute, which cannot be had as attributes of it."""
    found: dict[str, Any] = object.__getattribute__(deferred, "__dict__")
    return found


class _Named:
    """What deferred statements have named: whoever uses a package may rely on all of them.

    After ``import a.b`` in one module, another one that imports ``a`` finds ``a.b`` there.
    """

    def __init__(self, loud: Collection[str]) -> None:
        self._loud = frozenset(loud)
        self._statements: dict[str, list[_Statement]] = {}

    def is_loud(self, statement: _Statement) -> bool:
        inner = (f"{statement.module}.{name}" for name in statement.names)
        return not self._loud.isdisjoint((statement.module, *inner))

    def add(self, statement: _Statement) -> None:
        package = statement.module.partition(".")[0]
        self._statements.setdefault(package, []).append(statement)

    def import_all(self, package: str) -> None:
        for statement in self._statements.pop(package, []):
            __import__(statement.module, fromlist=statement.names)


class _Builtins(dict[str, Any]):
    """The builtins of one module, and the names that it has yet to import.

    A dictionary's own lookups come first: ``__missing__`` is for what neither the module nor
    Python's builtins had when the module was loaded.
    """

    def __init__(
        self, scope: dict[str, Any], code: CodeType, caught: frozenset[int], named: _Named
    ) -> None:
        super().__init__(vars(builtins), __import__=self._import)
        self.deferred: dict[str, tuple[_Deferred, ...]] = {}
        self._scope = scope
        self._code = code
        self._caught = caught
        self._named = named

    def __missing__(self, name: str) -> Any:
        if name in self.deferred:
            return self.load(name)
        if name in self._scope:  # another thread has just loaded it
            return self._scope[name]
        return vars(builtins)[name]

    def defer(self, name: str, value: _Deferred) -> None:
        plain = _facts_of(value)["attribute"] is None  # several ``import a.b`` bind the same name
        before = self.deferred.get(name, ()) if plain else ()
        self.deferred[name] = (*before, value)
        self._scope.pop(name, None)

    def load(self, name: str) -> Any:
        value = None
        for item in self.deferred.get(name, ()):
            statement, attribute = _facts_of(item)["statement"], _facts_of(item)["attribute"]
            if not statement.names:
                self._named.import_all(statement.module.partition(".")[0])
            value = statement.run(attribute)
            self._scope[name] = value
        self.deferred.pop(name, None)
        return self._scope[name]

    def load_all(self) -> None:
        for name in tuple(self.deferred):
            self.load(name)

    def _import(
        self,
        name: str,
        globals: Any = None,  # noqa: A002
        locals: Any = None,  # noqa: A002
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> Any:
        frame = sys._getframe(1)
        if frame.f_code is self._code and frame.f_lineno not in self._caught:
            module = resolve_name("." * level + name, self._scope["__package__"])
            place = f"<deferred import, {self._scope['__name__']}, line {frame.f_lineno}>"
            statement = _Statement(module, tuple(fromlist or ()), place)
            if self._may_wait(statement):
                self._named.add(statement)
                return _Deferred(statement)
        return builtins.__import__(name, globals, locals, fromlist or (), level)

    def _may_wait(self, statement: _Statement) -> bool:
        special = statement.module == "__future__" or "*" in statement.names
        return not special and not self._named.is_loud(statement)


class _Namespace(MutableMapping[str, Any]):
    """A module's names while its top level runs."""

    def __init__(self, scope: dict[str, Any], deferring: _Builtins) -> None:
        self._scope = scope
        self._deferring = deferring

    def __getitem__(self, name: str) -> Any:
        return self._scope[name]

    def __setitem__(self, name: str, value: Any) -> None:
        if type(value) is _Deferred:
            self._deferring.defer(name, value)
        else:
            self._deferring.deferred.pop(name, None)
            self._scope[name] = value

    def __delitem__(self, name: str) -> None:
        if self._deferring.deferred.pop(name, None) is None:
            del self._scope[name]

    def __iter__(self) -> Iterator[str]:
        return iter((*self._scope, *self._deferring.deferred))

    def __len__(self) -> int:
        return len(self._scope) + len(self._deferring.deferred)

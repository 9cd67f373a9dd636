"""Counts native calls and opened files in every process of a run, worker processes included.

Python imports a module of this name at its start, before anything else; a run that is to be counted
has this folder on its PYTHONPATH, which worker processes inherit. Each process has a file of its
own for its counts, mapped into memory, so that they outlive a process that is killed.

Standard library only, and no part of the package: it is imported where the package may not be.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib.abc
import importlib.machinery
import importlib.util
import mmap
import os
import struct
import sys
import threading
import time
from typing import Any

FOLDER_VARIABLE = "DIGITALMODEL_OPTIMIZER_BENCH_COUNTS"
WATCHED_VARIABLE = "DIGITALMODEL_OPTIMIZER_BENCH_WATCHED"
SLOTS = 4096
_SLOT = struct.Struct("<Q")
_WRITING = os.O_WRONLY | os.O_RDWR
_TABLES = (".csv", ".yml")


class Counts:
    """Counters by name, in two files: numbers in ``.counts``, their names in ``.names``."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self._lock = threading.Lock()
        self._open()

    def _open(self) -> None:
        path = os.path.join(self.folder, f"{os.getpid()}-{time.time_ns():x}")
        with open(path + ".counts", "w+b") as stream:
            stream.truncate(SLOTS * _SLOT.size)
            self._numbers = mmap.mmap(stream.fileno(), SLOTS * _SLOT.size)
        self._names = open(path + ".names", "w", encoding="utf-8")  # noqa: SIM115
        self._slots: dict[str, int] = {}

    def in_forked_child(self) -> None:
        self._lock = threading.Lock()
        self._open()

    def add(self, name: str) -> None:
        with self._lock:
            slot = self._slots.get(name)
            if slot is None:
                slot = len(self._slots) * _SLOT.size
                self._names.write(name + "\n")
                self._names.flush()
                self._slots[name] = slot
            number = _SLOT.unpack_from(self._numbers, slot)[0]
            _SLOT.pack_into(self._numbers, slot, number + 1)


class CountingFunction:
    """A native function that is counted; ``restype`` and the like go through to it."""

    __slots__ = ("_counts", "_function", "_name")

    def __init__(self, name: str, function: Any, counts: Counts) -> None:
        object.__setattr__(self, "_name", "native " + name)
        object.__setattr__(self, "_function", function)
        object.__setattr__(self, "_counts", counts)

    def __call__(self, *arguments: Any) -> Any:
        self._counts.add(self._name)
        return self._function(*arguments)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._function, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._function, name, value)


class CountingLibrary:
    """The native library, each function of which is counted."""

    def __init__(self, library: Any, counts: Counts) -> None:
        self._library = library
        self._counts = counts

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._library, name)
        if name.startswith("_") or not callable(found):
            return found
        counted = CountingFunction(name, found, self._counts)
        self.__dict__[name] = counted
        return counted


class Finder(importlib.abc.MetaPathFinder):
    """Lets others find OrcFxAPIConfig, whose ``lib()`` is counted from then on."""

    name = "OrcFxAPIConfig"

    def __init__(self, counts: Counts) -> None:
        self._counts = counts
        self._asking = False

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:  # noqa: ARG002
        if name != self.name or self._asking:
            return None
        self._asking = True
        try:
            spec = importlib.util.find_spec(name)
        finally:
            self._asking = False
        if spec is not None and spec.loader is not None:
            spec.loader = Loader(spec.loader, self._counts)
        return spec


class Loader(importlib.abc.Loader):
    """Does what the genuine loader does, then puts the counting library in place."""

    def __init__(self, loader: Any, counts: Counts) -> None:
        self._loader = loader
        self._counts = counts

    def create_module(self, spec: Any) -> Any:
        return self._loader.create_module(spec)

    def exec_module(self, module: Any) -> None:
        self._loader.exec_module(module)
        genuine = module.lib
        made: list[CountingLibrary] = []

        def lib(*arguments: Any, **named: Any) -> CountingLibrary:
            if not made:
                made.append(CountingLibrary(genuine(*arguments, **named), self._counts))
            return made[0]

        module.lib = lib


def watch_files(counts: Counts, inputs: tuple[str, ...], work: str) -> None:
    """Count the opening of simulation files below ``inputs``, and of tables for writing."""

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event != "open":
            return
        path, _mode, flags = arguments
        if not isinstance(path, (str, bytes)) and not hasattr(path, "__fspath__"):
            return  # a descriptor that is open already
        text = os.path.normcase(os.path.abspath(os.fsdecode(path)))
        if text.startswith(inputs) and text.endswith(".sim"):
            counts.add("opened simulation files")
        elif text.startswith(work) and text.endswith(_TABLES) and flags & _WRITING:
            counts.add("opened tables to write")

    sys.addaudithook(hook)


def import_the_next_one() -> None:
    """Whatever other sitecustomize there is, it is not to be missed for our being here."""
    here = os.path.dirname(os.path.abspath(__file__))
    others = [place for place in sys.path if os.path.abspath(place or ".") != here]
    spec = importlib.machinery.PathFinder.find_spec("sitecustomize", others)
    if spec is not None and spec.loader is not None:
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)


def start() -> None:
    """Count from now on, if a folder for the counts is named."""
    folder = os.environ.get(FOLDER_VARIABLE)
    if not folder or not os.path.isdir(folder):
        return
    counts = Counts(folder)
    work, *inputs = (
        os.path.join(os.path.normcase(os.path.abspath(place)), "")
        for place in os.environ[WATCHED_VARIABLE].split("\n")
    )
    watch_files(counts, tuple(inputs), work)
    sys.meta_path.insert(0, Finder(counts))
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=counts.in_forked_child)
    atexit.register(counts._names.flush)


with contextlib.suppress(Exception):  # a benchmark's counters must not stop an interpreter
    start()
import_the_next_one()

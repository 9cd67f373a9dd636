"""Faults and slowness on request: from a file's header, or from an environment variable.

The variable `SIMULATED_ORCAFLEX_FAULTS` holds JSON, one object or a list of them, with the fields
of `Faults`; children inherit it. `Faults.as_json()` writes it.

A fault with `times` happens that often and then no more, counted over all processes: each time
takes one slot file, `<counter>.0`, `<counter>.1` and so on, which only one process can create.
"""

from __future__ import annotations

import fnmatch
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

FAULTS_VARIABLE = "SIMULATED_ORCAFLEX_FAULTS"

STAGES = ("load", "enumerate", "read", "write")
"""When a crash, a hang or a lack of memory strikes: when a file is loaded, its model's objects are
enumerated, a result is read, one of its tables (`<stem>_*.csv`) is opened for writing. The last
works from the environment variable only."""


@dataclass(frozen=True)
class LoadFailure:
    """Loading ends with `status`; `times` None means always."""

    status: int = 7
    times: int | None = None
    counter: str = ""


@dataclass(frozen=True)
class Crash:
    """The process ends: `how` is "abort", "segfault", "kill" (SIGKILL) or "exit" (with `code`)."""

    how: str = "abort"
    times: int | None = None
    counter: str = ""
    stage: str = "load"
    code: int = 3


@dataclass(frozen=True)
class Hang:
    """The call never ends."""

    times: int | None = None
    counter: str = ""
    stage: str = "load"


@dataclass(frozen=True)
class OutOfMemory:
    """The call asks for more memory than the process may have, and raises MemoryError."""

    times: int | None = None
    counter: str = ""
    stage: str = "load"


@dataclass(frozen=True)
class FaultyVariable:
    """Reading the result or data item `variable` ends with `status`.

    `object_name` "" means of any object.
    """

    variable: str
    object_name: str = ""
    status: int = 8


@dataclass(frozen=True)
class LicenceFault:
    """What the licence refuses (status 25). Works from the environment variable only.

    `refuse_first` model creations are refused, over all processes (slot files of `counter`). If
    `licences` is set, no more than that many processes may have a model at once; `folder` holds
    one lock file for each, which the system lets go when a process ends, however it ends.
    """

    refuse_first: int = 0
    counter: str = ""
    licences: int | None = None
    folder: str = ""


@dataclass(frozen=True)
class LicenceLoss:
    """After `after_reads` results of a model were read, the licence is lost (status 25).

    The next `calls` native calls on this model are refused, then the licence is back; None: it
    does not come back for this model. `times` counts the models that this happens to.
    """

    after_reads: int = 0
    calls: int | None = None
    times: int | None = None
    counter: str = ""


@dataclass(frozen=True)
class Faults:
    """What shall be slow or go wrong. Slow time is slept, so it does not hold the GIL.

    `files` is a pattern for file names, for faults that come from the environment variable.
    `load_s` is added to each load, `load_mb_per_s` limits its speed, `load_cpu_s` is spent busy
    (without the GIL), `call_s` is added to every native call on a model, `result_s` to every read
    of results, `leak_mb` of memory is kept for good at each load.
    """

    files: str = "*"
    load_s: float = 0.0
    load_mb_per_s: float | None = None
    load_cpu_s: float = 0.0
    call_s: float = 0.0
    result_s: float = 0.0
    leak_mb: float = 0.0
    fail_load: LoadFailure | None = None
    crash: Crash | None = None
    hang: Hang | None = None
    memory: OutOfMemory | None = None
    variable: FaultyVariable | None = None
    licence: LicenceFault | None = None
    licence_loss: LicenceLoss | None = None

    def as_json(self) -> str:
        """The text for the environment variable."""
        return json.dumps(self.as_mapping())

    def as_mapping(self) -> dict[str, Any]:
        """The fields that differ from their defaults."""
        default = asdict(Faults())
        return {name: value for name, value in asdict(self).items() if value != default[name]}

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> Faults:
        """The faults that JSON describes; an unknown field raises ValueError."""
        parts: dict[str, type] = {
            "fail_load": LoadFailure,
            "crash": Crash,
            "hang": Hang,
            "memory": OutOfMemory,
            "variable": FaultyVariable,
            "licence": LicenceFault,
            "licence_loss": LicenceLoss,
        }
        unknown = set(values) - {item.name for item in fields(cls)}
        if unknown:
            raise ValueError(f"unknown faults: {', '.join(sorted(unknown))}")
        arguments = dict(values)
        for name, part in parts.items():
            if isinstance(arguments.get(name), Mapping):
                arguments[name] = part(**arguments[name])
                stage = getattr(arguments[name], "stage", "load")
                if stage not in STAGES:
                    raise ValueError(f"unknown stage {stage}; choose from {', '.join(STAGES)}")
        return cls(**arguments)

    def counted_in(self, folder: str) -> Faults:
        """The same with relative counters seen from `folder`."""
        counted = {
            name: replace(part, counter=os.path.join(folder, part.counter))
            for name in ("fail_load", "crash", "hang", "memory")
            if (part := getattr(self, name)) is not None and part.counter
        }
        return replace(self, **counted)


_parsed: tuple[str, tuple[Faults, ...]] = ("", ())


def faults_from_environment() -> tuple[Faults, ...]:
    """The faults that the environment variable names now; parsed again only when it changes."""
    global _parsed
    source = os.environ.get(FAULTS_VARIABLE, "")
    if source != _parsed[0]:
        values = json.loads(source) if source else []
        entries = values if isinstance(values, list) else [values]
        _parsed = (source, tuple(Faults.from_mapping(entry) for entry in entries))
    return _parsed[1]


def faults_for_file(path: str) -> tuple[Faults, ...]:
    """The faults of the environment variable for `path`; "" is a model without a file."""
    name = os.path.basename(path)
    return tuple(f for f in faults_from_environment() if fnmatch.fnmatch(name, f.files))


def happens(times: int | None, counter: str) -> bool:
    """Whether a fault that happens `times` times does so now, taking one of its slots if so.

    ValueError if there is a limit and no counter.
    """
    if times is None:
        return True
    if not counter:
        raise ValueError("a fault that happens a number of times needs a counter file")
    for slot in range(times):
        try:
            handle = os.open(f"{counter}.{slot}", os.O_CREAT | os.O_EXCL | os.O_WRONLY)
        except FileExistsError:
            continue
        os.close(handle)
        return True
    return False

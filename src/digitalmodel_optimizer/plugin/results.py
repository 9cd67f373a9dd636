"""What comes of one file, and what is asked of its model.

Everything but :class:`Request` pickles, and nothing holds a handle or a plugin. Sizes are in bytes
or decimal megabytes (1 MB = 1,000,000 bytes), times in seconds; names carry the unit.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from digitalmodel_optimizer.plugin.data import Batch, Schedule, SimulationFile


class ErrorKind(enum.Enum):
    """What went wrong with a file; decides what is tried next and what the user is told."""

    MISSING = "missing"
    UNREADABLE = "unreadable"
    NOT_A_SIMULATION = "not a simulation"
    LICENCE = "licence refused"
    ENGINE = "engine error"
    UNSTABLE = "unstable simulation"
    CHANGED = "changed while it was read"
    MEMORY = "out of memory"
    CRASHED = "worker crashed"
    TIMEOUT = "timed out"
    DISK_FULL = "disk full"
    OUTPUT = "output not written"
    STOPPED = "stopped before it started"


@dataclass(frozen=True)
class FileError:
    """Why a file has no result. ``details`` is the traceback as text, or empty."""

    kind: ErrorKind
    message: str
    details: str = ""


@dataclass(frozen=True)
class OutputFile:
    """An output that a worker has staged: ``staged`` is moved to ``final`` once its file is done.

    ``size_bytes`` is -1 until every plugin is done with the file.
    """

    staged: str
    final: str
    size_bytes: int


@dataclass(frozen=True)
class Timings:
    """Seconds, wall clock but for ``cpu_s`` (of the thread that did the work)."""

    total_s: float = 0.0
    load_s: float = 0.0
    read_s: float = 0.0
    cpu_s: float = 0.0


@dataclass(frozen=True)
class FileResult:
    """What a worker sends back for one file; either ``error`` is set or ``payload`` is.

    ``payload`` is the core's record of the file's summaries, linked statistics and state (opaque to
    plugins). ``input_stamp`` tells in which state the .sim was read: its size in bytes, time of
    modification in ns, and inode, taken before it was opened. ``retire_worker``: the worker should
    take no further file, since it has grown. ``notes`` carries numbers of the plugins that worked
    on the file, by plugin name and quantity with its unit (``{"gc": {"collect_s": 0.01}}``).
    ``messages`` is what the host printed and logged meanwhile, if it was captured.
    """

    file: SimulationFile
    error: FileError | None = None
    payload: Any = None
    outputs: tuple[OutputFile, ...] = ()
    timings: Timings = Timings()
    attempt: int = 1
    worker: int = 0
    memory_mb: float = 0.0
    memory_growth_mb: float = 0.0
    input_stamp: tuple[int, int, int] | None = None
    retire_worker: bool = False
    warnings: tuple[str, ...] = ()
    messages: tuple[Any, ...] = ()
    notes: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


@dataclass(frozen=True)
class KeptResults:
    """What a plugin has kept of files that are to be processed, by their index.

    ``records``: the record that the plugin was given for the result. ``reasons``: for files
    without one, why, in a few words that a report can count ("the file has changed").
    """

    records: Mapping[int, bytes] = field(default_factory=dict)
    reasons: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Store:
    """What a plugin keeps from run to run, and how much of it an action has removed.

    ``place`` is a folder or an address; ``limit_mb`` None: no limit.
    """

    place: str
    results: int
    size_mb: float
    limit_mb: float | None = None
    removed: int = 0
    removed_mb: float = 0.0


class StoreAction(enum.Enum):
    """What is done with a store: looked at; rid of what is of no use; emptied."""

    INFO = "info"
    PRUNE = "prune"
    CLEAR = "clear"


class RequestKind(enum.Enum):
    """How the engine would ask a model for a result."""

    TIME_HISTORY = "time history"
    RANGE_GRAPH = "range graph"


@dataclass(frozen=True, eq=False)
class Request:
    """One result that the engine is about to ask a model for.

    ``model_object`` is the genuine OrcFxAPI object; the rest are the arguments that the engine
    would pass to its ``TimeHistory(variable, period, object_extra)`` or ``RangeGraph(variable,
    period, object_extra, arclength_range)``. A static result is a time history at static state.
    """

    kind: RequestKind
    model_object: Any
    variable: str
    period: Any
    object_extra: Any = None
    arclength_range: Any = None


@dataclass(frozen=True)
class BatchReport:
    """How a batch went; ``results`` in the host's order. ``backend`` is the executor's name.

    ``reasons`` counts the files that were read though results are kept, by why.
    """

    batch: Batch
    results: tuple[FileResult, ...]
    schedule: Schedule | None
    backend: str
    elapsed_s: float
    decisions: tuple[str, ...]
    warnings: tuple[str, ...]
    memory_peak_mb: float
    interrupted: bool = False
    reasons: Mapping[str, int] = field(default_factory=dict)

    @property
    def failed(self) -> tuple[FileResult, ...]:
        return tuple(result for result in self.results if result.error is not None)

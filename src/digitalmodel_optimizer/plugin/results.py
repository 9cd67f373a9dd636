"""What comes of one file, and what is asked of its model.

Everything but :class:`Request` pickles, and nothing holds a handle or a plugin. Sizes are in bytes
or decimal megabytes (1 MB = 1,000,000 bytes), times in seconds; names carry the unit.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from digitalmodel_optimizer.plugin.data import Batch, Machine, Schedule, SimulationFile


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
    """What a file took, in s: wall clock by stage, and CPU time of the thread that did the work.

    ``total_s`` is from the moment that a worker has the file until it is done with it; ``wait_s``
    comes before (from the moment that the file was handed to the executor), ``publish_s`` after
    it, in the parent. ``began_s`` is when the worker began, in s since 1970 by the machine's
    clock; 0 where it is not known.
    """

    total_s: float = 0.0
    load_s: float = 0.0
    read_s: float = 0.0
    cpu_s: float = 0.0
    enumerate_s: float = 0.0
    write_s: float = 0.0
    load_cpu_s: float = 0.0
    enumerate_cpu_s: float = 0.0
    read_cpu_s: float = 0.0
    write_cpu_s: float = 0.0
    wait_s: float = 0.0
    publish_s: float = 0.0
    began_s: float = 0.0

    @property
    def engine_s(self) -> float:
        """The engine's own work on columns and tables, and what plugins do beside it."""
        others = self.load_s + self.enumerate_s + self.read_s + self.write_s
        return max(0.0, self.total_s - others)

    @property
    def engine_cpu_s(self) -> float:
        others = self.load_cpu_s + self.enumerate_cpu_s + self.read_cpu_s + self.write_cpu_s
        return max(0.0, self.cpu_s - others)


@dataclass(frozen=True)
class ResourceSample:
    """What the processes of a batch, the parent and its workers, were doing at one moment.

    ``at_s``: seconds since the batch began. ``memory_mb`` is resident memory (pages that processes
    share count in each), ``unique_mb`` what is each process's own, looked at rarely. ``cpu_s``,
    ``read_mb``, ``written_mb`` and ``page_faults`` (those that had to wait for a disk) count from
    the beginning of the batch, over all processes that it has had; the bytes are those that were
    asked of the system, whether or not a disk had to move. None: the system does not tell.
    """

    at_s: float
    memory_mb: float
    cpu_s: float
    processes: int
    threads: int
    files_running: int
    workers_limit: int
    memory_available_mb: float
    read_mb: float | None = None
    written_mb: float | None = None
    page_faults: int | None = None
    unique_mb: float | None = None


@dataclass(frozen=True)
class FileResult:
    """What a worker sends back for one file; either ``error`` is set or ``payload`` is.

    ``payload`` is the core's record of the file's summaries, linked statistics and state (opaque to
    plugins). ``input_stamp`` tells in which state the .sim was read: its size in bytes, time of
    modification in ns, and inode, taken before it was opened. ``retire_worker``: the worker should
    take no further file, since it has grown. ``notes`` carries numbers of the plugins that worked
    on the file, by plugin name and quantity with its unit (``{"gc": {"collect_s": 0.01}}``).
    ``data`` is plain data (texts, numbers, lists, dicts) that a plugin sends from the worker to its
    own hooks in the parent, by plugin name; kept for a run that resumes the batch.
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
    data: Mapping[str, Any] = field(default_factory=dict)

    @property
    def summary(self) -> Mapping[str, Mapping[str, Any]]:
        """The file's summary values by group label and column label; empty if it has failed.

        As the host has them in memory, before it rounds them; made at each asking.
        """
        return {} if self.payload is None else self.payload.summary_values()


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


class TuningAction(enum.Enum):
    """What is done with what was learned from earlier runs."""

    EXPLAIN = "explain"
    FREEZE = "freeze"
    THAW = "thaw"
    EXPORT = "export"
    IMPORT = "import"
    RESET = "reset"


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
class BatchVerdict:
    """What a plugin has to say of a whole batch.

    ``sentences`` go into the report. With a ``failure`` the command ends with status 1 and this
    message, once the host has written its last output.
    """

    sentences: tuple[str, ...] = ()
    failure: str = ""


@dataclass(frozen=True)
class BatchReport:
    """How a batch went; ``results`` in the host's order. ``backend`` is the executor's name.

    ``reasons`` counts the files that were read though results are kept, by why.
    ``remarks`` are plugins' sentences on the batch, each with the plugin's name; ``refused`` is why
    the command fails though every output is saved, or empty.
    ``elapsed_s`` counts from the host's call to the last table on disk, ``command_s`` from the
    start of the host's command; None where this process is not that command.
    ``partial_tables`` are the summaries of a batch that a fault has ended: they hold the files
    that have succeeded, and have names of their own.
    ``began_s``: when the batch began, in s since 1970. ``samples``: what its processes used, in
    order of time; a long batch has them further apart. ``machine``: as it was at the beginning.
    ``licence_wait_s``: for how long nothing was started since a licence was refused.
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
    remarks: tuple[tuple[str, str], ...] = ()
    refused: tuple[str, ...] = ()
    partial_tables: tuple[str, ...] = ()
    command_s: float | None = None
    began_s: float = 0.0
    samples: tuple[ResourceSample, ...] = ()
    machine: Machine | None = None
    licence_wait_s: float = 0.0

    @property
    def failed(self) -> tuple[FileResult, ...]:
        return tuple(result for result in self.results if result.error is not None)

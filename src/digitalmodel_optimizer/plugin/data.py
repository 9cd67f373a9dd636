"""The plain data that passes between the stages of a batch.

Everything here pickles. Nothing here holds a model, a native handle or a plugin. Sizes are in
bytes or decimal megabytes (1 MB = 1,000,000 bytes), times in seconds; names carry the unit.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any, Literal, Protocol

BYTES_PER_MB = 1_000_000


@dataclass(frozen=True)
class SimulationFile:
    """One .sim file of a batch; ``index`` is its place in the engine's own order, from 0."""

    index: int
    path: str
    size_bytes: int

    @property
    def size_mb(self) -> float:
        return self.size_bytes / BYTES_PER_MB

    @property
    def stem(self) -> str:
        return PurePath(self.path).stem


@dataclass(frozen=True)
class Group:
    """Files that are alike enough to share an allocation, in the order in which they start."""

    label: str
    files: tuple[SimulationFile, ...]

    @property
    def size_mb(self) -> float:
        return sum(file.size_mb for file in self.files)

    @property
    def largest_mb(self) -> float:
        return max((file.size_mb for file in self.files), default=0.0)


@dataclass(frozen=True)
class Machine:
    """What this process may use, containers and CPU affinity taken into account."""

    logical_cpus: int
    memory_total_mb: float
    memory_available_mb: float
    platform: str


@dataclass(frozen=True)
class Measured:
    """What the files that are done have cost; empty (``files == 0``) before the first.

    ``native_share`` is the part of the time spent in OrcFxAPI loads and batched reads (0 to 1),
    ``memory_factor`` the growth of the worker's memory per file, divided by the file's size,
    ``ready_workers`` the worker processes that were started early and wait for their first file.
    """

    files: int = 0
    seconds: float = 0.0
    size_mb: float = 0.0
    native_share: float = 0.0
    memory_factor: float | None = None
    ready_workers: int = 0

    @property
    def seconds_per_file(self) -> float:
        return self.seconds / self.files if self.files else 0.0

    def predict_s(self, files: Sequence[SimulationFile]) -> float:
        """Seconds that one worker would need for ``files``: half by number, half by size.

        A file's cost has a part that does not depend on its size (the engine's work per column)
        and one that does (loading, reading); without a second size to tell them apart, each gets
        half of what was measured.
        """
        if not self.files:
            return 0.0
        by_number = self.seconds_per_file * len(files)
        if not self.size_mb:
            return by_number
        by_size = self.seconds / self.size_mb * sum(file.size_mb for file in files)
        return (by_number + by_size) / 2


@dataclass(frozen=True)
class Allocation:
    """How many workers a group gets, native threads for each of their models, and why.

    A file counts ``memory_factor`` times its size against ``memory_budget_mb``, the memory that
    all files in flight may take together, without what the workers themselves need; None: no
    budget. ``native_threads`` 0 leaves a model's thread count as OrcaFlex has it. The batch begins
    with ``workers``; up to ``most_workers`` may run at a time if a plugin's ``optimizer_adjust``
    raises them (0: no more than ``workers``).
    """

    workers: int
    native_threads: int
    reason: str
    memory_factor: float = 2.5
    memory_budget_mb: float | None = None
    most_workers: int = 0


@dataclass(frozen=True)
class Assignment:
    """A group with its allocation."""

    group: Group
    allocation: Allocation


@dataclass(frozen=True)
class FileTask:
    """One file to process: what a worker is sent. ``attempt`` counts from 1.

    ``state`` is what earlier files left behind in the engine's configuration, as the engine's own
    loop would have it; opaque to plugins. ``isolated``: the file was being processed when an
    earlier run of this batch broke off, so it should not run where it can take others along.
    """

    file: SimulationFile
    native_threads: int
    attempt: int = 1
    state: Any = None
    isolated: bool = False


@dataclass(frozen=True)
class Schedule:
    """All groups with their allocations; there is no barrier between groups.

    ``order`` gives the tasks in start order.
    """

    assignments: tuple[Assignment, ...]
    order: tuple[FileTask, ...]
    measured: Measured

    @property
    def workers(self) -> int:
        return max((item.allocation.workers for item in self.assignments), default=1)

    @property
    def most_workers(self) -> int:
        """Up to how many files may run at a time, should the workers be raised."""
        return max((self.workers, *(item.allocation.most_workers for item in self.assignments)))


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

    @property
    def native_share(self) -> float:
        return min(1.0, (self.load_s + self.read_s) / self.total_s) if self.total_s else 0.0


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
class Progress:
    """Where a batch stands. ``running`` and ``upcoming`` are in start order.

    ``busy_cores``: CPU seconds a second of the batch's processes since plugins were last asked for
    an adjustment; None where that is not known.
    """

    files_total: int
    files_done: int
    files_failed: int
    size_total_mb: float
    size_done_mb: float
    elapsed_s: float
    running: tuple[SimulationFile, ...]
    upcoming: tuple[SimulationFile, ...]
    workers_limit: int
    memory_available_mb: float
    finished_s: tuple[float, ...] = ()
    busy_cores: float | None = None

    @property
    def remaining_s(self) -> float | None:
        """Estimate from the size done so far; None before the first file is done."""
        if not self.files_done or not self.elapsed_s:
            return None
        done = (self.files_done / self.files_total + self.size_share) / 2
        return self.elapsed_s * (1 - done) / done if done else None

    @property
    def size_share(self) -> float:
        if not self.size_total_mb:
            return self.files_done / self.files_total if self.files_total else 1.0
        return self.size_done_mb / self.size_total_mb


@dataclass(frozen=True)
class Decision:
    """What to do with a file that failed: ``retry``, ``wait``, ``alone`` or ``give_up``.

    ``wait`` pauses ``delay_s`` seconds and lowers the number of workers by one; ``alone`` tries
    the file again while nothing else runs.
    """

    action: Literal["retry", "wait", "alone", "give_up"]
    delay_s: float = 0.0
    reason: str = ""


@dataclass(frozen=True)
class Adjustment:
    """A new limit of workers while a batch runs, with its reason in words for the report."""

    workers: int
    reason: str


@dataclass(frozen=True)
class Batch:
    """A batch as it begins; ``results_folder`` is where the engine's outputs end up."""

    identifier: str
    files: tuple[SimulationFile, ...]
    results_folder: str

    @property
    def size_mb(self) -> float:
        return sum(file.size_mb for file in self.files)


@dataclass(frozen=True)
class BatchReport:
    """How a batch went; ``results`` in the engine's order."""

    batch: Batch
    results: tuple[FileResult, ...]
    schedule: Schedule | None
    backend: str
    elapsed_s: float
    decisions: tuple[str, ...]
    warnings: tuple[str, ...]
    memory_peak_mb: float
    interrupted: bool = False

    @property
    def failed(self) -> tuple[FileResult, ...]:
        return tuple(result for result in self.results if result.error is not None)


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


class ProcessFile(Protocol):
    """Processes one file on the thread that calls it and never raises for a file's own fault.

    Picklable and small: a worker process that receives it loads the batch's configuration once.
    """

    def __call__(self, task: FileTask) -> FileResult: ...

    def warm_up(self) -> None:
        """Do everything that comes before the first file, so that its time is the file's own."""
        ...


class Control(Protocol):
    """What an executor is lent by the core: budgets, retries, and the wish to stop."""

    def run(self, task: FileTask, run_once: Callable[[FileTask], FileResult]) -> FileResult:
        """Admit ``task`` under the budgets (may block), run it, retry as the plugins decide.

        ``run_once`` does the work on the calling thread or in a worker; it raises
        :class:`~digitalmodel_optimizer.plugin.errors.WorkerLostError` when its worker is gone.
        """
        ...

    def decide(self, text: str) -> None:
        """Put a sentence into the report: what was chosen, and why."""
        ...

    def chose_backend(self, name: str) -> None:
        """Say which backend runs the batch, for the report."""
        ...

    @property
    def stopping(self) -> bool: ...


ResultStream = Iterator[FileResult]

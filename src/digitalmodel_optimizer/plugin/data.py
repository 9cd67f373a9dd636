"""The plain data that passes between the stages of a batch.

Everything here pickles. Nothing here holds a model, a native handle or a plugin. Sizes are in
bytes or decimal megabytes (1 MB = 1,000,000 bytes), times in seconds; names carry the unit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any, Literal

BYTES_PER_MB = 1_000_000


@dataclass(frozen=True)
class SimulationFile:
    """One .sim file of a batch; ``index`` is its place in the host's own order, from 0."""

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
    """What the finished files have cost; empty (``files == 0``) before the first.

    ``native_share`` is the part of the time spent in OrcFxAPI loads and batched reads (0 to 1),
    ``memory_factor`` the growth of the worker's memory per file, divided by the file's size,
    ``ready_workers`` the worker processes that need no start of their own any more,
    ``starting_workers`` those of them that are not done with it.
    """

    files: int = 0
    seconds: float = 0.0
    size_mb: float = 0.0
    native_share: float = 0.0
    memory_factor: float | None = None
    ready_workers: int = 0
    starting_workers: int = 0


@dataclass(frozen=True)
class Expected:
    """What a batch is expected to cost: time of its files, memory of all workers at the peak.

    ``basis`` says in words what the numbers rest on, and what is not in them.
    """

    seconds: float
    memory_mb: float
    basis: str


@dataclass(frozen=True)
class Allocation:
    """How many workers a group gets, native threads for each of their models, and why.

    A file counts ``memory_factor`` times its size against ``memory_budget_mb``, the memory that
    all files in flight may take together, without what the workers themselves need; None: no
    budget. ``native_threads`` 0 leaves a model's thread count as OrcaFlex has it. The batch begins
    with ``workers``; up to ``max_workers`` may run at a time if a plugin's ``optimizer_adjust``
    raises them (0: no more than ``workers``). ``worker_start_s``: what the allocation expects a
    new worker to need before its first file. ``expected``: what all files still to be processed
    will cost, for those who ask before the run; None where nobody can tell. ``limited_by``: what
    has set the number of workers, in a word or two (``cores``, ``memory``, ``licences``).
    """

    workers: int
    native_threads: int
    reason: str
    memory_factor: float = 2.5
    memory_budget_mb: float | None = None
    max_workers: int = 0
    worker_start_s: float = 0.5
    expected: Expected | None = None
    limited_by: str = ""


@dataclass(frozen=True)
class Assignment:
    """A group with its allocation."""

    group: Group
    allocation: Allocation


@dataclass(frozen=True)
class FileTask:
    """One file to process: what a worker is sent. ``attempt`` counts from 1.

    ``state`` is what earlier files left behind in the host's configuration, as the host's own loop
    would have it; opaque to plugins. ``isolated``: the file has ended a process before, so it must
    not run where it can take others along. ``own_loop``: in place of ``file``, which then stands
    for them, the host's own loop runs over each of these lists of files, in a process without
    plugins, and the core compares its tables (``verify: sample``).
    """

    file: SimulationFile
    native_threads: int
    attempt: int = 1
    state: Any = None
    isolated: bool = False
    own_loop: tuple[tuple[SimulationFile, ...], ...] = ()


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
    def max_workers(self) -> int:
        """Up to how many files may run at a time, should the workers be raised."""
        return max((self.workers, *(item.allocation.max_workers for item in self.assignments)))

    @property
    def memory_budget_mb(self) -> float | None:
        """The lowest budget of any group, since all share the workers; None without one."""
        budgets = [item.allocation.memory_budget_mb for item in self.assignments]
        return min((budget for budget in budgets if budget is not None), default=None)

    @property
    def worker_start_s(self) -> float:
        return max((item.allocation.worker_start_s for item in self.assignments), default=0.0)


@dataclass(frozen=True)
class ExecutorChoice:
    """What a plugin would supply as the executor of a batch; see its attributes of the same names.

    ``ready_workers``: worker processes that it would start beside the host's own imports.
    """

    name: str
    reason: str
    keeps_time_limit: bool = False
    ready_workers: int = 0


@dataclass(frozen=True)
class Progress:
    """Where a batch stands. ``running`` and ``upcoming`` are in start order.

    ``files_done`` counts those too that were taken over from an earlier run, which
    ``files_resumed`` and ``size_resumed_mb`` tell apart. ``upcoming`` names the next files only,
    ``files_waiting`` counts all that have not started. ``finished_s`` are the moments, in seconds
    since the batch began, at which the latest files finished, ``worker_s`` the seconds that
    workers have spent on the files that finished in this run.

    ``busy_cores``: CPU seconds per second, since plugins were last asked for an adjustment, of the
    workers that had files then and have some now; None where that is not known. They have
    ``observed_files`` of the files that run. Workers that are being started are not among them.

    ``running_s``: for how long each running file has run, ``stages``: what is being done to it, as
    far as that is known (:class:`~digitalmodel_optimizer.plugin.timing.Stage`), both by the file's
    index and up to half a second old. ``memory_mb``: of all processes, ``memory_budget_mb``: what
    the files in flight may take, ``decision``: the latest, in words.
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
    files_waiting: int = 0
    files_resumed: int = 0
    size_resumed_mb: float = 0.0
    finished_s: tuple[float, ...] = ()
    worker_s: float = 0.0
    busy_cores: float | None = None
    observed_files: int = 0
    running_s: Mapping[int, float] = field(default_factory=dict)
    stages: Mapping[int, str] = field(default_factory=dict)
    memory_mb: float = 0.0
    memory_budget_mb: float | None = None
    decision: str = ""


@dataclass(frozen=True)
class RetryAction:
    """What to do with a file that failed.

    ``retry``: again, after ``delay_s`` seconds. ``wait``: the same, and meanwhile nothing is
    started beyond what runs; for what the whole batch lacks, such as a licence. ``alone``: again,
    while nothing else runs. ``give_up``: the error is the file's. ``stop``: the batch stops with
    ``reason`` as its message, and can be resumed.
    """

    action: Literal["retry", "wait", "alone", "give_up", "stop"]
    delay_s: float = 0.0
    reason: str = ""


@dataclass(frozen=True)
class Adjustment:
    """A new limit of workers while a batch runs, with its reason in words for the report.

    ``starting`` False: nothing more starts until an adjustment says otherwise. ``stop``: the batch
    ends after the files that run; the same command goes on with the others.
    """

    workers: int
    reason: str
    starting: bool = True
    stop: bool = False


@dataclass(frozen=True)
class Batch:
    """A batch as it begins; ``results_folder`` is where the host's outputs end up.

    ``files_resumed`` of the files were finished by an interrupted run of the same batch,
    ``files_reused`` have a result that a plugin has kept. ``conditions``: what all results depend
    on besides the files themselves, by name, each as a version, a path or a digest; empty unless
    results are kept (``settings.cache``).
    """

    identifier: str
    files: tuple[SimulationFile, ...]
    results_folder: str
    files_resumed: int = 0
    files_reused: int = 0
    conditions: Mapping[str, str] = field(default_factory=dict)

    @property
    def size_mb(self) -> float:
        return sum(file.size_mb for file in self.files)

"""What the processes of a batch use: looked at by process, added up over those that have ended."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from digitalmodel_optimizer.plugin import ResourceSample

if TYPE_CHECKING:
    import psutil

MOST_SAMPLES = 1000
# A look at what is each process's own walks through all of its pages.
FIRST_UNIQUE_S = 2.0
UNIQUE_S = 15.0
_MAJOR_FAULTS_FIELD = 9  # of /proc/PID/stat behind the name
_BYTES_PER_MB = 1e6


class ProcessUsage(NamedTuple):
    """Of one process: memory now, the rest since it began. None: the system does not tell."""

    memory_mb: float
    cpu_s: float
    threads: int = 1
    read_mb: float | None = None
    written_mb: float | None = None
    page_faults: int | None = None
    unique_mb: float | None = None


def tree_usage(
    pids: Collection[int] | None = None, *, unique: bool = False
) -> dict[int, ProcessUsage]:
    """What this process and its workers use, by process id.

    :param pids: the workers, if they are known; those that have ended are passed over. None finds
        all descendants, which means looking at every process of the machine.
    :param unique: also what memory is each process's own, which takes some ms for each 100 MB.
    """
    import psutil

    found = {}
    for process in _processes(pids):
        try:
            found[process.pid] = _usage_of(process, unique=unique)
        except psutil.Error:
            continue
    return found


def _usage_of(process: psutil.Process, *, unique: bool) -> ProcessUsage:
    import psutil

    with process.oneshot():
        times = process.cpu_times()
        memory = process.memory_info().rss
        threads = process.num_threads()
        try:
            moved = process.io_counters()
        except (AttributeError, psutil.Error):  # macOS; a process of another user
            moved = None
    read, written = (
        (None, None)
        if moved is None
        else (
            getattr(moved, "read_chars", moved.read_bytes) / _BYTES_PER_MB,
            getattr(moved, "write_chars", moved.write_bytes) / _BYTES_PER_MB,
        )
    )
    return ProcessUsage(
        memory / _BYTES_PER_MB,
        times.user + times.system,
        threads,
        read,
        written,
        _major_faults(process.pid),
        process.memory_full_info().uss / _BYTES_PER_MB if unique else None,
    )


def _major_faults(pid: int) -> int | None:
    if sys.platform != "linux":
        return None
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return int(fields[_MAJOR_FAULTS_FIELD])
    except (OSError, IndexError, ValueError):
        return None


def _processes(pids: Collection[int] | None) -> Iterator[psutil.Process]:
    import psutil

    this = psutil.Process()
    yield this
    if pids is None:
        yield from this.children(recursive=True)
        return
    for pid in {*pids} - {this.pid}:
        try:
            yield psutil.Process(pid)
        except psutil.Error:
            continue


@dataclass
class Resources:
    """The samples of one batch, at most :data:`MOST_SAMPLES`; a long batch has them further apart.

    ``peak_mb``: the most memory that was seen at once.
    """

    peak_mb: float = 0.0
    _samples: list[ResourceSample] = field(default_factory=list)
    _first: dict[int, ProcessUsage] = field(default_factory=dict)
    _last: dict[int, ProcessUsage] = field(default_factory=dict)
    _apart_s: float = 0.0
    _unique_at_s: float = FIRST_UNIQUE_S

    @property
    def samples(self) -> tuple[ResourceSample, ...]:
        return tuple(self._samples)

    def wants_unique(self, now_s: float) -> bool:
        """Whether it is time to look at what is each process's own."""
        return now_s >= self._unique_at_s

    def began(self, usage: Mapping[int, ProcessUsage]) -> None:
        """What these processes have used up to now is not the batch's."""
        self._first.update(usage)

    def take(
        self,
        at_s: float,
        usage: Mapping[int, ProcessUsage],
        *,
        files_running: int,
        workers_limit: int,
        memory_available_mb: float,
    ) -> None:
        """Keep a look."""
        memory_mb = sum(item.memory_mb for item in usage.values())
        self.peak_mb = max(self.peak_mb, memory_mb)
        self._last.update(usage)
        unique = [item.unique_mb for item in usage.values()]
        known = [value for value in unique if value is not None]
        if known:
            self._unique_at_s = at_s + UNIQUE_S
        if self._samples and not known and at_s - self._samples[-1].at_s < self._apart_s:
            return
        self._samples.append(
            ResourceSample(
                at_s,
                memory_mb,
                self._since("cpu_s") or 0.0,
                len(usage),
                sum(item.threads for item in usage.values()),
                files_running,
                workers_limit,
                memory_available_mb,
                self._since("read_mb"),
                self._since("written_mb"),
                None if (faults := self._since("page_faults")) is None else int(faults),
                sum(known) if known else None,
            )
        )
        if len(self._samples) > MOST_SAMPLES:
            del self._samples[1:-1:2]
            self._apart_s = 2 * at_s / MOST_SAMPLES

    def _since(self, quantity: str) -> float | None:
        """Over all processes that were seen, since the batch began or they did."""
        total = 0.0
        for pid, last in self._last.items():
            value = getattr(last, quantity)
            if value is None:
                return None
            before = getattr(self._first.get(pid), quantity, None) or 0
            total += max(0.0, value - before)
        return total

"""What a child process and all its descendants use: time, memory, bytes read and written."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

SAMPLE_INTERVAL_S = 0.1
_PATIENCE_S = 15.0
_BYTES_PER_MB = 1e6
_HELPER_MB = 40.0  # a resource tracker has less, whatever has loaded OrcFxAPI has more


@dataclass(frozen=True)
class Sample:
    """Resident memory at one moment: of the first process, of its largest descendant, of all."""

    elapsed_s: float
    root_mb: float
    largest_child_mb: float
    tree_mb: float


@dataclass(frozen=True)
class Usage:
    """What one run of a process tree took.

    ``memory_mb`` is the largest sum of resident memory that was seen over the tree (pages that
    are shared count in each process), ``worker_mb`` the most that one of its child processes had
    (the process itself where no child does the work), ``processes`` the most processes at a time.
    ``read_mb`` and ``written_mb`` are what the tree asked the system to read and write, whether
    or not a disk had to move; ``disk_read_mb`` is what came from the disk itself. None: the
    system does not tell.
    """

    status: int
    elapsed_s: float
    cpu_s: float
    memory_mb: float
    worker_mb: float
    processes: int
    read_mb: float | None = None
    written_mb: float | None = None
    disk_read_mb: float | None = None
    samples: tuple[Sample, ...] = ()


def run_child(
    command: Sequence[str],
    folder: Path,
    environment: Mapping[str, str],
    log: Path,
    interval_s: float = SAMPLE_INTERVAL_S,
) -> Usage:
    """Run ``command`` in ``folder`` to its end, what it prints in ``log``, and say what it took.

    :param environment: all of the child's variables.
    """
    before = _Totals.now()
    start = time.perf_counter()
    with log.open("wb") as output:
        child = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        sampler = TreeSampler(child.pid, interval_s)
        with sampler, ended(child):
            status = child.wait()
    elapsed_s = time.perf_counter() - start
    now = _Totals.now()
    spent = sampler.totals() if before is None or now is None else now.minus(before)
    return Usage(
        status=status,
        elapsed_s=elapsed_s,
        cpu_s=spent.cpu_s,
        memory_mb=sampler.peak_mb,
        worker_mb=sampler.worker_mb,
        processes=sampler.most_processes,
        read_mb=spent.read_mb,
        written_mb=spent.written_mb,
        disk_read_mb=spent.disk_read_mb,
        samples=tuple(sampler.samples),
    )


@dataclass(frozen=True)
class _Totals:
    """Running totals; differences of two of them tell what happened in between."""

    cpu_s: float
    read_mb: float | None = None
    written_mb: float | None = None
    disk_read_mb: float | None = None

    @classmethod
    def now(cls) -> _Totals | None:
        """Of all children that this process has waited for, and of all that these waited for.

        Linux adds the bytes of a process that ended to those of its parent. None elsewhere, but
        for the time on other POSIX systems: there what was sampled has to do.
        """
        if not sys.platform.startswith("linux"):
            return None
        import resource

        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        bytes_moved = psutil.Process().io_counters()
        return cls(
            used.ru_utime + used.ru_stime,
            bytes_moved.read_chars / _BYTES_PER_MB,
            bytes_moved.write_chars / _BYTES_PER_MB,
            bytes_moved.read_bytes / _BYTES_PER_MB,
        )

    def minus(self, before: _Totals) -> _Totals:
        def difference(after: float | None, earlier: float | None) -> float | None:
            return None if after is None or earlier is None else max(0.0, after - earlier)

        return _Totals(
            self.cpu_s - before.cpu_s,
            difference(self.read_mb, before.read_mb),
            difference(self.written_mb, before.written_mb),
            difference(self.disk_read_mb, before.disk_read_mb),
        )


class TreeSampler:
    """Looks at a process tree every ``interval_s`` seconds, on a thread of its own."""

    def __init__(self, pid: int, interval_s: float = SAMPLE_INTERVAL_S) -> None:
        self.peak_mb = 0.0
        self.most_processes = 0
        self.samples: list[Sample] = []
        self._interval_s = interval_s
        self._root = psutil.Process(pid)
        self._last: dict[int, _Totals] = {}
        self._stop = threading.Event()
        self._start = time.perf_counter()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> TreeSampler:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    @property
    def worker_mb(self) -> float:
        children_mb = max((item.largest_child_mb for item in self.samples), default=0.0)
        if children_mb > _HELPER_MB:
            return children_mb
        return max((item.root_mb for item in self.samples), default=0.0)

    def totals(self) -> _Totals:
        """The sum of what each process was last seen to have used."""
        seen = list(self._last.values())
        return _Totals(
            sum(item.cpu_s for item in seen),
            _sum(item.read_mb for item in seen),
            _sum(item.written_mb for item in seen),
        )

    def _watch(self) -> None:
        while not self._stop.wait(self._interval_s):
            self._look()

    def _look(self) -> None:
        sizes_mb = []
        with contextlib.suppress(psutil.Error):
            for process in (self._root, *self._root.children(recursive=True)):
                with contextlib.suppress(psutil.Error):
                    sizes_mb.append(process.memory_info().rss / _BYTES_PER_MB)
                    if not sys.platform.startswith("linux"):
                        self._last[process.pid] = _used_by(process)
        if sizes_mb:
            total = sum(sizes_mb)
            elapsed_s = time.perf_counter() - self._start
            children = max(sizes_mb[1:], default=0.0)
            self.samples.append(Sample(elapsed_s, sizes_mb[0], children, total))
            self.peak_mb = max(self.peak_mb, total)
            self.most_processes = max(self.most_processes, len(sizes_mb))


def _used_by(process: psutil.Process) -> _Totals:
    times = process.cpu_times()
    cpu_s = times.user + times.system
    if not hasattr(process, "io_counters"):  # macOS
        return _Totals(cpu_s)
    moved = process.io_counters()
    return _Totals(cpu_s, moved.read_bytes / _BYTES_PER_MB, moved.write_bytes / _BYTES_PER_MB)


def _sum(values: Iterator[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


@contextlib.contextmanager
def ended(child: subprocess.Popen[bytes]) -> Iterator[None]:
    """However the block is left, the child and its children are gone afterwards."""
    try:
        yield
    except BaseException:  # Ctrl-C reaches the child as well; it is given time to tidy up
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(_PATIENCE_S)
        raise
    finally:
        if child.poll() is None:
            with contextlib.suppress(psutil.Error):
                for process in psutil.Process(child.pid).children(recursive=True):
                    with contextlib.suppress(psutil.Error):
                        process.kill()
            child.kill()
            child.wait()

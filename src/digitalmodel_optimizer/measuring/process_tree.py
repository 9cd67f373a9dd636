"""What a child process and all its descendants use: time, memory, bytes read and written."""

from __future__ import annotations

import contextlib
import itertools
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

# Memory is looked at so often, for peaks that are short; processes are looked for more rarely.
LOOK_INTERVAL_S = 0.02
LOOKS_PER_SAMPLE = 5
_PATIENCE_S = 15.0
_BYTES_PER_MB = 1e6
_BYTES_PER_KB = 1024
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
    are shared count in each process), and no less than one of them had. ``root_mb`` is the peak of
    its first process, ``child_mb`` that of the largest of the others, both by the system's own mark
    where it keeps one (Linux, Windows), which no short peak escapes. ``processes`` is the most
    processes at a time.
    ``read_mb`` and ``written_mb`` are what the tree asked the system to read and write, whether
    or not a disk had to move; ``disk_read_mb`` is what came from the disk itself. None: the
    system does not tell.
    """

    status: int
    elapsed_s: float
    cpu_s: float
    memory_mb: float
    root_mb: float
    child_mb: float
    processes: int
    read_mb: float | None = None
    written_mb: float | None = None
    disk_read_mb: float | None = None
    samples: tuple[Sample, ...] = ()

    @property
    def worker_mb(self) -> float:
        """The peak of the largest child process, or of the first where no child does the work."""
        return self.child_mb if self.child_mb > _HELPER_MB else self.root_mb


def run_child(
    command: Sequence[str],
    folder: Path,
    environment: Mapping[str, str],
    log: Path,
) -> Usage:
    """Run ``command`` in ``folder`` to its end, what it prints in ``log``, and say what it took.

    :param environment: all of the child's variables.
    """
    before = _Totals.now()
    start = time.perf_counter()
    with log.open("wb") as output:
        child = subprocess.Popen(  # noqa: S603 - a list, made here
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        with ended(child), TreeSampler(child.pid) as sampler:
            status = child.wait()
    elapsed_s = time.perf_counter() - start
    now = _Totals.now()
    spent = sampler.totals() if before is None or now is None else now.minus(before)
    return Usage(
        status=status,
        elapsed_s=elapsed_s,
        cpu_s=spent.cpu_s,
        memory_mb=max(sampler.peak_mb, sampler.root_mb, sampler.child_mb),
        root_mb=sampler.root_mb,
        child_mb=sampler.child_mb,
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
    """Looks at the memory of a process tree all the while, on a thread of its own.

    A process counts from the second time that it is found: in its first moments it may still be
    a copy of its parent, whose memory would count twice.
    """

    def __init__(self, pid: int, interval_s: float = LOOK_INTERVAL_S) -> None:
        self.peak_mb = 0.0
        self.root_mb = 0.0
        self.child_mb = 0.0
        self.most_processes = 0
        self.samples: list[Sample] = []
        self._interval_s = interval_s
        self._root = psutil.Process(pid)
        self._found: set[psutil.Process] = set()
        self._known: list[psutil.Process] = []
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

    def totals(self) -> _Totals:
        """The sum of what each process was last seen to have used."""
        seen = list(self._last.values())
        return _Totals(
            sum(item.cpu_s for item in seen),
            _sum(item.read_mb for item in seen),
            _sum(item.written_mb for item in seen),
        )

    def _watch(self) -> None:
        for look in itertools.count():
            if self._stop.wait(self._interval_s):
                return
            sampled = look % LOOKS_PER_SAMPLE == 0
            if sampled:
                self._find()
            self._look(sampled)

    def _find(self) -> None:
        with contextlib.suppress(psutil.Error):
            children = self._root.children(recursive=True)
            self._known = [process for process in children if process in self._found]
            self._found = set(children)

    def _look(self, sampled: bool) -> None:
        sizes_mb, peaks_mb = [], []
        for process in (self._root, *self._known):
            try:
                size_mb, peak_mb = _resident_mb(process)
                if sampled and not sys.platform.startswith("linux"):
                    self._last[process.pid] = _used_by(process)
            except (psutil.Error, OSError):
                if process is self._root:
                    return
                continue
            sizes_mb.append(size_mb)
            peaks_mb.append(peak_mb)
        self.root_mb = max(self.root_mb, peaks_mb[0])
        self.child_mb = max(self.child_mb, *peaks_mb[1:], 0.0)
        self.peak_mb = max(self.peak_mb, sum(sizes_mb))
        self.most_processes = max(self.most_processes, len(sizes_mb))
        if sampled:
            elapsed_s = time.perf_counter() - self._start
            largest_mb = max(sizes_mb[1:], default=0.0)
            self.samples.append(Sample(elapsed_s, sizes_mb[0], largest_mb, sum(sizes_mb)))


def _resident_mb(process: psutil.Process) -> tuple[float, float]:
    """Resident memory now, and the most that it has been, where the system keeps that mark.

    :raises OSError: the process has ended.
    """
    if sys.platform.startswith("linux"):
        lines = Path(f"/proc/{process.pid}/status").read_bytes().splitlines()
        sizes = dict(line.split(b":", 1) for line in lines if line.startswith((b"VmHWM", b"VmRSS")))
        if len(sizes) < 2:
            raise ProcessLookupError(process.pid)  # nobody has waited for it yet
        size_mb, peak_mb = (
            int(sizes[name].split()[0]) * _BYTES_PER_KB / _BYTES_PER_MB
            for name in (b"VmRSS", b"VmHWM")
        )
        return size_mb, max(size_mb, peak_mb)
    used = process.memory_info()
    peak = getattr(used, "peak_wset", used.rss)  # Windows
    return used.rss / _BYTES_PER_MB, max(used.rss, peak) / _BYTES_PER_MB


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
    except KeyboardInterrupt:  # it reaches the child as well, which is given time to tidy up
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(_PATIENCE_S)
        raise
    finally:
        if child.poll() is None:
            below = _below(child.pid)
            child.kill()  # first, so that it starts no others
            for process in below:
                with contextlib.suppress(psutil.Error):
                    if "resource_tracker" not in " ".join(process.cmdline()):  # it tidies up
                        process.kill()
            child.wait()
            psutil.wait_procs(below, _PATIENCE_S)


def _below(pid: int) -> list[psutil.Process]:
    with contextlib.suppress(psutil.Error):
        return list(psutil.Process(pid).children(recursive=True))
    return []

"""Reading ahead: bringing the next files into the system's cache while others are computed."""

from __future__ import annotations

import os
import sys
import threading
from collections import deque

from digitalmodel_optimizer.plugin import Progress, SimulationFile

BYTES_PER_MB = 1_000_000
_AUTO_SHARE_OF_AVAILABLE = 0.25
_STOP_WAIT_S = 5.0


class ReadAhead:
    """The read-ahead of one batch, in the parent.

    Files read ahead but not yet started count against the budget. Each file is read at most once;
    one that cannot be read is left to the worker, whose error is reported.
    """

    def __init__(
        self, *, most_files: int, budget_mb: float | None, reserve_mb: float, chunk_bytes: int
    ) -> None:
        self._most_files = most_files
        self._budget_mb = budget_mb
        self._reserve_mb = reserve_mb
        self._chunk_bytes = chunk_bytes
        self._lock = threading.Lock()
        self._queue: deque[SimulationFile] = deque()
        self._arrived = threading.Condition(self._lock)
        self._seen: set[int] = set()
        self._stopping = False
        self._thread: threading.Thread | None = None
        self.files = 0
        self.read_mb = 0.0

    def consider(self, progress: Progress) -> list[SimulationFile]:
        """Choose what to read next, and hand it to the reading thread; does not wait for it."""
        with self._lock:
            if self._stopping:
                return []
            chosen = self._choose(progress)
            upcoming = {file.index for file in progress.upcoming}
            # What has started meanwhile is being read by its worker.
            self._queue = deque(file for file in self._queue if file.index in upcoming)
            self._queue.extend(chosen)
            if chosen and self._thread is None:
                self._thread = threading.Thread(target=self._run, name="read-ahead", daemon=True)
                self._thread.start()
            self._arrived.notify_all()
            return chosen

    def _choose(self, progress: Progress) -> list[SimulationFile]:
        available_mb = progress.memory_available_mb
        budget_mb = self._budget_mb
        if budget_mb is None:
            budget_mb = available_mb * _AUTO_SHARE_OF_AVAILABLE
        ahead_mb = sum(file.size_mb for file in progress.upcoming if file.index in self._seen)
        chosen = []
        for file in progress.upcoming[: min(len(progress.running), self._most_files)]:
            if file.index in self._seen:
                continue
            ahead_mb += file.size_mb
            available_mb -= file.size_mb
            if ahead_mb > budget_mb or available_mb < self._reserve_mb:
                break
            self._seen.add(file.index)
            chosen.append(file)
        return chosen

    def stop(self) -> None:
        """Stop after the piece that is being read."""
        with self._lock:
            self._stopping = True
            self._queue.clear()
            self._arrived.notify_all()
        if self._thread is not None:
            self._thread.join(_STOP_WAIT_S)

    def _run(self) -> None:
        while True:
            with self._lock:
                while not self._queue and not self._stopping:
                    self._arrived.wait()
                if self._stopping:
                    return
                file = self._queue.popleft()
            read_bytes = self._read(file.path)
            with self._lock:
                self.files += 1
                self.read_mb += read_bytes / BYTES_PER_MB
                self._arrived.notify_all()

    def _read(self, path: str) -> int:
        try:
            with open(path, "rb", buffering=0) as stream:
                if sys.platform == "linux":
                    return self._advise(stream.fileno())
                buffer = bytearray(self._chunk_bytes)
                done = 0
                while not self._stopping and (count := stream.readinto(buffer)):
                    done += count
                return done
        except OSError:
            return 0

    def _advise(self, descriptor: int) -> int:
        """Have Linux read the file, in pieces: of one large request it reads the beginning only."""
        if sys.platform != "linux":
            return 0
        size = os.fstat(descriptor).st_size
        done = 0
        while done < size and not self._stopping:
            os.posix_fadvise(descriptor, done, self._chunk_bytes, os.POSIX_FADV_WILLNEED)
            done += self._chunk_bytes
        return min(done, size)

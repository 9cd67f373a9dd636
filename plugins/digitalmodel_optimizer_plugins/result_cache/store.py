"""Where results are kept: one journal in a folder of the user's own.

Each record is plain data. What does not read as one of ours is passed over, and what it was of is
processed again. Runs of several batches may share a folder: each adds at the end, and whoever
rewrites the journal to make it smaller waits for the others.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgpack

from digitalmodel_optimizer.plugin.atomic import write_whole
from digitalmodel_optimizer.plugin.journal import Journal, framed, joined
from digitalmodel_optimizer.plugin.private import why_not_private
from digitalmodel_optimizer_plugins.result_cache.fingerprint import Fingerprint

FOLDER_NAME = ".dmo-cache"
JOURNAL_NAME = "results.journal"
_LOCK_NAME = "lock"
_WAIT_S = 10.0
# Of a full journal so much stays, or the next run would rewrite it again.
_SHARE_AFTER = 0.8
_WORTH_REWRITING_BYTES = 1_000_000

_RESULT, _CONDITIONS, _SOURCE = range(3)
Key = tuple[str, str]


@dataclass(frozen=True)
class Entry:
    """A kept result; ``conditions`` is the :func:`digest_of` what it depends on."""

    conditions: str
    path: str
    fingerprint: Fingerprint
    record: bytes = field(repr=False)

    @property
    def key(self) -> Key:
        return (self.conditions, self.path)

    def packed(self) -> bytes:
        print_ = self.fingerprint
        parts = [self.conditions, self.path, [*print_.stamp], print_.blocks, print_.whole]
        return _packed([_RESULT, *parts, print_.settled, self.record])


@dataclass
class Content:
    """What a journal holds, the latest last.

    ``sources``: the digest of each user's file that the last whole run of it has had.
    """

    entries: dict[Key, Entry] = field(default_factory=dict)
    conditions: dict[str, Mapping[str, str]] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)

    def latest(self) -> dict[str, Entry]:
        """The entry that was written last, for each path."""
        return {entry.path: entry for entry in self.entries.values()}


class Store:
    """The journal in ``folder``, which is made when something is added.

    :raises OSError: from every method, what the system says; or the folder is not the user's own.
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.path = os.path.join(folder, JOURNAL_NAME)

    def load(self) -> Content:
        """What is kept; nothing, where nothing is."""
        content = Content()
        if os.path.lexists(self.folder):
            self._refuse_others()
            for record in Journal(self.path).records():
                with contextlib.suppress(Exception):  # none of ours, or of another version
                    _read(content, record)
        return content

    @property
    def size_bytes(self) -> int:
        try:
            return os.stat(self.path).st_size
        except FileNotFoundError:
            return 0

    def add(
        self,
        entries: Iterable[Entry],
        conditions: Mapping[str, str],
        sources: Mapping[str, str],
    ) -> None:
        """Add ``entries`` and what they depend on."""
        os.makedirs(self.folder, mode=0o700, exist_ok=True)
        self._refuse_others()
        with self._locked():
            journal = Journal(self.path)
            try:
                journal.add(_packed([_CONDITIONS, digest_of(conditions), dict(conditions)]))
                for entry in entries:
                    journal.add(entry.packed())
                for item in sources.items():
                    journal.add(_packed([_SOURCE, *item]))
            finally:
                journal.close()

    def shrink(self, limit_bytes: float, used: Collection[Key]) -> None:
        """Rewrite the journal where it is larger than the limit, or half of it is outdated.

        :param used: entries to leave out last.
        """
        size = self.size_bytes
        if size <= min(limit_bytes, _WORTH_REWRITING_BYTES):
            return

        def used_first(entries: list[Entry]) -> list[Entry]:
            return sorted(entries, key=lambda entry: entry.key not in used)

        if size > limit_bytes:
            self.rewrite(limit_bytes * _SHARE_AFTER, used_first)
        elif 2 * sum(map(_size, self.load().entries.values())) < size:
            self.rewrite(limit_bytes, used_first)

    def rewrite(self, limit_bytes: float, choose: Callable[[list[Entry]], list[Entry]]) -> Content:
        """Leave as many entries as fit.

        :param choose: of all entries, the latest first, those to leave, the most wanted first.
        """
        with self._locked():
            content = self.load()
            chosen = choose([*content.entries.values()][::-1])
            ends = itertools.accumulate(map(_size, chosen))
            fitting = {e.key for e, end in zip(chosen, ends, strict=True) if end <= limit_bytes}
            entries = {key: e for key, e in content.entries.items() if key in fitting}
            ids = {conditions for conditions, _ in entries}
            conditions = {k: v for k, v in content.conditions.items() if k in ids}
            left = Content(entries, conditions, content.sources)
            write_whole(self.path, joined(_records(left)), 0o600)
        return left

    def remove(self) -> None:
        """Remove everything that is kept."""
        if not os.path.lexists(self.folder):
            return
        self._refuse_others()
        for name in (JOURNAL_NAME, _LOCK_NAME):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(os.path.join(self.folder, name))
        with contextlib.suppress(OSError):  # the user's own files in it
            os.rmdir(self.folder)

    def _refuse_others(self) -> None:
        fault = why_not_private(self.folder)
        if fault is not None:
            raise PermissionError(0, f"it {fault}", self.folder)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Alone with the journal, as far as that can be had.

        Two that write at once could cost each other some records, which their checksums tell.
        """
        import filelock

        lock = filelock.FileLock(os.path.join(self.folder, _LOCK_NAME), timeout=_WAIT_S)
        with contextlib.suppress(filelock.Timeout, NotImplementedError, OSError):
            lock.acquire()
        try:
            yield
        finally:
            lock.release()


def digest_of(conditions: Mapping[str, str]) -> str:
    """A short name for them."""
    return hashlib.sha256(repr(sorted(conditions.items())).encode()).hexdigest()[:20]


def _size(entry: Entry) -> int:
    return len(framed(entry.packed()))


def _records(content: Content) -> Iterator[bytes]:
    for item in content.conditions.items():
        yield _packed([_CONDITIONS, *item])
    for entry in content.entries.values():
        yield entry.packed()
    for source in content.sources.items():
        yield _packed([_SOURCE, *source])


def _packed(parts: list[Any]) -> bytes:
    packed: bytes = msgpack.packb(parts, unicode_errors="surrogatepass")
    return packed


def _read(content: Content, record: bytes) -> None:
    """Add what ``record`` says to ``content``; whatever goes wrong, it is none of ours."""
    kind, name, *rest = msgpack.unpackb(record, unicode_errors="surrogatepass")
    if kind == _RESULT:
        path, stamp, blocks, whole, settled, result = rest
        size, time_ns, inode = stamp
        print_ = Fingerprint((size, time_ns, inode), blocks, whole, settled is True)
        if not all(type(item) is bytes for item in (blocks, result)):
            raise TypeError(record)
        content.entries.pop((name, path), None)  # the latest is last
        content.entries[(name, path)] = Entry(name, path, print_, result)
    elif kind == _CONDITIONS:
        content.conditions[name] = dict(rest[0])
    elif kind == _SOURCE:
        content.sources[name] = str(rest[0])

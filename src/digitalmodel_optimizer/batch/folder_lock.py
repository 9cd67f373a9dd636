"""One run at a time in a folder, and a note that tells the others who it is.

The lock is the operating system's, on a file: nobody else can have it at the same moment, on
another machine neither, and it is free when its holder has died, whatever the clock or a process
number says. The note is for people only.
"""

from __future__ import annotations

import contextlib
import errno
import getpass
import json
import os
import platform
import sys
import time
from pathlib import Path
from typing import Any

from digitalmodel_optimizer.plugin.atomic import NEW_FILE, write_whole
from digitalmodel_optimizer.plugin.private import open_own, read_own

LOCK_NAME = "lock"
NOTE_NAME = "owner.json"
_MARKER_NAME = "lock.holder"
_NOTE_LIMIT_BYTES = 64_000
_TRIES = 5


class FolderLock:
    """The lock of ``folder``; held until :meth:`release`, on whatever thread."""

    def __init__(self, folder: str) -> None:
        self._path = os.path.join(folder, LOCK_NAME)
        self._note = os.path.join(folder, NOTE_NAME)
        self._marker = os.path.join(folder, _MARKER_NAME)
        self._lock: Any = None
        self._marked = False

    def acquire(self) -> bool:
        """Take the lock if nobody has it.

        :raises OSError: the folder is gone, or cannot be written to.
        """
        for _ in range(_TRIES):
            descriptor = open_own(self._path, os.O_RDWR | os.O_CREAT)
            try:
                opened = os.fstat(descriptor)
            finally:
                os.close(descriptor)
            lock = _file_lock(self._path)
            try:
                taken = _take(lock)
            except (NotImplementedError, OSError):  # a file system without locks
                return self._mark()
            if not taken:
                return False
            # A run that has ended meanwhile may have removed the file; what we hold is then the
            # lock of a file without a name, and the next run would hold another one.
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(opened, os.lstat(self._path)):
                    self._lock = lock
                    return True
            lock.release()
        return False

    def _mark(self) -> bool:
        """Without locks: a file that only one can make, with what tells whether its maker lives.

        It is not free when its holder dies. That is seen on the holder's machine only; elsewhere
        somebody has to remove the folder, as the message says.
        """
        for _ in range(2):
            with contextlib.suppress(FileExistsError):
                with open(os.open(self._marker, NEW_FILE, 0o600), "w", encoding="utf-8") as stream:
                    json.dump({"machine": _machine(), "pid": os.getpid()}, stream)
                self._marked = True
                return True
            if not _is_left_over(_json(self._marker)):
                return False
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._marker)
        return False

    def is_held(self) -> bool:
        """Whether a run has the lock now; looks, and writes nothing."""
        try:
            descriptor = open_own(self._path)
        except OSError:
            return False
        try:
            free = _is_free(descriptor)
        finally:
            os.close(descriptor)
        return not free or (
            os.path.lexists(self._marker) and not _is_left_over(_json(self._marker))
        )

    def write_note(self, source: str | None) -> None:
        """Say who holds the lock, since when, and for which file of the user's.

        :raises OSError: it cannot be written.
        """
        content = {
            "host": platform.node(),
            "pid": os.getpid(),
            "user": _user(),
            "since": time.strftime("%Y-%m-%d %H:%M:%S %z"),
            "source": source,
        }
        write_whole(self._note, json.dumps(content).encode(), 0o600)

    def holder(self) -> str:
        """Who holds the lock and since when, in words, as the note has it."""
        note = _json(self._note)
        if not note:
            return "it has only just begun"
        pid, user, host, since = (_said(note, key) for key in ("pid", "user", "host", "since"))
        return f"process {pid} of {user} on {host}, since {since}"

    def source(self) -> str | None:
        """The user's file that the folder's last run was made of, as the note says."""
        source = _json(self._note).get("source")
        return source if isinstance(source, str) else None

    def owns(self, name: str) -> bool:
        """Whether the file of that name in the folder is the lock's own."""
        return name in (LOCK_NAME, NOTE_NAME, _MARKER_NAME)

    def release(self, *, remove: bool = False) -> None:
        """Let others in; ``remove``: together with the files, so that the folder is empty."""
        lock, self._lock = self._lock, None
        # Elsewhere a file that is still locked can be removed, and has to be: after the release it
        # may be another one's. On Windows it cannot, and once it is another one's neither.
        if lock is not None and sys.platform == "win32":
            lock.release()
        if remove:
            self._unlink(self._note, self._path)
        if self._marked:
            self._unlink(self._marker)
            self._marked = False
        if lock is not None:
            lock.release()

    def _unlink(self, *paths: str) -> None:
        for path in paths:
            with contextlib.suppress(OSError):
                os.unlink(path)


def _file_lock(path: str) -> Any:
    import filelock

    # A lock of one thread would not be released by another one.
    settings: dict[str, Any] = {"timeout": 0, "thread_local": False}
    with contextlib.suppress(TypeError):  # the older ones have no such argument, and need none
        # The newer ones would take the file's being there for the lock, where there are none.
        return filelock.FileLock(path, fallback_to_soft=False, **settings)
    return filelock.FileLock(path, **settings)


def _take(lock: Any) -> bool:
    import filelock

    try:
        lock.acquire()
    except filelock.Timeout:
        return False
    return True


def _is_free(descriptor: int) -> bool:
    """Whether the lock on an open file can be had, by having it for a moment.

    The lock is that of :func:`_file_lock`, which would open the file for writing.
    """
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
            msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:  # Windows says so; elsewhere a file system without locks
        return error.errno not in (errno.EACCES, errno.EDEADLK)
    return True


def _machine() -> str:
    """What a process number is one of: machine, start of its system, container."""
    parts = [platform.node()]
    with contextlib.suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip())
        parts.append(os.readlink("/proc/self/ns/pid"))
    return " ".join(parts)


def _is_left_over(marker: dict[str, Any]) -> bool:
    import psutil

    pid = marker.get("pid")
    return (
        marker.get("machine") == _machine() and isinstance(pid, int) and not psutil.pid_exists(pid)
    )


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # a process without a name for its user
        return "somebody"


def _json(path: str) -> dict[str, Any]:
    try:
        content = json.loads(read_own(path, _NOTE_LIMIT_BYTES))
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _said(note: dict[str, Any], key: str) -> str:
    text = "".join(filter(str.isprintable, str(note.get(key, "?"))))
    return text[:80]

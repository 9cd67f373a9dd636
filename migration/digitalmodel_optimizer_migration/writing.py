"""Writing a planned file so that at every moment it is either as it was or as it shall be."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from digitalmodel_optimizer_migration.data import FilePlan, RefusedError
from digitalmodel_optimizer_migration.splice import splice

BACKUP_SUFFIX = ".bak"


def why_not_writable(path: str) -> str:
    """Why a file must not be written, in words; empty if it may be."""
    try:
        state = os.lstat(path)
    except OSError as error:
        return f"it cannot be looked at: {error.strerror}"
    if stat.S_ISLNK(state.st_mode):
        return f"it is a symbolic link to {os.path.realpath(path)}; name that file itself"
    if not stat.S_ISREG(state.st_mode):
        return "it is no regular file"
    if state.st_nlink > 1:
        return f"it has {state.st_nlink} hard links, which writing would part; copy it first"
    if not state.st_mode & stat.S_IWUSR or not os.access(path, os.W_OK):
        return "it is read-only; make it writable first"
    if not os.access(os.path.dirname(os.path.abspath(path)), os.W_OK):
        return "its folder is read-only; make it writable first"
    return ""


def write_plan(plan: FilePlan, *, backup: bool = False) -> None:
    """Make the edits of ``plan``: temporary file in the same folder, mode kept, then replaced.

    :param backup: also keep the bytes as they were, as ``<name>.bak``; an existing one stays.
    :raises RefusedError: the file must not be written, or is no longer what was planned for.
    :raises OSError: the disk is full, the folder cannot be written; the file is as it was.
    """
    reason = why_not_writable(plan.path)
    if reason:
        raise RefusedError(reason)
    with open(plan.path, "rb") as stream:
        raw = stream.read()
        before = os.fstat(stream.fileno())
    if hashlib.sha256(raw).hexdigest() != plan.digest:
        raise RefusedError("it changed while it was looked at; run again")
    with _beside(plan.path, splice(raw, plan.edits)) as temporary:
        _keep_owner(temporary, before)
        shutil.copymode(plan.path, temporary)
        if backup:
            _back_up(plan.path, raw, before)
        after = os.lstat(plan.path)
        if (after.st_mtime_ns, after.st_size, after.st_ino) != (
            before.st_mtime_ns,
            before.st_size,
            before.st_ino,
        ):
            raise RefusedError("it changed while it was being written; run again")
        os.replace(temporary, plan.path)


@contextmanager
def _beside(path: str, content: bytes) -> Iterator[str]:
    """A file of another name in the folder of ``path``, on the disk; gone if it keeps that name."""
    folder, name = os.path.split(os.path.abspath(path))
    handle, temporary = tempfile.mkstemp(prefix=f".{name[:40]}.", suffix=".tmp", dir=folder)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        yield temporary
    finally:
        with suppress(FileNotFoundError):
            os.unlink(temporary)


def _keep_owner(path: str, before: os.stat_result) -> None:
    made = os.stat(path)  # a folder may give its own group to what is made in it
    if (made.st_uid, made.st_gid) == (before.st_uid, before.st_gid) or not hasattr(os, "chown"):
        return
    try:
        os.chown(path, before.st_uid, before.st_gid)
    except PermissionError:
        reason = "its owner and group could not be kept; run as somebody who may give them"
        raise RefusedError(reason) from None


def _back_up(path: str, raw: bytes, before: os.stat_result) -> None:
    target = path + BACKUP_SUFFIX
    number = 1
    while os.path.lexists(target):
        number += 1
        target = f"{path}{BACKUP_SUFFIX}{number}"
    with _beside(path, raw) as temporary:
        _keep_owner(temporary, before)
        shutil.copystat(path, temporary)
        os.replace(temporary, target)

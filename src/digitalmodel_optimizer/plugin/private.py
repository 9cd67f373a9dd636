"""Folders and files in a place where others may write: ours alone, or refused.

Whoever may write to the results folder can put anything under the names that we use: a link to a
folder of ours, a file that is theirs. So what stands there already is looked at before it is read,
written to or removed. Windows has neither these modes nor owners in numbers; what is left there is
that links are not followed.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
import stat
import sys

from digitalmodel_optimizer.plugin.atomic import NO_LINK
from digitalmodel_optimizer.plugin.errors import OutputError

_WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH
_ONLY_A_LOOK = os.O_RDONLY | NO_LINK | getattr(os, "O_NONBLOCK", 0)  # a pipe would have us wait


def make_private(folder: str) -> None:
    """Make ``folder``, for nobody but us, unless there is such a one already.

    :raises OutputError: something else stands there.
    :raises OSError: it cannot be made.
    """
    with contextlib.suppress(FileExistsError):
        os.mkdir(folder, 0o700)
    fault = why_not_private(folder)
    if fault is not None:
        raise OutputError(not_ours(folder, fault))


def not_ours(folder: str, fault: str) -> str:
    """The sentence for something else in the place of ``folder``."""
    return (
        f"{folder}, where unfinished outputs are kept, {fault}; if no such batch is running, "
        "remove it, or choose another results folder (file_management.output_directory)"
    )


def why_not_private(folder: str) -> str | None:
    """What speaks against ``folder`` being a folder that only we can write to, in words.

    :raises OSError: there is nothing.
    """
    status = os.lstat(folder)
    if not is_real_folder(folder):
        return "is a link or a file, not a folder"
    if sys.platform == "win32":
        return None
    if status.st_uid == os.geteuid() and not status.st_mode & _WRITABLE_BY_OTHERS:
        return None
    # Some file systems (mounted shares, Windows' drives under Linux) know no owners and modes, and
    # show what they were told to for everything: a folder that is new there looks the same.
    fresh = _status_of_new_folder(os.path.dirname(folder))
    if status.st_uid != fresh.st_uid:
        return "belongs to another user"
    if status.st_mode & ~fresh.st_mode & _WRITABLE_BY_OTHERS:
        return "can be written to by others"
    return None


def is_real_folder(folder: str) -> bool:
    """Whether ``folder`` is a folder itself, and no link to one."""
    return stat.S_ISDIR(os.lstat(folder).st_mode) and not _is_junction(folder)


def _is_junction(folder: str) -> bool:
    """Windows' other kind of link to a folder; folders that a cloud keeps are marked otherwise."""
    tag = getattr(os.lstat(folder), "st_reparse_tag", 0)
    return bool(tag) and tag == getattr(stat, "IO_REPARSE_TAG_MOUNT_POINT", 0)


def _status_of_new_folder(parent: str) -> os.stat_result:
    folder = os.path.join(parent, f".dmo-{secrets.token_hex(8)}")
    os.mkdir(folder, 0o700)
    try:
        return os.lstat(folder)
    finally:
        os.rmdir(folder)


def open_own(path: str, flags: int = _ONLY_A_LOOK) -> int:
    """A descriptor of the plain file ``path``, whose owner is that of its folder, and no link.

    :raises OSError: there is none, or something else.
    """
    descriptor = os.open(path, flags | NO_LINK, 0o600)
    try:
        status = os.fstat(descriptor)
        owner = os.lstat(os.path.dirname(path)).st_uid
        if not stat.S_ISREG(status.st_mode) or status.st_uid != owner or status.st_nlink != 1:
            raise PermissionError(errno.EPERM, "not a file of our own", path)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def read_own(path: str, limit_bytes: int) -> bytes:
    """What stands in the file, up to a limit; see :func:`open_own`."""
    with open(open_own(path), "rb") as stream:
        return stream.read(limit_bytes)


def remove_tree(folder: str) -> None:
    """Remove ``folder`` with what is in it; of links the links, and never what they point at."""
    with contextlib.suppress(OSError):
        if os.path.islink(folder) or not stat.S_ISDIR(os.lstat(folder).st_mode):
            os.unlink(folder)
        else:
            shutil.rmtree(folder, ignore_errors=True)  # it follows no link either

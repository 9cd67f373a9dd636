"""Every error and warning that this project raises by its own decision."""

from __future__ import annotations

import errno
from collections.abc import Sequence

# errno names no quota on Windows, and the codes of a full disk there are not all mapped to ENOSPC:
# ERROR_HANDLE_DISK_FULL and ERROR_DISK_FULL.
_NO_MORE_ROOM = {errno.ENOSPC, errno.EROFS, getattr(errno, "EDQUOT", errno.ENOSPC)}
_NO_MORE_ROOM_ON_WINDOWS = {39, 112}


def ends_batch(error: BaseException) -> bool:
    """Whether nothing more can be written: a full disk or quota, a read-only file system.

    Any other failed write (a name too long, a file open elsewhere) costs its own file only.
    """
    return isinstance(error, OSError) and (
        error.errno in _NO_MORE_ROOM or getattr(error, "winerror", None) in _NO_MORE_ROOM_ON_WINDOWS
    )


class OptimizerError(Exception):
    """Base of all errors; its text is written for the person who typed the command."""

    exit_status = 2


class SettingsError(OptimizerError):
    """Settings that cannot be used; lists every fault at once, before any file is opened."""

    def __init__(self, faults: Sequence[str], source: str | None = None) -> None:
        self.faults = tuple(faults)
        self.source = source
        where = f" in {source}" if source else ""
        count = len(self.faults)
        lines = [f"{count} setting{'s' if count != 1 else ''}{where} cannot be used:"]
        super().__init__("\n".join([*lines, *(f"  - {fault}" for fault in self.faults)]))

    def __reduce__(self) -> tuple[type[SettingsError], tuple[tuple[str, ...], str | None]]:
        return type(self), (self.faults, self.source)


class PluginError(OptimizerError):
    """A plugin breaks the contract: a misspelled hook, a wrong signature, a wrong return value."""


class OutputError(OptimizerError):
    """An output cannot be written (disk full, folder read-only); ends the batch, cleanly."""


class BatchStoppedError(OptimizerError):
    """What the whole batch needs cannot be had; what is finished is kept, and can be resumed."""


class VerificationError(OptimizerError):
    """Results are not those of the host's own loop; the batch ends, nothing of it is resumed."""


class FilesFailedError(OptimizerError):
    """Some files of a batch failed; everything that succeeded has been saved."""

    exit_status = 1


class OptimizerWarning(UserWarning):
    """Base of all warnings of this project."""

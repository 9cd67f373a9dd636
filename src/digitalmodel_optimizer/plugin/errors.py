"""Every error and warning that this project raises by its own decision."""

from __future__ import annotations

from collections.abc import Sequence


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


class WorkerLostError(OptimizerError):
    """A worker process ended without a result; raised by executors inside ``run_once``.

    ``timed_out`` tells a worker that was killed for its file's time limit from one that crashed.
    """

    def __init__(self, message: str, *, timed_out: bool = False) -> None:
        super().__init__(message)
        self.timed_out = timed_out


class FilesFailedError(OptimizerError):
    """Some files of a batch failed; everything that succeeded has been saved."""

    exit_status = 1


class OptimizerWarning(UserWarning):
    """Base of all warnings of this project."""

"""What is tried after a file has failed, and how a process ended, in words. Pure functions."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from digitalmodel_optimizer.plugin import ErrorKind, FileError, RetryAction

_SIGNALS = {
    "SIGABRT": "native code aborted",
    "SIGBUS": "a bad memory access in native code",
    "SIGFPE": "an arithmetic fault in native code",
    "SIGILL": "an illegal instruction in native code",
    "SIGKILL": "killed, perhaps by the system for want of memory",
    "SIGSEGV": "a bad memory access in native code",
    "SIGTERM": "asked to end",
}

# Windows status codes, as a process's exit code: ntstatus.h, and 0xE06D7363 for C++ exceptions.
_WINDOWS_STATUS = {
    0xC0000005: "a bad memory access in native code",
    0xC0000017: "no memory left",
    0xC000001D: "an illegal instruction in native code",
    0xC0000094: "an integer division by zero in native code",
    0xC00000FD: "a stack overflow in native code",
    0xC000012D: "no memory left (commitment limit)",
    0xC000013A: "ended by Ctrl-C or a closed console",
    0xC0000374: "a corrupted heap in native code",
    0xC0000409: "native code aborted",
    0xE06D7363: "a C++ exception that nobody caught",
}


def describe_exit(exit_code: int | None) -> str:
    """How a process ended, as the end of a sentence."""
    if exit_code is None:
        return "its exit status is unknown"
    status = exit_code & 0xFFFFFFFF
    if status in _WINDOWS_STATUS:
        return f"it ended with status 0x{status:08X}: {_WINDOWS_STATUS[status]}"
    if exit_code < 0:
        try:
            name = signal.Signals(-exit_code).name
        except ValueError:
            return f"it was ended by signal {-exit_code}"
        meaning = _SIGNALS.get(name)
        return f"it was ended by {name}" + (f": {meaning}" if meaning else "")
    return f"it ended with exit code {exit_code}"


def licence_delay_s(attempt: int, first_s: float, longest_s: float, total_s: float) -> float | None:
    """Seconds to wait after ``attempt`` was refused; None once ``total_s`` has been waited.

    The delays double from ``first_s`` up to ``longest_s``; what has been waited before follows
    from ``attempt`` alone.
    """
    waited_s = 0.0
    delay_s = first_s
    for _ in range(attempt - 1):
        waited_s += delay_s
        if waited_s >= total_s:
            return None
        delay_s = min(delay_s * 2, longest_s)
    return min(delay_s, total_s - waited_s)


@dataclass
class LicenceWait:
    """Whether the batch gets licences at all; one batch's.

    ``refused``: files by index that were refused since any file succeeded last.
    """

    refused: set[int] = field(default_factory=set)
    had_one: bool = False

    def begin(self) -> None:
        self.refused.clear()
        self.had_one = False

    def succeeded(self) -> None:
        self.refused.clear()
        self.had_one = True

    def advise(
        self, index: int, error: FileError, attempt: int, options: Mapping[str, Any]
    ) -> RetryAction:
        """Wait, longer each time.

        Where no file has had a licence for the whole wait, stop the batch; where only this one is
        refused, again and again, its model needs what the licence does not have.
        """
        others_had_one = index not in self.refused and attempt > 1
        self.refused.add(index)
        total_s = options["licence_wait_total_s"]
        longest_s = options["licence_wait_longest_s"]
        delay_s = licence_delay_s(attempt, options["licence_wait_first_s"], longest_s, total_s)
        if delay_s is None and others_had_one:
            delay_s = longest_s
        if delay_s is not None:
            reason = f"no licence is free; next try in {delay_s:g} s"
            return RetryAction("wait", delay_s, reason)
        if self.had_one and len(self.refused) == 1:
            return RetryAction("give_up", reason="others get a licence, this file does not")
        return RetryAction(
            "stop",
            reason=f"no file got an OrcaFlex licence within {total_s:g} s ({error.message}). "
            "Usual causes: the licence server cannot be reached, all seats are taken, or the "
            "command runs in a remote logon, which some licences refuse. The same command resumes "
            "where this run stopped",
        )


def advise_after_failure(error: FileError, attempt: int) -> RetryAction | None:
    """The plugin's answer to a failed file, licences aside; None leaves it to other plugins."""
    if error.kind in (ErrorKind.CRASHED, ErrorKind.MEMORY):
        said = "its worker was lost" if error.kind is ErrorKind.CRASHED else "it ran out of memory"
        if attempt == 1:
            return RetryAction("alone", reason=f"{said}; tried once more, alone")
        return RetryAction("give_up", reason=f"{said} again, when it ran alone")
    if error.kind is ErrorKind.CHANGED and attempt == 1:
        return RetryAction("retry", reason="it changed while it was read; read once more")
    if error.kind is ErrorKind.TIMEOUT:
        return RetryAction("give_up", reason="it exceeded the time limit per file")
    return None

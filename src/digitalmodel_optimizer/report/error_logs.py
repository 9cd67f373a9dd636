"""``<stem>_error.log`` in the results folder, never beside the .sim."""

from __future__ import annotations

import contextlib
import os
from dataclasses import replace

from digitalmodel_optimizer.plugin import BatchReport, ErrorKind, FileResult
from digitalmodel_optimizer.plugin.atomic import write_whole


def write_error_logs(report: BatchReport) -> BatchReport:
    """One log per failed file; a log of an earlier run goes when its file has succeeded.

    Files of one name in different folders share a log: it tells of all that have failed, and goes
    once all have succeeded. Returns the report, with a warning for each log that could not be
    written or removed: outputs are in place by now, and a log that is open elsewhere must not make
    a failed run of it.
    """
    by_stem: dict[str, list[FileResult]] = {}
    for result in report.results:
        by_stem.setdefault(os.path.normcase(result.file.stem), []).append(result)
    faults = []
    for results in by_stem.values():
        log = os.path.join(report.batch.results_folder, f"{results[0].file.stem}_error.log")
        try:
            _bring_up_to_date(log, results)
        except OSError as error:
            shown = os.path.basename(log).encode("utf-8", "backslashreplace").decode()
            faults.append(f"{shown} could not be updated: {error.strerror}")
    return replace(report, warnings=(*report.warnings, *faults)) if faults else report


def _bring_up_to_date(log: str, results: list[FileResult]) -> None:
    failed = [text for result in results if (text := _text(result)) is not None]
    if failed:
        content = "\n\n".join(failed).replace("\n", os.linesep)
        write_whole(log, content.encode("utf-8", "backslashreplace"))
    elif all(result.error is None for result in results):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(log)


def _text(result: FileResult) -> str | None:
    """What the log says of a file; None of one that has not failed, or has not been tried."""
    error = result.error
    if error is None or error.kind is ErrorKind.STOPPED:
        return None
    return (
        f"{result.file.path}\n{error.kind.value} (attempt {result.attempt}): {error.message}\n\n"
        f"{error.details}"
    )

"""``<stem>_error.log`` in the results folder, never beside the .sim."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from digitalmodel_optimizer.plugin import BatchReport, ErrorKind


def write_error_logs(report: BatchReport) -> BatchReport:
    """One log per failed file; a log of an earlier run goes when its file has succeeded.

    Returns the report, with a warning for each log that could not be written or removed: outputs
    are in place by now, and a log that is open elsewhere must not make a failed run of it.
    """
    folder = Path(report.batch.results_folder)
    faults = []
    for result in report.results:
        log = folder / f"{result.file.stem}_error.log"
        try:
            if result.error is None:
                log.unlink(missing_ok=True)
            elif result.error.kind is not ErrorKind.STOPPED:
                log.write_text(
                    f"{result.file.path}\n{result.error.kind.value} "
                    f"(attempt {result.attempt}): {result.error.message}\n\n"
                    f"{result.error.details}",
                    encoding="utf-8",
                    errors="backslashreplace",
                )
        except OSError as error:
            faults.append(f"{log.name} is not as it should be: {error.strerror}")
    return replace(report, warnings=(*report.warnings, *faults)) if faults else report

"""``<stem>_error.log`` in the results folder, never beside the .sim."""

from __future__ import annotations

from pathlib import Path

from digitalmodel_optimizer.contract import BatchReport, ErrorKind


def write_error_logs(report: BatchReport) -> None:
    """One log per failed file; a log of an earlier run goes when its file has succeeded."""
    folder = Path(report.batch.results_folder)
    for result in report.results:
        log = folder / f"{result.file.stem}_error.log"
        if result.error is None:
            log.unlink(missing_ok=True)
        elif result.error.kind is not ErrorKind.STOPPED:
            log.write_text(
                f"{result.file.path}\n{result.error.kind.value} "
                f"(attempt {result.attempt}): {result.error.message}\n\n{result.error.details}",
                encoding="utf-8",
            )

"""The report at the end of a batch (first form)."""

from __future__ import annotations

import sys

from digitalmodel_optimizer.contract import BatchReport


def print_report(report: BatchReport) -> None:
    print(
        f"{len(report.results)} files, {len(report.failed)} failed, {report.elapsed_s:.2f} s, "
        f"{report.backend}, {report.memory_peak_mb:.0f} MB",
        *report.decisions, *report.warnings, *(str(r.error) for r in report.failed),
        sep="\n  ", file=sys.stderr,
    )

"""The facts of a batch as plain data: what reports, history and alerts are made of.

The form is versioned (:data:`SCHEMA`) and described in docs/reference/report.md. Keys carry their
units; what a system does not tell is null.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from math import isfinite
from numbers import Real
from typing import Any

from digitalmodel_optimizer import __version__
from digitalmodel_optimizer.plugin import (
    BYTES_PER_MB,
    Assignment,
    BatchReport,
    ErrorKind,
    FileResult,
    Settings,
)
from digitalmodel_optimizer.plugin.timing import ALL_STAGES
from digitalmodel_optimizer.report.bottleneck import bottleneck_of

SCHEMA = "digitalmodel-optimizer-report/1"
STAGES = ALL_STAGES


def group_as_dict(item: Assignment) -> dict[str, Any]:
    """A group and what was allocated to it, as reports and plans have it."""
    return {
        "label": item.group.label,
        "files": len(item.group.files),
        "size_mb": item.group.size_mb,
        "workers": item.allocation.workers,
        "native_threads": item.allocation.native_threads,
        "reason": item.allocation.reason,
        "memory_factor": item.allocation.memory_factor,
        "memory_budget_mb": item.allocation.memory_budget_mb,
    }


def report_as_dict(report: BatchReport, settings: Settings | None = None) -> dict[str, Any]:
    """``report`` as plain data for JSON.

    :param settings: of the run, for the name of the user's file.
    """
    done = [result for result in report.results if result.error is None]
    failed = [item for item in report.failed if not _stopped(item)]
    size_mb = sum(result.file.size_mb for result in done)
    seconds = report.elapsed_s
    assignments = report.schedule.assignments if report.schedule else ()
    bottleneck = bottleneck_of(report)
    return {
        "schema": SCHEMA,
        "version": __version__,
        "batch": report.batch.identifier,
        "source": os.path.abspath(settings.source) if settings and settings.source else None,
        "began_s": report.began_s,
        "machine": asdict(report.machine) if report.machine else None,
        "results_folder": report.batch.results_folder,
        "interrupted": report.interrupted,
        "files": len(report.results),
        "files_done": len(done),
        "files_reused": report.batch.files_reused,
        "files_read": _files_read(report),
        "read_because": dict(report.reasons),
        "files_left": sum(_stopped(item) for item in report.failed),
        "size_done_mb": size_mb,
        "elapsed_s": seconds,
        "command_s": report.command_s,
        "files_per_s": len(done) / seconds if seconds else 0.0,
        "mb_per_s": size_mb / seconds if seconds else 0.0,
        "backend": report.backend,
        "workers": report.schedule.workers if report.schedule else 1,
        "memory_peak_mb": report.memory_peak_mb,
        "groups": [group_as_dict(item) for item in assignments],
        "decisions": list(report.decisions),
        **verdicts_as_dict(report),
        "warnings": [*report.warnings, *_unusable_notes(report.results)],
        "notes": _summed_notes(report.results),
        "failed": [_failure(item) for item in failed],
        "partial_tables": list(report.partial_tables),
        "licence_wait_s": report.licence_wait_s,
        "bottleneck": {"kind": bottleneck.kind, "sentence": bottleneck.sentence},
        "earlier": None,
        "run": None,
        "records": _records(report),
        "samples": [asdict(sample) for sample in report.samples],
    }


def verdicts_as_dict(report: BatchReport) -> dict[str, Any]:
    """What plugins have to say of the batch."""
    return {
        "remarks": [{"plugin": name, "text": text} for name, text in report.remarks],
        "refused": list(report.refused),
    }


def _records(report: BatchReport) -> list[dict[str, Any]]:
    """A row for each file, in the host's order."""
    return [record_of(result, report) for result in report.results]


def record_of(result: FileResult, report: BatchReport) -> dict[str, Any]:
    """What is known of one file: seconds by stage, memory, worker, attempts, messages."""
    timings = result.timings
    began_s = timings.began_s - report.began_s if timings.began_s else None
    return {
        "file": result.file.path,
        "size_mb": result.file.size_mb,
        "outcome": _outcome(result),
        "attempts": result.attempt,
        "worker": result.worker or None,
        "began_s": began_s,
        **{f"{stage}_s": getattr(timings, f"{stage}_s") for stage in STAGES},
        **{f"{stage}_cpu_s": getattr(timings, f"{stage}_cpu_s") for stage in STAGES[1:-1]},
        "total_s": timings.total_s,
        "cpu_s": timings.cpu_s,
        "memory_mb": result.memory_mb,
        "memory_growth_mb": result.memory_growth_mb,
        "written_mb": sum(max(0, item.size_bytes) for item in result.outputs) / BYTES_PER_MB,
        "messages": [*([result.error.message] if result.error else []), *result.warnings],
    }


def _outcome(result: FileResult) -> str:
    """``done``, ``earlier`` (taken over from an earlier run), ``left``, or the kind of error."""
    if result.error is None:
        return "done" if result.timings.total_s else "earlier"
    return "left" if _stopped(result) else result.error.kind.value


def _files_read(report: BatchReport) -> int:
    """Files that were processed in this run, those that failed too."""
    earlier = report.batch.files_reused + report.batch.files_resumed
    return sum(not _stopped(result) for result in report.results) - earlier


def _stopped(result: FileResult) -> bool:
    return result.error is not None and result.error.kind is ErrorKind.STOPPED


def _failure(result: FileResult) -> dict[str, Any]:
    assert result.error is not None
    return {
        "file": result.file.path,
        "kind": result.error.kind.value,
        "message": result.error.message,
        "attempt": result.attempt,
    }


def _notes(results: tuple[FileResult, ...]) -> Iterator[tuple[str, str, Any]]:
    """Plugin, quantity, value: what plugins noted of the files, one after the other."""
    for result in results:
        for plugin, quantities in result.notes.items():
            if isinstance(quantities, Mapping):
                for name, value in quantities.items():
                    yield str(plugin), str(name), value
            else:
                yield str(plugin), "", quantities


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and isfinite(value)


def _summed_notes(results: tuple[FileResult, ...]) -> dict[str, dict[str, float]]:
    """What plugins noted, added up by plugin and quantity; largest for peaks."""
    sums: dict[str, dict[str, float]] = defaultdict(dict)
    for plugin, name, value in _notes(results):
        if name and _is_number(value):
            known, more = sums[plugin].get(name, 0.0), float(value)  # numpy's are no JSON
            sums[plugin][name] = max(known, more) if "peak" in name else known + more
    return {plugin: dict(quantities) for plugin, quantities in sums.items()}


def _unusable_notes(results: tuple[FileResult, ...]) -> list[str]:
    """A sentence for each plugin that noted anything but numbers."""
    first = {
        plugin: f"plugin {plugin} notes {name or 'something'} as {value!r}, which is no number; "
        "left out"
        for plugin, name, value in reversed([*_notes(results)])
        if not (name and _is_number(value))
    }
    return list(first.values())

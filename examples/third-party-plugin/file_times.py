"""file-times: a table with the seconds that each file of a batch took, and in which process."""

from __future__ import annotations

import csv
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from time import perf_counter

from digitalmodel_optimizer.plugin import (
    BatchReport,
    FileResult,
    Option,
    PluginOptions,
    Settings,
    SettingsError,
    hookimpl,
)

NAME = "file-times"


@hookimpl
def optimizer_options() -> PluginOptions:
    return PluginOptions(
        "Writes what each file took to file_times.csv.",
        (
            Option("folder", str, None, "Where the table goes; empty for none.", optional=True),
            Option("slow_s", float, 60.0, "Longer is slow.", unit="seconds", minimum=0),
        ),
    )


@hookimpl
def optimizer_configure(settings: Settings) -> None:
    """In the parent, before any file is opened: the one place to refuse a setting."""
    folder = settings.plugin(NAME)["folder"]
    if folder and Path(folder).is_file():
        fault = f"orcaflex.parallel.plugins.{NAME}.folder: {folder} is a file, not a folder"
        raise SettingsError([fault], settings.source)


@hookimpl(wrapper=True)
def optimizer_process_file() -> Generator[None, FileResult, FileResult]:
    """In the worker, wraps the host's loop for one file."""
    start = perf_counter()
    result = yield
    return replace(result, notes={**result.notes, NAME: {"total_s": perf_counter() - start}})


@hookimpl
def optimizer_batch_finished(report: BatchReport, settings: Settings) -> None:
    """In the parent again: what the workers noted has come back with the results."""
    options = settings.plugin(NAME)
    if not options["folder"]:
        return
    path = Path(options["folder"], "file_times.csv")
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as stream:
        table = csv.writer(stream)
        table.writerow(["file", "size_mb", "total_s", "slow", "worker", "error"])
        for result in report.results:
            total_s = result.notes.get(NAME, {}).get("total_s", 0.0)
            slow = total_s > options["slow_s"]
            error = result.error.message if result.error else ""
            row = [result.file.stem, result.file.size_mb, f"{total_s:.3f}", slow]
            table.writerow([*row, result.worker, error])

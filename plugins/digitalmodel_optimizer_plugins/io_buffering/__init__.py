"""io-buffering: tables are written behind the computing, the next .sim files are read ahead of it.

A table that the engine has ready is rendered in memory, to exactly the bytes that pandas would
write, and handed to a writer thread; the file ends when its tables are on disk. What pandas alone
can do (compression, appending, other encodings) is left to pandas.
"""

from __future__ import annotations

import atexit
import threading
from collections.abc import Generator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from digitalmodel_optimizer.plugin import (
    Batch,
    BatchReport,
    FileResult,
    FileTask,
    Option,
    OutputFile,
    PluginOptions,
    Progress,
    Settings,
    Stage,
    hookimpl,
    performance_timer,
)
from digitalmodel_optimizer_plugins.io_buffering.csv_writer import exact_csv
from digitalmodel_optimizer_plugins.io_buffering.read_ahead import ReadAhead
from digitalmodel_optimizer_plugins.io_buffering.write_behind import BYTES_PER_MB, Ledger, Writer

NAME = "io-buffering"
BYTES_PER_KB = 1_000

OPTIONS = PluginOptions(
    "Writes tables in large pieces behind the computing, and reads the next files ahead of it.",
    (
        Option(
            "write_buffer_kb",
            int,
            1000,
            "The size of a single write.",
            unit="kB",
            minimum=4,
            maximum=1_000_000,
        ),
        Option(
            "write_queue_mb",
            float,
            64.0,
            "Rendered tables that may wait to be written, in each process.",
            unit="MB",
            minimum=0,
        ),
        Option("fsync", bool, False, "Wait until the disk itself has each table."),
        Option(
            "read_ahead_files",
            int,
            4,
            "The most files to read ahead, and never more than are running; 0 reads none.",
            unit="files",
            minimum=0,
        ),
        Option(
            "read_ahead_mb",
            float,
            "auto",
            "The most to have read ahead; auto is a quarter of the available memory.",
            unit="MB",
            minimum=0,
            auto=True,
        ),
        Option(
            "read_ahead_reserve_mb",
            float,
            1000.0,
            "Available memory below which nothing is read ahead.",
            unit="MB",
            minimum=0,
        ),
        Option(
            "read_ahead_chunk_kb",
            int,
            1000,
            "The size of a single read, or of a request to the system.",
            unit="kB",
            minimum=64,
            maximum=1_000_000,
        ),
    ),
)

# Arguments of to_csv that shape the text; any other decides where or how it is stored.
_TEXT_ARGUMENTS = frozenset(
    {
        "sep",
        "na_rep",
        "float_format",
        "columns",
        "header",
        "index",
        "index_label",
        "quoting",
        "quotechar",
        "lineterminator",
        "chunksize",
        "date_format",
        "doublequote",
        "escapechar",
        "decimal",
    }
)
# pandas compresses by the file's ending, so only endings that it takes for plain text are ours.
_PLAIN_SUFFIXES = frozenset({"", ".csv", ".txt", ".tsv", ".dat"})

_writer = Writer()
_this_thread = threading.local()
_read_ahead: ReadAhead | None = None
atexit.register(_writer.close)


@hookimpl
def optimizer_options() -> PluginOptions:
    return OPTIONS


@hookimpl
def optimizer_batch_started(batch: Batch, settings: Settings) -> None:
    global _read_ahead
    _end_read_ahead()
    options = settings.plugin(NAME)
    if options["read_ahead_files"]:
        budget_mb = options["read_ahead_mb"]
        _read_ahead = ReadAhead(
            most_files=options["read_ahead_files"],
            budget_mb=None if budget_mb == "auto" else budget_mb,
            reserve_mb=options["read_ahead_reserve_mb"],
            chunk_bytes=options["read_ahead_chunk_kb"] * BYTES_PER_KB,
        )


@hookimpl
def optimizer_progress(progress: Progress, settings: Settings) -> None:
    if _read_ahead is not None:
        _read_ahead.consider(progress)


@hookimpl(wrapper=True)
def optimizer_process_file(
    task: FileTask, settings: Settings
) -> Generator[None, FileResult, FileResult]:
    """End a file only when its tables are on disk, and say so if they could not be written."""
    ledger = _this_thread.ledger = Ledger()
    try:
        result = yield
    finally:
        _this_thread.ledger = None
        with performance_timer(NAME, "last_wait", Stage.WRITE):
            _writer.wait(ledger)
    return _with_ledger(result, ledger)


@hookimpl
def optimizer_write_table(
    table: Any, path: Path, options: Mapping[str, Any], settings: Settings
) -> bool | None:
    ledger: Ledger | None = getattr(_this_thread, "ledger", None)
    if ledger is None:  # nobody would wait for the table
        return None
    content = _rendered(table, path, options)
    if content is None:
        # pandas may append to, or replace, a table of this file that is still queued.
        _writer.wait(ledger)
        return None
    own = settings.plugin(NAME)
    _writer.put(
        ledger,
        path,
        content,
        chunk_bytes=own["write_buffer_kb"] * BYTES_PER_KB,
        queue_bytes=int(own["write_queue_mb"] * BYTES_PER_MB),
        fsync=own["fsync"],
    )
    return True


@hookimpl
def optimizer_batch_finished(batch: Batch, report: BatchReport, settings: Settings) -> None:
    _end_read_ahead()
    _writer.close()


def _end_read_ahead() -> None:
    global _read_ahead
    if _read_ahead is not None:
        _read_ahead.stop()
        _read_ahead = None


def _rendered(table: Any, path: Path, options: Mapping[str, Any]) -> bytes | None:
    """The bytes of ``table.to_csv(path, **options)``; None where that call must be made itself.

    An error of pandas is left to pandas too, so that the engine meets it where it always did.
    """
    if not _TEXT_ARGUMENTS.issuperset(options) or path.suffix.lower() not in _PLAIN_SUFFIXES:
        return None
    if not path.parent.is_dir():
        return None
    try:
        content = exact_csv(table, options)
        return str(table.to_csv(None, **options)).encode("utf-8") if content is None else content
    except Exception:
        return None


def _with_ledger(result: FileResult, ledger: Ledger) -> FileResult:
    if ledger.fault is not None and result.error is None:
        return replace(result, error=ledger.fault, payload=None, outputs=())
    if not ledger.written_bytes:
        return result
    numbers = {
        "written_mb": sum(ledger.written_bytes.values()) / BYTES_PER_MB,
        "write_s": ledger.write_s,
        "wait_s": ledger.wait_s,
    }
    return replace(
        result,
        outputs=tuple(_with_size(output, ledger) for output in result.outputs),
        notes={**result.notes, NAME: numbers},
    )


def _with_size(output: OutputFile, ledger: Ledger) -> OutputFile:
    """The output was measured before the writer was done with it, perhaps."""
    size = ledger.written_bytes.get(output.staged)
    return output if size is None else replace(output, size_bytes=size)

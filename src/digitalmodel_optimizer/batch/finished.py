"""A finished file's result as a record, and back: what journals and plugins keep of it.

A record is plain data, and it is looked at when it is read: what does not fit, because a plugin
gave something else or an older version wrote it, is no result, and its file is processed again.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from digitalmodel_optimizer.host.state import Change, EngineState
from digitalmodel_optimizer.plugin import FileResult, OutputFile, SimulationFile, Timings
from digitalmodel_optimizer.tables.codec import NotPlainError, decode, encode
from digitalmodel_optimizer.tables.payload import EngineOutput

Stamp = tuple[int, int, int]


@dataclass(frozen=True)
class Finished:
    """A result with the stamps of its outputs: how they were when they were moved into place."""

    result: FileResult
    outputs: tuple[Stamp | None, ...]

    def input_holds(self) -> bool:
        """Whether the file is as it was read."""
        return stamp(self.result.file.path) == self.result.input_stamp

    def outputs_hold(self) -> bool:
        """Whether every output is as it was written."""
        return self.outputs == tuple(stamp(output.final) for output in self.result.outputs)


def stamp(path: str) -> Stamp | None:
    """What tells whether a file has been written to since; None where there is none."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return (status.st_size, status.st_mtime_ns, status.st_ino)


def record_of(finished: Finished) -> bytes | None:
    """The record; None where the result has no exact plain form, or lacks what makes it one."""
    result, output = finished.result, finished.result.payload
    if result.error is not None or result.input_stamp is None:
        return None
    if type(output) is not EngineOutput or not output.plain:
        return None
    try:
        notes = {name: dict(numbers) for name, numbers in result.notes.items()}
        return encode(
            [
                result.file,
                result.outputs,
                result.timings,
                [result.attempt, result.worker, result.memory_mb, result.memory_growth_mb],
                result.input_stamp,
                result.warnings,
                notes,
                [
                    output.packed,
                    output.begun,
                    output.left,
                    output.started_from,
                    output.stop_time_s,
                ],
                finished.outputs,
            ]
        )
    except (NotPlainError, AttributeError, TypeError, ValueError):  # notes of a plugin, perhaps
        return None


def finished_of(record: bytes) -> Finished | None:
    """What the record says; None if it is not one of a file that has finished."""
    try:
        return _finished(decode(record))
    except Exception:  # whatever it is: its file is processed again
        return None


def _finished(parts: Any) -> Finished | None:
    file, outputs, timings, numbers, input_stamp, warnings, notes, payload, stamps = parts
    packed, begun, left, started_from, stop_time_s = payload
    attempt, worker, memory_mb, growth_mb = numbers
    fits = (
        type(file) is SimulationFile
        and type(file.path) is str
        and _all(outputs, OutputFile)
        and all(type(path) is str for item in outputs for path in (item.staged, item.final))
        and type(timings) is Timings
        and _all_numbers(vars(timings).values())
        and _is_stamp(input_stamp)
        and type(stamps) is tuple
        and len(stamps) == len(outputs)
        and all(map(_is_stamp, stamps))
        and type(attempt) is int
        and type(worker) is int
        and _all_numbers((memory_mb, growth_mb))
        and _all(warnings, str)
        and all(type(numbers) is dict for numbers in notes.values())
        and _holds_tables(packed)
        and _all(begun, str)
        and _all(left, Change)
        and type(started_from) is EngineState
        and _all(started_from.changes, Change)
        and _all(started_from.records, str)
        and isinstance(stop_time_s, float | int | None)
    )
    if not fits:
        return None
    result = FileResult(
        file=file,
        payload=EngineOutput(
            packed=packed,
            begun=begun,
            left=left,
            started_from=started_from,
            stop_time_s=stop_time_s,
        ),
        outputs=outputs,
        timings=timings,
        attempt=attempt,
        worker=worker,
        memory_mb=memory_mb,
        memory_growth_mb=growth_mb,
        input_stamp=input_stamp,
        warnings=warnings,
        notes=notes,
    )
    return Finished(result, stamps)


def _all(items: Any, kind: type) -> bool:
    return type(items) is tuple and all(type(item) is kind for item in items)


def _all_numbers(values: Iterable[Any]) -> bool:
    return all(isinstance(value, float | int) for value in values)


def _is_stamp(value: Any) -> bool:
    return _all(value, int) and len(value) == 3


def _holds_tables(packed: Any) -> bool:
    summary, linked, records, attributes = decode(packed)
    return (
        all(isinstance(tables, dict | None) for tables in (summary, linked))
        and type(records) is dict
        and type(attributes) is dict
        and all(type(values) is list for values in attributes.values())
    )

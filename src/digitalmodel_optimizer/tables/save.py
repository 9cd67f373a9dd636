"""The engine's outputs at the end of a batch: having them written."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from digitalmodel_optimizer.host.config import HostConfig
from digitalmodel_optimizer.host.modules import Host
from digitalmodel_optimizer.host.state import apply
from digitalmodel_optimizer.plugin import FileResult, OutputError
from digitalmodel_optimizer.plugin.atomic import publish
from digitalmodel_optimizer.plugin.errors import ends_batch
from digitalmodel_optimizer.tables.merge import (
    add_records,
    merged_attributes,
    merged_linked,
    merged_summary,
)
from digitalmodel_optimizer.tables.payload import FileTables, unpacked
from digitalmodel_optimizer.tables.publish import leaves, not_replaced
from digitalmodel_optimizer.tables.staged import StagedTables


def save_merged(
    host: Host,
    engine: Any,
    cfg: Any,
    results: Sequence[FileResult],
    staging: str,
    *,
    apart: bool = False,
) -> None:
    """Leave ``cfg`` and ``engine`` as the engine's loop would, and have its tables saved.

    ``apart``: the engine would have worked on the files in processes of their own, from which
    nothing comes back into ``cfg``. The tables are written to ``staging`` and renamed into
    place when all of them are whole.

    :raises OutputError: a table could not be saved; it is named, and all others are in place.
    """
    config = HostConfig(cfg)
    outputs = [result.payload for result in results if result.error is None]
    files = list(unpacked(outputs))
    if not apart:
        records = config.records
        for output, file in zip(outputs, files, strict=True):
            apply(cfg, output.left)
            add_records(records, file)
    for name, values in merged_attributes(files).items():
        setattr(engine, name, values)
    folder = config.result_folder
    os.makedirs(staging, exist_ok=True)
    config.result_folder = staging
    tables = StagedTables(staging, os.fspath(folder))
    try:
        with tables:
            faults = _save(host, config, files, tables)
    finally:
        config.result_folder = folder
    _relocate(cfg, staging, folder)
    faults += _publish(tables)
    if faults:
        raise OutputError("\n".join(faults))


def _save(
    host: Host, config: HostConfig, files: Sequence[FileTables], tables: StagedTables
) -> list[str]:
    """Have the host save its summaries, then its linked statistics; what could not be, in words.

    All at once, as the host does it. Only where that fails, or would write somewhere else, each
    table by itself, so that it costs itself and no other.
    """
    faults = []
    for kind, merged, save in (
        ("summary", merged_summary, host.summary.save_summary),
        ("linked", merged_linked, host.linked.save_linked_statistics),
    ):
        labels = dict.fromkeys(label for file in files for label in getattr(file, kind) or ())
        stem = config.summary_stem if kind == "summary" else config.linked_stem
        names = {label: os.path.join(tables.folder, f"{stem}_{label}.csv") for label in labels}
        outside = {label for label in labels if leaves(tables.folder, names[label])}
        before = set(_files_below(tables.folder))
        if not outside:
            try:
                save(merged(host, files), config.cfg)
                continue
            except Exception as error:
                _raise_if_full(error)
                _unlink(set(_files_below(tables.folder)) - before)
        for label, name in names.items():
            before = set(_files_below(tables.folder))
            try:
                if label in outside:
                    raise OutputError("it would not be in the results folder; rename the group")
                save(merged(host, [_only(file, kind, label) for file in files]), config.cfg)
            except Exception as error:
                _raise_if_full(error)
                _unlink(set(_files_below(tables.folder)) - before)  # half a table, perhaps
                reason = tables.in_users_terms(f"{type(error).__name__}: {error}")
                faults.append(f"{tables.final(name)} cannot be written ({reason})")
    return faults


def _only(file: FileTables, kind: str, label: Any) -> FileTables:
    tables = getattr(file, kind) or {}
    changes: Any = {kind: {label: tables[label]} if label in tables else None}
    return FileTables(**changes)


def _raise_if_full(error: Exception) -> None:
    if ends_batch(error):
        raise OutputError(f"the summary tables cannot be written: {error}") from error


def _files_below(folder: str) -> Iterator[str]:
    for root, _, names in os.walk(folder):
        yield from (os.path.join(root, name) for name in names)


def _unlink(paths: Iterable[str]) -> None:
    for path in paths:
        os.unlink(path)


def _publish(tables: StagedTables) -> list[str]:
    """Move all tables that can be moved; the others in words."""
    faults = []
    for staged, final in tables.outputs():
        if not os.path.exists(staged):  # it could not be written
            continue
        try:
            publish(staged, final)
        except OSError as error:
            _raise_if_full(error)
            faults.append(not_replaced(final, error))
    return faults


def _relocate(value: Any, staging: str, folder: str) -> None:
    """Turn paths into the staging folder, wherever they stand in ``cfg``, into final ones."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in list(items):
        if isinstance(item, str) and item.startswith(staging):
            value[key] = folder + item[len(staging) :]
        elif isinstance(item, (dict, list)):
            _relocate(item, staging, folder)

"""Putting the one-file results together again, in engine order, as the engine's loop would have.

The engine folds one file after the other into growing tables, which costs the square of the number
of files. Neighbours whose columns have the same types and the same gaps may be joined beforehand
without a difference; only between such runs does the engine's own function fold.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from digitalmodel_optimizer.host.modules import Host
from digitalmodel_optimizer.tables.payload import FileTables
from digitalmodel_optimizer.tables.row_tables import OneRow, table_of

Tables = dict[Any, Any]


def merged_summary(host: Host, files: Sequence[FileTables]) -> Any:
    """All summaries, as ``save_summary`` wants them; None if no file has one."""
    return _fold(host.summary, [file.summary for file in files])


def merged_linked(host: Host, files: Sequence[FileTables]) -> Any:
    """All linked statistics, as ``save_linked_statistics`` wants them."""
    return _fold(host.linked, [file.linked for file in files])


def _fold(owner: Any, tables: Iterable[Tables | None]) -> Any:
    result = None
    for run in _runs([item for item in tables if item]):
        result = owner.add_file_result_to_all_results(result, _joined(run))
    return result


def _runs(tables: Sequence[Tables]) -> Iterable[list[Tables]]:
    """Neighbours with equal signatures, together."""
    run: list[Tables] = []
    last = None
    for item in tables:
        signature = {label: _signature(table) for label, table in item.items()}
        if run and (signature != last or None in signature.values()):
            yield run
            run = []
        run.append(item)
        last = signature
    if run:
        yield run


def _signature(table: Any) -> tuple[Any, ...] | None:
    """Names, types and gaps of a table's columns, on which pandas' concat decides.

    None where it decides on more: below a column that is all empty, pandas 2 makes the booleans
    of the next table numbers, and leaves those of the table after it.
    """
    if isinstance(table, OneRow):
        return table.signature()
    if not all(kind in ("float64", "int64", "object", "str") for kind in table.dtypes):
        return None
    return (
        tuple(table.columns),
        tuple(table.dtypes),
        tuple(table.isna().to_numpy().ravel()),
        len(table),
    )


def _joined(run: list[Tables]) -> Tables:
    return {label: _one_below_the_other([item[label] for item in run]) for label in run[0]}


def _one_below_the_other(tables: Sequence[Any]) -> Any:
    if isinstance(tables[0], OneRow):
        return table_of(tables)
    if len(tables) == 1:
        return tables[0]
    import pandas

    return pandas.concat(tables, ignore_index=True)


def add_records(records: dict[str, Any], file: FileTables) -> None:
    """Write what a file left in ``cfg[<basename>]`` into the batch's ``records``.

    A list that is there already is added to; anything else is as the later file has it.
    """
    for key, value in file.records.items():
        present = records.get(key)
        if isinstance(present, list) and isinstance(value, list):
            present.extend(value)
        else:
            records[key] = value


def merged_attributes(files: Sequence[FileTables]) -> dict[str, list[Any]]:
    """The lists that the engine's loop would have gathered on its post-process object."""
    merged: dict[str, list[Any]] = {}
    for file in files:
        for name, values in file.attributes.items():
            merged.setdefault(name, []).extend(values)
    return merged

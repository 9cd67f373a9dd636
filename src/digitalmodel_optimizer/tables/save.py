"""The engine's outputs at the end of a batch: what they are called, and having them written."""

from __future__ import annotations

import os
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from digitalmodel_optimizer.host.modules import Host
from digitalmodel_optimizer.host.state import apply
from digitalmodel_optimizer.plugin import FileResult, OutputError
from digitalmodel_optimizer.tables.merge import (
    add_records,
    merged_attributes,
    merged_linked,
    merged_summary,
)
from digitalmodel_optimizer.tables.payload import unpacked


def expected_outputs(cfg: Any, folder: str, stems: Sequence[str]) -> Iterator[str]:
    """Every name that the engine may write to, as far as the configuration tells."""
    for label in _labels(cfg, "time_series_settings"):
        for stem in stems:
            yield os.path.join(folder, f"{stem}_{label}.csv")
    for section in ("summary_settings", "linked_statistics_settings"):
        for label in _labels(cfg, section):
            yield os.path.join(folder, f"{cfg['Analysis'].get('file_name')}_{label}.csv")


def _labels(cfg: Any, section: str) -> list[Any]:
    groups = (cfg.get(section) or {}).get("groups") or ()
    return [group.get("Label") for group in groups]


def save_merged(
    host: Host,
    engine: Any,
    cfg: Any,
    results: Sequence[FileResult],
    staging: str,
    *,
    apart: bool = False,
) -> None:
    """Leave ``cfg`` and ``engine`` as the engine's loop would, and call its save functions once.

    ``apart``: the engine would have worked on the files in processes of their own, from which
    nothing comes back into ``cfg``. The tables are written to ``staging`` and renamed into
    place when all of them are whole.
    """
    outputs = [result.payload for result in results if result.error is None]
    files = list(unpacked(outputs))
    if not apart:
        records = cfg[cfg["meta"]["basename"]]
        for output, file in zip(outputs, files, strict=True):
            apply(cfg, output.left)
            add_records(records, file)
    for name, values in merged_attributes(files).items():
        setattr(engine, name, values)
    folder = cfg["Analysis"]["result_folder"]
    os.makedirs(staging, exist_ok=True)
    cfg["Analysis"]["result_folder"] = staging
    try:
        host.summary.save_summary(merged_summary(host, files), cfg)
        host.linked.save_linked_statistics(merged_linked(host, files), cfg)
    except OSError as error:
        raise OutputError(f"the summary tables cannot be written: {error}") from error
    except Exception as error:  # of a later table: the engine leaves those before it
        if _was_writing(error):
            _newest(staging).unlink()
        _publish(staging, folder)
        raise
    finally:
        cfg["Analysis"]["result_folder"] = folder
    _relocate(cfg, staging, folder)
    _publish(staging, folder)


def _was_writing(error: Exception) -> bool:
    """Whether pandas was writing a table, which therefore is not whole."""
    frames = traceback.walk_tb(error.__traceback__)
    return any(frame.f_code.co_name == "to_csv" for frame, _ in frames)


def _newest(folder: str) -> Path:
    return max(Path(folder).iterdir(), key=lambda path: path.stat().st_mtime_ns)


def _publish(staging: str, folder: str) -> None:
    """Move all tables that can be moved; of the others each is named."""
    faults = []
    for name in sorted(os.listdir(staging)):
        final = os.path.join(folder, name)
        try:
            os.replace(os.path.join(staging, name), final)
        except OSError as error:
            faults.append(f"{final} cannot be replaced ({error.strerror}); is it open elsewhere?")
    if faults:
        raise OutputError("\n".join(faults))


def _relocate(value: Any, staging: str, folder: str) -> None:
    """Turn paths into the staging folder, wherever they stand in ``cfg``, into final ones."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in list(items):
        if isinstance(item, str) and item.startswith(staging):
            value[key] = folder + item[len(staging) :]
        elif isinstance(item, (dict, list)):
            _relocate(item, staging, folder)

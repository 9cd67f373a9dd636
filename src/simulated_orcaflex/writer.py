"""Writing a simulation file from its description, in bounded memory."""

from __future__ import annotations

import contextlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from .catalogue import BY_NAME
from .container import Layout, encode_header, layout_for, write_head
from .describe import (
    ObjectDescription,
    SimulationDescription,
    VariableDescription,
)
from .header import environment_object, general_object
from .signals import ColumnPart, background_weights, column_weights, component_values

_CHUNK_BYTES = 32 * 1024 * 1024


@dataclass(frozen=True)
class _Plan:
    header: dict[str, Any]
    parts: list[ColumnPart]
    columns: int


def write_simulation(path: str | os.PathLike[str], description: SimulationDescription) -> None:
    """Write the file that `description` describes, replacing one that exists.

    Memory stays bounded however large the file is. On failure nothing of it is left, and an older
    file of that name stays as it was.

    Raises ValueError if `size_mb` is less than the described results need.
    """
    target = Path(path)
    plan = _plan(description)
    rows = description.sample_count() + 1
    header = encode_header(plan.header)
    columns, padding = _fill_to_size(description, layout_for(header, rows, plan.columns, 0))
    layout = layout_for(header, rows, columns, padding)
    handle, temporary = tempfile.mkstemp(
        prefix=f".{target.name}.", suffix=".part", dir=target.parent
    )
    try:
        with os.fdopen(handle, "wb", buffering=0) as stream:
            write_head(stream, header, layout)
            _write_log(stream, description, plan, layout)
            _write_padding(stream, layout)
        os.chmod(temporary, 0o644)
        os.replace(temporary, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def _plan(description: SimulationDescription) -> _Plan:
    """Give every logged result its columns, and describe all objects for the header."""
    objects: list[dict[str, Any]] = []
    parts: list[ColumnPart] = []
    column = 0
    environment = environment_object(description.environment)
    for item in (general_object(description), environment, *description.objects):
        entry = _object_entry(item)
        variables = []
        count = item.nodes if item.type_name == "Line" else 1
        for variable in item.logged_variables():
            variables.append([variable.name, variable.units, column])
            parts.append(_part(variable, count))
            column += count
        entry["variables"] = variables
        objects.append(entry)
    objects[1]["currents"] = [
        [current.name, current.speed_m_s, current.direction_deg]
        for current in description.environment.currents
    ]
    header = {
        "objects": objects,
        "state": description.model_state(),
        "start_time_s": description.start_time_s,
        "stop_time_s": description.stop_time_s,
        "current_time_s": description.reached_time_s(),
        "sample_interval_s": description.sample_interval_s,
        "wave_period_s": description.environment.wave_tp_s,
        "faults": description.faults.as_mapping() if description.faults else None,
    }
    if description.creator_version is not None:
        header["creator_version"] = description.creator_version
    return _Plan(header, parts, column)


def _object_entry(item: ObjectDescription) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "name": item.name,
        "type": BY_NAME[item.type_name].number,
        "data": dict(item.data),
    }
    if item.type_name == "Line":
        sections = item.section_lengths_m or (item.length_m,)
        touchdown = item.touchdown_arc_length_m
        entry["nodes"] = item.nodes
        entry["length_m"] = item.length_m
        entry["sections_m"] = list(sections)
        entry["touchdown_m"] = 0.7 * item.length_m if touchdown is None else touchdown
        entry["data"] = {
            "Length": list(sections),
            "CumulativeLength": [float(value) for value in np.cumsum(sections)],
            "LineType": [item.line_type] * len(sections),
            **entry["data"],
        }
    return entry


def _part(variable: VariableDescription, count: int) -> ColumnPart:
    return ColumnPart(
        count=count,
        mean=variable.mean,
        static=variable.mean if variable.static is None else variable.static,
        low_frequency_std=variable.low_frequency_std,
        wave_frequency_std=variable.wave_frequency_std,
        noise_std=variable.noise_std,
    )


def _fill_to_size(description: SimulationDescription, layout: Layout) -> tuple[int, int]:
    """How many columns and how much padding make the file as large as asked."""
    if description.size_mb is None:
        return layout.columns, 0
    missing = round(description.size_mb * 1e6) - layout.file_bytes
    if missing < 0:
        raise ValueError(
            f"size_mb {description.size_mb} is too small: "
            f"the described results need {layout.file_bytes / 1e6:.3f} MB"
        )
    further = missing // (layout.rows * 4)
    return layout.columns + further, missing - further * layout.rows * 4


def _write_log(
    stream: BinaryIO, description: SimulationDescription, plan: _Plan, layout: Layout
) -> None:
    weights, static = column_weights(plan.parts, description.seed)
    further = layout.columns - plan.columns
    if further:
        background = background_weights(further, description.seed)
        weights = np.concatenate([weights, background], axis=1)
        static = np.concatenate([static, background[0]])
    _write_all(stream, static)
    samples = layout.rows - 1
    chunk = max(1, _CHUNK_BYTES // max(4, layout.columns * 4))
    rows = np.empty((min(chunk, samples), layout.columns), dtype=np.float32)
    for first in range(0, samples, chunk):
        count = min(chunk, samples - first)
        indices = np.arange(first, first + count, dtype=np.float64)
        times = description.start_time_s + description.sample_interval_s * indices
        components = component_values(
            times,
            description.environment.wave_tp_s,
            0.0,
            description.start_time_s,
            description.seed,
        )
        np.matmul(components, weights, out=rows[:count])
        _write_all(stream, rows[:count])


def _write_padding(stream: BinaryIO, layout: Layout) -> None:
    zeros = np.zeros(min(layout.padding_bytes, _CHUNK_BYTES), dtype=np.uint8)
    left = layout.padding_bytes
    while left:
        count = min(left, zeros.size)
        _write_all(stream, zeros[:count])
        left -= count


def _write_all(stream: BinaryIO, values: np.ndarray[Any, Any]) -> None:
    if not values.size:
        return
    view = values.data.cast("B")
    done = 0
    while done < len(view):
        done += stream.write(view[done:])

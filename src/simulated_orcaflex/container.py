"""The stand-in's own file format.

A file is a magic line, a fixed block of sizes, a JSON header, then the log as float32: one row
for the static state, one for each sample, every logged column in each row (as the real program
logs: sample by sample), then padding. The log begins at a multiple of 64 bytes.
"""

from __future__ import annotations

import io
import json
import os
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from .status import NativeError, Status

MAGIC = b"SimulatedOrca\r\n\x1a"
_SIZES = struct.Struct("<IIQQQQ")
_VERSION = 1
_READ_BYTES = 16 * 1024 * 1024

Progress = Callable[[int, int], None]
"""Called with the bytes read so far and all bytes, between reads."""


@dataclass(frozen=True)
class Layout:
    """Where things lie in a file, in bytes, and the shape of its log."""

    header_bytes: int
    log_offset: int
    rows: int
    columns: int
    padding_bytes: int

    @property
    def log_bytes(self) -> int:
        return self.rows * self.columns * 4

    @property
    def file_bytes(self) -> int:
        return self.log_offset + self.log_bytes + self.padding_bytes


def layout_for(header: bytes, rows: int, columns: int, padding_bytes: int) -> Layout:
    """The layout of a file with this header and log."""
    end = len(MAGIC) + _SIZES.size + len(header)
    return Layout(len(header), -(-end // 64) * 64, rows, columns, padding_bytes)


def write_head(stream: BinaryIO, header: bytes, layout: Layout) -> None:
    """Write everything up to the first row of the log."""
    stream.write(MAGIC)
    stream.write(
        _SIZES.pack(
            _VERSION,
            layout.columns,
            layout.header_bytes,
            layout.log_offset,
            layout.rows,
            layout.padding_bytes,
        )
    )
    stream.write(header)
    stream.write(b"\0" * (layout.log_offset - stream.tell()))


def encode_header(header: Mapping[str, Any]) -> bytes:
    """The header as it stands in the file."""
    return json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode("utf-8")


def open_file(path: str) -> BinaryIO:
    """Open a file for reading, with the statuses that OrcaFlex gives."""
    try:
        return open(path, "rb", buffering=0)
    except FileNotFoundError:
        raise NativeError(Status.FILE_NOT_FOUND, f"File not found: {path}") from None
    except OSError as error:
        raise NativeError(Status.FILE_READ_ERROR, f"Cannot read {path}: {error}") from None


def read_head(stream: BinaryIO, name: str) -> tuple[dict[str, Any], Layout]:
    """The header and the layout; the stream stands anywhere afterwards.

    NativeError: InvalidFileFormat for what is not a stand-in's file, FileReadError for one that
    ends too early or is damaged.
    """
    start = stream.read(len(MAGIC) + _SIZES.size)
    if not start.startswith(MAGIC):
        if MAGIC.startswith(start):
            raise NativeError(
                Status.FILE_READ_ERROR, f"Error reading {name}: unexpected end of file"
            )
        raise NativeError(
            Status.INVALID_FILE_FORMAT,
            f"{name} was not written by the stand-in for OrcaFlex, which reads only its own files. "
            "Real OrcaFlex files need OrcaFlex: switch the stand-in off (SIMULATED_ORCAFLEX).",
        )
    try:
        sizes = _SIZES.unpack_from(start, len(MAGIC))
        version, columns, header_bytes, offset, rows, padding = sizes
        if version != _VERSION:
            raise NativeError(
                Status.INVALID_FILE_FORMAT, f"{name} has format version {version}, not {_VERSION}"
            )
        layout = Layout(header_bytes, offset, rows, columns, padding)
        size = stream.seek(0, os.SEEK_END)
        if size < layout.file_bytes:
            raise NativeError(
                Status.FILE_READ_ERROR,
                f"Error reading {name}: it ends after {size} of {layout.file_bytes} bytes",
            )
        stream.seek(len(start))
        header = json.loads(stream.read(header_bytes))
    except (struct.error, ValueError) as error:
        raise NativeError(Status.FILE_READ_ERROR, f"Error reading {name}: {error}") from None
    return header, layout


def read_log(
    stream: BinaryIO, layout: Layout, name: str, progress: Progress
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """The log as (rows, columns), and the memory that holds it, padding included."""
    total = layout.log_bytes + layout.padding_bytes
    memory: NDArray[np.uint8] = np.empty(total, dtype=np.uint8)
    view = memory.data
    stream.seek(layout.log_offset)
    done = 0
    while done < total:
        count = stream.readinto(view[done : done + _READ_BYTES])  # type: ignore[attr-defined]
        if not count:
            raise NativeError(
                Status.FILE_READ_ERROR, f"Error reading {name}: unexpected end of file"
            )
        done += count
        progress(done, total)
    log = memory[: layout.log_bytes].view(np.float32).reshape(layout.rows, layout.columns)
    return log, memory


def open_memory(buffer: bytes | bytearray | memoryview) -> BinaryIO:
    """A stream over a file that is already in memory."""
    return io.BytesIO(buffer)

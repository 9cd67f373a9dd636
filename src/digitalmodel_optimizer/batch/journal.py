"""What a batch has finished, one record after the other in one file that is only added to.

A record is its length, its checksum and its bytes. It counts once it is whole: a run that was cut
off while it wrote leaves a tail, which the next run cuts away before it adds to the file.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO

from digitalmodel_optimizer.batch.private import open_own

_HEAD = struct.Struct("<II")


class Journal:
    """The journal at ``path``, which need not be there yet; for one process at a time."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._stream: BinaryIO | None = None

    def add(self, record: bytes) -> None:
        """Write ``record`` behind the others; it is the system's to keep when this returns.

        :raises OSError: it cannot be written, or the file is not our own.
        """
        if self._stream is None:
            descriptor = open_own(self._path, os.O_RDWR | os.O_CREAT)
            self._stream = open(descriptor, "r+b", buffering=0)  # noqa: SIM115 - kept open
            whole = sum(_HEAD.size + len(record) for record in _records(self._stream))
            self._stream.truncate(whole)
            self._stream.seek(whole)
        rest = memoryview(_HEAD.pack(len(record), zlib.crc32(record)) + record)
        while rest:  # on a disk that is nearly full the system takes a part, without an error
            rest = rest[self._stream.write(rest) :]

    def records(self) -> list[bytes]:
        """All whole records, in the order in which they were added; none if there is no journal."""
        try:
            with open(open_own(self._path), "rb") as stream:
                return list(_records(stream))
        except OSError:
            return []

    def close(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()


def _records(stream: BinaryIO) -> Iterator[bytes]:
    """From the beginning to the end of the file, or to the first record that is not whole."""
    left = os.fstat(stream.fileno()).st_size
    while left >= _HEAD.size:
        length, checksum = _HEAD.unpack(stream.read(_HEAD.size))
        left -= _HEAD.size + length
        if not length or left < 0:  # zeros: what a power cut leaves
            return
        record = stream.read(length)
        if len(record) != length or zlib.crc32(record) != checksum:
            return
        yield record

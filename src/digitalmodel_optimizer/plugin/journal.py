"""Records, one after the other in one file that is only added to.

A record is a mark, its length, its checksum, its bytes, and an end. It counts if it is whole: what
a run that was cut off has left, or what has been damaged since, is passed over, and the records
behind it are found by their marks. So nothing that has been written is ever changed, and a process
that adds needs to know nothing of what is there.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from digitalmodel_optimizer.plugin.private import open_own

_MARK = b"\xd1dmo"
_LENGTHS = struct.Struct("<II")
_CHECKSUM = struct.Struct("<I")
_END = b"\n"  # no byte of the mark: what follows a record that was cut off cannot complete it
_HEAD_BYTES = len(_MARK) + _LENGTHS.size + _CHECKSUM.size


class Journal:
    """The journal at ``path``, which need not be there yet."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._stream: BinaryIO | None = None

    def add(self, record: bytes) -> None:
        """Write ``record`` behind the others; it is the system's to keep when this returns.

        :raises OSError: it cannot be written, or the file is not our own.
        """
        if self._stream is None:
            descriptor = open_own(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            self._stream = open(descriptor, "ab", buffering=0)  # noqa: SIM115 - kept open
        rest = memoryview(framed(record))
        while rest:  # on a disk that is nearly full the system takes a part, without an error
            rest = rest[self._stream.write(rest) :]

    def records(self) -> list[bytes]:
        """All whole records, in the order in which they were added; none if there is no journal."""
        try:
            with open(open_own(self._path), "rb") as stream:
                return list(_records(stream.read()))
        except OSError:
            return []

    def close(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()


def joined(records: Iterable[bytes]) -> bytes:
    """The content of a journal that holds ``records``."""
    return b"".join(map(framed, records))


def framed(record: bytes) -> bytes:
    """``record`` as it stands in a journal."""
    lengths = _LENGTHS.pack(len(record), zlib.crc32(record))
    return b"".join((_MARK, lengths, _CHECKSUM.pack(zlib.crc32(lengths)), record, _END))


def _records(content: bytes) -> Iterator[bytes]:
    view = memoryview(content)
    place = content.find(_MARK)
    while place >= 0:
        end = _end_of_record(view, place)
        if end is not None:
            yield bytes(view[place + _HEAD_BYTES : end - len(_END)])
        place = content.find(_MARK, place + 1 if end is None else end)


def _end_of_record(view: memoryview, place: int) -> int | None:
    """Where the record ends that begins at ``place``; None if none begins there."""
    begin = place + _HEAD_BYTES
    head = view[place + len(_MARK) : begin]
    if len(head) < _LENGTHS.size + _CHECKSUM.size:
        return None
    lengths = head[: _LENGTHS.size]
    if _CHECKSUM.unpack(head[_LENGTHS.size :]) != (zlib.crc32(lengths),):
        return None
    length, checksum = _LENGTHS.unpack(lengths)
    end = begin + length
    whole = view[end : end + len(_END)] == _END and zlib.crc32(view[begin:end]) == checksum
    return end + len(_END) if whole else None

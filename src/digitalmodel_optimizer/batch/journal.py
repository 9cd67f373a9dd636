"""What a batch has finished, one record after the other in one file that is only added to.

A record counts once it is whole: a run that was cut off while it wrote leaves a tail, which the
next run cuts away before it adds to the file.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO


class Journal:
    """The journal at ``path``, which need not be there yet; for one process at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stream: BinaryIO | None = None

    def add(self, record: Any) -> None:
        """Write ``record`` behind the others; it is the system's to keep when this returns."""
        if self._stream is None:
            end = max((end for end, _ in self._whole()), default=0)
            self._stream = open(self._path, "ab", buffering=0)  # noqa: SIM115 - kept open
            self._stream.truncate(end)
        rest = memoryview(pickle.dumps(record, protocol=pickle.HIGHEST_PROTOCOL))
        while rest:  # on a disk that is nearly full the system takes a part, without an error
            rest = rest[self._stream.write(rest) :]

    def records(self) -> Iterator[Any]:
        """All whole records, in the order in which they were added."""
        return (record for _, record in self._whole())

    def _whole(self) -> Iterator[tuple[int, Any]]:
        """Where each whole record ends, and the record; none in a file of another version."""
        try:
            stream = open(self._path, "rb")  # noqa: SIM115 - closed below
        except OSError:
            return
        with stream:
            while True:
                try:
                    record = pickle.load(stream)
                except Exception:  # the end of the file, a tail, classes that are no more
                    return
                yield stream.tell(), record

    def close(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()

"""A journal of the repositories that are done, so that a stopped run goes on where it stopped."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict
from types import TracebackType
from typing import Any

from digitalmodel_optimizer_migration.data import Choice, MigrationError


class Journal:
    """One JSON object a line: first what the run was asked for, then each repository that is done.

    One in which something was refused is not ``done``: the next run looks into it again.
    A last line that a stopped run left half-written is dropped. A journal of a run that was asked
    for something else is refused: its repositories would be done otherwise.
    """

    def __init__(self, path: str, choice: Choice, ways: dict[str, Any]) -> None:
        self.path = path
        self._asked = hashlib.sha256(
            json.dumps({"choice": asdict(choice), **ways}, sort_keys=True).encode()
        ).hexdigest()
        self.done: set[str] = set()
        self._stream: Any = None

    def __enter__(self) -> Journal:
        whole = self._read()
        try:
            self._stream = open(self.path, "r+b" if os.path.exists(self.path) else "w+b")
        except OSError as error:
            raise self._fault("written", error) from error
        self._stream.truncate(whole)
        self._stream.seek(whole)
        if not whole:
            self._write({"asked": self._asked})
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stream.close()

    def note(self, repository: str, outcome: dict[str, Any]) -> None:
        """Note that ``repository`` is done; on the disk before this returns."""
        self._write({"repository": repository, **outcome})

    def _write(self, record: dict[str, Any]) -> None:
        try:
            self._stream.write(json.dumps(record).encode() + b"\n")
            self._stream.flush()
            os.fsync(self._stream.fileno())
        except OSError as error:
            raise self._fault("written", error) from error

    def _fault(self, what: str, error: OSError) -> MigrationError:
        return MigrationError(f"the journal {self.path} cannot be {what}: {error.strerror}")

    def _read(self) -> int:
        """Take in what is done; how many bytes of the file are whole lines."""
        try:
            with open(self.path, "rb") as stream:
                content = stream.read()
        except FileNotFoundError:
            return 0
        except OSError as error:
            raise self._fault("read", error) from error
        whole = content.rfind(b"\n") + 1
        try:
            records = [json.loads(line) for line in content[:whole].splitlines()]
            if records and records[0]["asked"] != self._asked:
                raise MigrationError(
                    f"the journal {self.path} is of a run with other options; name another file"
                )
            last = {record["repository"]: record for record in records[1:]}
            self.done = {name for name, record in last.items() if not record["refused"]}
        except (ValueError, KeyError, TypeError) as error:
            raise MigrationError(f"{self.path} is no journal of this command") from error
        return whole

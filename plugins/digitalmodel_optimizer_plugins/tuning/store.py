"""What runs have shown, in a journal in the user's data folder: lines of JSON, only added to.

Each record is whole or is passed over (:mod:`~digitalmodel_optimizer.plugin.journal`), so a run
that is killed costs its own at most, and damage that of the records it hits. Runs that end at the
same time take turns by a lock, which the system takes from one that is killed. A record that a
later release has written is kept and not read.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from digitalmodel_optimizer.plugin import OptimizerError
from digitalmodel_optimizer.plugin.atomic import write_whole
from digitalmodel_optimizer.plugin.journal import Journal, joined
from digitalmodel_optimizer.plugin.user_data import user_file
from digitalmodel_optimizer_plugins.tuning.observation import Observation, Place

VARIABLE = "DIGITALMODEL_OPTIMIZER_TUNING"
"""Names another file, or ``off``."""
SCHEMA = "digitalmodel-optimizer-tuning/1"
_FILE_NAME = "tuning.journal"
_LOCKED_S = 20.0
# Beyond twice this, the oldest are removed.
KEPT = 2000
_LARGEST_IMPORT_BYTES = 50_000_000


class TuningStoreError(OptimizerError):
    """What was learned cannot be read or kept; never a reason for a batch to fail."""


@dataclass(frozen=True)
class Known:
    """What the store holds. ``frozen``: nothing is learned or tried out until a thaw."""

    observations: tuple[Observation, ...] = ()
    frozen: bool = False

    def of(self, place: Place) -> list[Observation]:
        """The runs of a place, in order of time."""
        found = [item for item in self.observations if item.place == place]
        return sorted(found, key=lambda item: item.at_s)

    @property
    def places(self) -> list[Place]:
        """Those that have runs, the latest last."""
        latest = {item.place: item.at_s for item in self.observations}
        return sorted(latest, key=latest.__getitem__)


def default_path() -> Path | None:
    """Where the store is; None if it is switched off."""
    return user_file(_FILE_NAME, VARIABLE)


class TuningStore:
    """The journal at ``path``, which is made when something is first kept."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> Known:
        """What is known; of what cannot be read, nothing."""
        found: list[Observation] = []
        frozen = False
        for record in self._records():
            content = _content(record)
            kind = content.get("kind")
            if kind == "observation":
                with contextlib.suppress(ValueError):
                    found.append(Observation.from_dict(content["observation"]))
            elif kind == "frozen":
                frozen = content.get("value") is True
        return Known(tuple(found), frozen)

    def add(self, observations: Sequence[Observation]) -> None:
        """:raises TuningStoreError: they cannot be kept."""
        with self._locked():
            self._append([_observed(item) for item in observations])
            self._shorten()

    def freeze(self, frozen: bool) -> None:
        """:raises TuningStoreError: it cannot be kept."""
        with self._locked():
            self._append([_record("frozen", value=frozen, at_s=time.time())])

    def reset(self) -> int:
        """Forget everything; how many runs that were.

        :raises TuningStoreError: it cannot be removed.
        """
        if not self.path.exists():
            return 0
        with self._locked():
            number = len(self.read().observations)
            self.path.unlink(missing_ok=True)
            return number

    def export(self, path: Path) -> int:
        """Write all runs as JSON; how many.

        :raises TuningStoreError: it cannot be written.
        """
        observations = self.read().observations
        content = {"schema": SCHEMA, "observations": [item.as_dict() for item in observations]}
        try:
            write_whole(os.path.abspath(path), json.dumps(content, indent=1).encode())
        except OSError as error:
            raise TuningStoreError(f"{path} cannot be written: {error.strerror}") from None
        return len(observations)

    def import_from(self, path: Path) -> int:
        """Add the runs of an export that are not known yet; how many.

        :raises TuningStoreError: it cannot be read, or is no export of this version.
        """
        try:
            with path.open("rb") as stream:
                content = json.loads(stream.read(_LARGEST_IMPORT_BYTES))
            if content["schema"] != SCHEMA:
                raise ValueError(f"its schema is {content['schema']!r}, not {SCHEMA}")
            given = [Observation.from_dict(item) for item in content["observations"]]
        except OSError as error:
            raise TuningStoreError(f"{path} cannot be read: {error.strerror}") from None
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise TuningStoreError(f"{path} is not an export of tuning: {error}") from None
        known = set(self.read().observations)
        new = [item for item in dict.fromkeys(given) if item not in known]
        if new:
            self.add(new)
        return len(new)

    def _refuse_what_is_not_ours(self) -> None:
        """A wrong name in the variable must not cost somebody a file."""
        if self.path.exists() and self.path.stat().st_size and not self._records():
            raise TuningStoreError(
                f"{self.path} is not a store of tuning, or is damaged throughout; remove it, or "
                f"name another file by {VARIABLE}"
            )

    def _append(self, records: Sequence[bytes]) -> None:
        journal = Journal(str(self.path))
        try:
            for record in records:
                journal.add(record)
        finally:
            journal.close()

    def _shorten(self) -> None:
        """Of very many records the latest; whether tuning is frozen stays as it is."""
        records = self._records()
        if len(records) <= 2 * KEPT:
            return
        frozen = [record for record in records if _content(record).get("kind") == "frozen"][-1:]
        latest = [record for record in records[-KEPT:] if record not in frozen]
        write_whole(str(self.path), joined([*frozen, *latest]), 0o600)

    def _records(self) -> list[bytes]:
        return Journal(str(self.path)).records()

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        import filelock

        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with filelock.FileLock(f"{self.path}.lock", timeout=_LOCKED_S):
                self._refuse_what_is_not_ours()
                yield
        except filelock.Timeout:
            raise TuningStoreError(
                f"{self.path} is in use by another run for more than {_LOCKED_S:g} s"
            ) from None
        except OSError as error:
            raise TuningStoreError(f"{self.path} cannot be used: {error}") from None


def _observed(item: Observation) -> bytes:
    return _record("observation", observation=item.as_dict())


def _record(kind: str, **content: Any) -> bytes:
    return json.dumps({"schema": SCHEMA, "kind": kind, **content}).encode()


def _content(record: bytes) -> dict[str, Any]:
    """What a record of this version says; empty for any other."""
    try:
        content = json.loads(record)
        return content if content["schema"] == SCHEMA else {}
    except (ValueError, KeyError, TypeError, RecursionError):
        return {}

"""The history of runs: an SQLite database in the user's data folder.

SQLite itself is what makes it safe: each run is one transaction, so runs that end at the same time
wait for each other and a run that is killed leaves nothing of itself. The journal is SQLite's
default one, not a write-ahead log, which does not work on network drives. The schema's version is
the database's ``user_version``; :data:`_STEPS` leads from each version to the next. A database that
a later release has written is left alone.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from digitalmodel_optimizer.plugin import OptimizerError
from digitalmodel_optimizer.plugin.user_data import user_file
from digitalmodel_optimizer.report.facts import SCHEMA as REPORT_SCHEMA

VARIABLE = "DIGITALMODEL_OPTIMIZER_HISTORY"
"""Names another database, or ``off``."""
_FILE_NAME = "history.sqlite3"
_BUSY_S = 20.0
# Each step is one transaction; never change one that has been released.
_STEPS = (
    """
    CREATE TABLE runs (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        began_s REAL NOT NULL,
        kind TEXT NOT NULL,
        status TEXT NOT NULL,
        source TEXT,
        results_folder TEXT NOT NULL,
        machine TEXT NOT NULL,
        cpus INTEGER,
        files INTEGER NOT NULL,
        files_read INTEGER NOT NULL,
        files_failed INTEGER NOT NULL,
        size_read_mb REAL NOT NULL,
        elapsed_s REAL NOT NULL,
        command_s REAL,
        workers INTEGER NOT NULL,
        backend TEXT NOT NULL,
        memory_peak_mb REAL NOT NULL,
        bottleneck TEXT NOT NULL,
        version TEXT NOT NULL,
        facts BLOB
    );
    CREATE INDEX runs_of_batch ON runs (source, results_folder, began_s);
    """,
)
# Half again as large as at the usual level, in a third of the time.
_PACKED_LEVEL = 1
RUN, BASELINE = "run", "baseline"
DONE, FAILED, INTERRUPTED = "done", "failed", "interrupted"


@dataclass(frozen=True)
class Run:
    """A run in the history, without its report. ``kind``: ``run`` or ``baseline``; ``status``:
    ``done``, ``failed`` (files, or the batch as a whole) or ``interrupted``. ``size_read_mb`` and
    ``files_read`` are what was processed in this run.
    """

    id: int
    began_s: float
    kind: str
    status: str
    source: str | None
    results_folder: str
    machine: str
    cpus: int | None
    files: int
    files_read: int
    files_failed: int
    size_read_mb: float
    elapsed_s: float
    command_s: float | None
    workers: int
    backend: str
    memory_peak_mb: float
    bottleneck: str
    version: str

    @property
    def batch(self) -> str:
        """What users call the batch: their own file, or else the results folder."""
        return self.source or self.results_folder

    @property
    def mb_per_s(self) -> float | None:
        """Of what was read; None where nothing was."""
        return self.size_read_mb / self.elapsed_s if self.elapsed_s and self.files_read else None


_COLUMNS = tuple(Run.__dataclass_fields__)


class HistoryError(OptimizerError):
    """The history cannot be read or written; never a reason for a batch to fail."""


def default_path() -> Path | None:
    """Where the history is; None if it is switched off."""
    return user_file(_FILE_NAME, VARIABLE)


class History:
    """The database at ``path``, which is made when something is first kept."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def add(self, facts: Mapping[str, Any], kind: str = RUN) -> int:
        """Keep a run (:func:`~..report.facts.report_as_dict`); its number.

        :raises HistoryError: it cannot be kept.
        """
        values = {**_row_of(facts), "kind": kind, "facts": _packed(facts)}
        names = ", ".join(values)
        marks = ", ".join("?" * len(values))
        with self._open(write=True) as database:
            done = database.execute(
                f"INSERT INTO runs ({names}) VALUES ({marks})",  # noqa: S608 - names of ours
                list(values.values()),
            )
            return int(done.lastrowid or 0)

    def runs(
        self, batch: str | None = None, *, last: int | None = None, kind: str | None = None
    ) -> list[Run]:
        """Runs in order of time.

        :param batch: those whose file or results folder is this.
        :param last: only so many, the latest.
        """
        wanted, values = ["1"], list[Any]()
        if kind is not None:
            wanted.append("kind = ?")
            values.append(kind)
        if batch is not None:
            named = os.path.abspath(batch)
            wanted.append("(source = ? OR results_folder = ?)")
            values += [named, named]
        query = (
            f"SELECT {', '.join(_COLUMNS)} FROM runs "  # noqa: S608 - names of ours
            f"WHERE {' AND '.join(wanted)} ORDER BY began_s DESC, id DESC LIMIT ?"
        )
        with self._open() as database:
            rows = database.execute(query, [*values, -1 if last is None else last]).fetchall()
        return [Run(*row) for row in reversed(rows)]

    def facts(self, number: int) -> dict[str, Any] | None:
        """The report of a run; None where it is not kept (any more).

        :raises HistoryError: it cannot be read.
        """
        with self._open() as database:
            row = database.execute("SELECT facts FROM runs WHERE id = ?", [number]).fetchone()
        if row is None or row[0] is None:
            return None
        try:
            content: dict[str, Any] = json.loads(zlib.decompress(row[0]))
        except (ValueError, zlib.error) as error:
            raise HistoryError(f"run {number} in {self.path} is damaged: {error}") from None
        return content if content.get("schema") == REPORT_SCHEMA else None

    def prune(
        self, *, before_s: float | None = None, reports: int | None = None
    ) -> tuple[int, int]:
        """Remove runs that began before ``before_s``, and the reports (samples, files) of all but
        the last ``reports`` runs; how many of each. Baselines keep theirs.
        """
        with self._open(write=True) as database:
            runs = 0
            if before_s is not None:
                runs = database.execute("DELETE FROM runs WHERE began_s < ?", [before_s]).rowcount
            emptied = 0
            if reports is not None:
                emptied = database.execute(
                    "UPDATE runs SET facts = NULL WHERE facts IS NOT NULL AND kind = ? AND id NOT "
                    "IN (SELECT id FROM runs WHERE facts IS NOT NULL AND kind = ? "
                    "ORDER BY began_s DESC LIMIT ?)",
                    [RUN, RUN, reports],
                ).rowcount
        if runs or emptied:
            with self._open(write=True) as database:
                database.commit()
                database.execute("VACUUM")
        return runs, emptied

    @contextlib.contextmanager
    def _open(self, *, write: bool = False) -> Iterator[sqlite3.Connection]:
        """A transaction; committed at the end of the block, undone if it raises."""
        try:
            if write:
                self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            elif not self.path.is_file():
                with contextlib.closing(_connected(":memory:")) as database:
                    yield database
                return
            with contextlib.closing(_connected(str(self.path))) as database:
                if os.name == "posix" and write:
                    self.path.chmod(0o600)
                with database:
                    yield database
        except (sqlite3.Error, OSError) as error:
            raise HistoryError(f"the history {self.path} cannot be used: {error}") from error


def _connected(path: str) -> sqlite3.Connection:
    database = sqlite3.connect(path, timeout=_BUSY_S)
    try:
        _bring_up_to_date(database, path)
    except BaseException:
        database.close()
        raise
    return database


def _bring_up_to_date(database: sqlite3.Connection, path: str) -> None:
    (version,) = database.execute("PRAGMA user_version").fetchone()
    if version > len(_STEPS):
        raise HistoryError(
            f"{path} was written by a later release of digitalmodel-optimizer; it is left alone"
        )
    while version < len(_STEPS):
        database.execute("BEGIN IMMEDIATE")
        (version,) = database.execute("PRAGMA user_version").fetchone()  # another run may have
        if version < len(_STEPS):
            for statement in _STEPS[version].split(";"):
                database.execute(statement)
            version += 1
            database.execute(f"PRAGMA user_version = {version}")
        database.commit()


def _row_of(facts: Mapping[str, Any]) -> dict[str, Any]:
    import platform

    failed = facts["failed"]
    ended_early = facts["interrupted"] or facts["files_left"]
    machine = facts["machine"] or {}
    read = [item for item in facts["records"] if item["outcome"] not in ("earlier", "left")]
    return {
        "began_s": facts["began_s"],
        "status": INTERRUPTED if ended_early else FAILED if failed or facts["refused"] else DONE,
        "source": facts["source"],
        "results_folder": facts["results_folder"],
        "machine": platform.node(),
        "cpus": machine.get("logical_cpus"),
        "files": facts["files"],
        "files_read": len(read),
        "files_failed": len(failed),
        "size_read_mb": sum(item["size_mb"] for item in read),
        "elapsed_s": facts["elapsed_s"],
        "command_s": facts["command_s"],
        "workers": facts["workers"],
        "backend": facts["backend"],
        "memory_peak_mb": facts["memory_peak_mb"],
        "bottleneck": facts["bottleneck"]["kind"],
        "version": facts["version"],
    }


def _packed(facts: Mapping[str, Any]) -> bytes:
    import orjson

    try:
        content = orjson.dumps(facts)
    except TypeError:  # a name that is no UTF-8, or a number of a plugin's that is not Python's own
        content = json.dumps(facts, default=float).encode()
    return zlib.compress(content, _PACKED_LEVEL)


def comparable(runs: Sequence[Run], of: Mapping[str, Any], kind: str = RUN) -> list[Run]:
    """Those of ``runs`` that a run may be compared with: the same batch on the same machine, of
    about as many files read (within a tenth), that came to their end.
    """
    new = _row_of(of)
    least, most = 0.9 * new["files_read"], 1.1 * new["files_read"]
    return [
        run
        for run in runs
        if run.machine == new["machine"]
        and run.kind == kind
        and run.status != INTERRUPTED
        and least <= run.files_read <= most
        and 0.8 * new["size_read_mb"] <= run.size_read_mb <= 1.25 * new["size_read_mb"]
    ]

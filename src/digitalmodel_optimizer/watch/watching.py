"""The loop of a watch: look, wait until files have settled, run a round, say what came of it."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from digitalmodel_optimizer.batch.finished import stamp
from digitalmodel_optimizer.config.configuration import read_configuration
from digitalmodel_optimizer.dry_run.inputs import why_unopenable
from digitalmodel_optimizer.host.files import simulation_files
from digitalmodel_optimizer.host.preview import preview
from digitalmodel_optimizer.plugin import OptimizerError
from digitalmodel_optimizer.report.format import count, duration
from digitalmodel_optimizer.watch.arrivals import Arrivals, Stamp
from digitalmodel_optimizer.watch.rounds import Round, run_round

# Looking again though nothing was told: some network shares tell of some changes only.
LOOK_S = 30.0
WAKE_MS = 500
POLL_MS = 2000
FIRST_PAUSE_S = 60.0
LONGEST_PAUSE_S = 600.0


@dataclass(frozen=True)
class Job:
    """What to watch: the host's arguments, the user's file first; how long a file must stay as it
    is; after how long without a change to end, None for never.
    """

    arguments: Sequence[str]
    settle_s: float
    until_idle_s: float | None = None


class Watching:
    """A watch of one batch.

    :param tell: takes a line for the user.
    :param folder: for the report and the output of rounds.
    """

    def __init__(self, job: Job, tell: Callable[[str], None], folder: Path) -> None:
        self._job = job
        self._tell = tell
        self._folder = folder
        self._told: set[str] = set()
        self._fault: str | None = None
        self._pause_s = FIRST_PAUSE_S
        self._not_before_s = 0.0
        self.arrivals = Arrivals(job.settle_s, _why_unopenable)

    def run(self, wakes: Iterable[bool]) -> int:
        """Until nothing has changed for long enough; the exit status.

        :param wakes: yields often, and True where something has changed.
        :raises KeyboardInterrupt: a round that is under way has ended.
        """
        changed_s, look_at_s = _now(), 0.0
        for told in wakes:
            now_s = _now()
            if told or now_s >= min(look_at_s, self.arrivals.settles_s):
                look_at_s = now_s + (self._job.settle_s if self.arrivals.unopenable else LOOK_S)
                if self._look(now_s):
                    changed_s, self._not_before_s = now_s, 0.0
            pausing = now_s < self._not_before_s
            if self.arrivals.is_due and not pausing:
                self._run_round()
                changed_s = changed_s if self._fault else _now()
            elif pausing or math.isinf(self.arrivals.settles_s):
                idle_s = now_s - changed_s
                if self._job.until_idle_s is not None and idle_s >= self._job.until_idle_s:
                    return self._end(f"no file has changed for {duration(idle_s)}")
        return self._end("the folder is no longer watched")

    def _look(self, now_s: float) -> bool:
        try:
            files = list_files(self._job.arguments)
        except OptimizerError as error:
            self._tell_once(str(error))
            return False
        changed = self.arrivals.look(files, now_s)
        for path, reason in self.arrivals.unopenable.items():
            self._tell_once(f"{path} {reason}; it is tried again")
        return changed

    def _run_round(self) -> None:
        files = self.arrivals.settled
        new = [path for path in files if self.arrivals.in_tables.get(path) != files[path]]
        self._tell(f"{count(len(new), 'file')} to process: {_names(new)}")
        start_s = _now()
        done = run_round(self._job.arguments, files, self._folder)
        took = duration(_now() - start_s)
        self._fault = done.fault
        if done.fault is None:
            self._took(files, done, took)
        else:
            self._tell(f"the tables could not be brought up to date: {done.fault}")
        if done.fault is not None or done.passing:
            self._not_before_s = _now() + self._pause_s
            self._tell(f"tried again in {duration(self._pause_s)}, or when files change")
            self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)
        else:
            self._not_before_s, self._pause_s = 0.0, FIRST_PAUSE_S

    def _took(self, files: dict[str, Stamp], done: Round, took: str) -> None:
        arrivals = self.arrivals
        lasting = {p: said for p, said in done.failures.items() if p not in done.passing}
        processed = {path: files[path] for path in files if path not in done.passing}
        for path in done.passing:
            self._tell(f"{path} failed: {done.failures[path]}")
        for path in arrivals.processed(processed, lasting):
            self._tell(f"{path} failed: {lasting[path]}; it is tried again when it changes")
        reused = f", {done.reused} of them unchanged" if done.reused else ""
        self._tell(
            f"tables are up to date: {count(len(arrivals.in_tables), 'file')}{reused}, {took}"
        )

    def _end(self, why: str) -> int:
        self._tell(f"{why}; {self.summary()}")
        if self._fault is not None:
            return 2
        return int(bool(self.arrivals.held_back) or self.arrivals.is_due)

    def summary(self) -> str:
        """What stands in the tables and what does not, as the end of a sentence."""
        arrivals = self.arrivals
        said = f"{count(len(arrivals.in_tables), 'file')} in the tables"
        missing = [*arrivals.held_back]
        missing += [path for path in arrivals.settled if path not in arrivals.in_tables]
        return f"{said}, {len(missing)} not: {_names(missing)}" if missing else said

    def _tell_once(self, text: str) -> None:
        if text not in self._told:
            self._told.add(text)
            self._tell(text)


def list_files(arguments: Sequence[str]) -> dict[str, Stamp]:
    """The files that the host would list now, with their stamps; those that are not there aside.

    :raises OptimizerError: the configuration cannot be read, or its folder is not there.
    """
    names, _ = simulation_files(preview(read_configuration(arguments[0], arguments[1:])))
    stamps = {str(name): stamp(os.fspath(name)) for name in names}
    return {path: found for path, found in stamps.items() if found is not None}


def wakes(folders: Sequence[str], *, poll: bool) -> Iterator[bool]:
    """Yields whenever something changes in ``folders``, and False now and then if nothing does.

    :raises OptimizerError: the library for it is not installed.
    """
    try:
        import watchfiles
    except ImportError:
        raise OptimizerError(
            "watch needs the library watchfiles; pip install digitalmodel-optimizer[watch]"
        ) from None
    for changes in watchfiles.watch(
        *folders,
        watch_filter=None,
        recursive=False,
        yield_on_timeout=True,
        rust_timeout=WAKE_MS,
        force_polling=poll or None,
        poll_delay_ms=POLL_MS,
    ):
        yield bool(changes)


def _why_unopenable(path: str) -> str | None:
    found = why_unopenable(path)
    return None if found is None else found[1]


def _now() -> float:
    return time.monotonic()


def _names(paths: Sequence[str], most: int = 3) -> str:
    said = ", ".join(map(os.path.basename, paths[:most]))
    return said if len(paths) <= most else f"{said} +{len(paths) - most}"

"""Files, planned by the plugins and run in the one loop on the executor that they supply.

Knows no folder and no host, and is given clock and machine: a simulated batch is run by this very
code.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from digitalmodel_optimizer.batch.loop import BatchLoop, Surroundings
from digitalmodel_optimizer.batch.planning import make_schedule, measured_of
from digitalmodel_optimizer.batch.resources import Resources
from digitalmodel_optimizer.batch.scheduler import Scheduler
from digitalmodel_optimizer.batch.tracker import Tracker
from digitalmodel_optimizer.plugin import (
    Executor,
    ExecutorChoice,
    FileResult,
    FileTask,
    OptimizerError,
    ProcessFile,
    Schedule,
    Settings,
    SettingsError,
    SimulationFile,
)
from digitalmodel_optimizer.plugin.manager import Manager

# A worker that works less than its start took was not worth it. So the first file may take until so
# many starts are less than what the ready workers would need for all of them at this rate ...
WORTH_STARTS = 2.0
# ... but no longer than this share of a start, so that little is lost if it takes long.
MAX_WAIT_SHARE = 0.5
# A larger first file takes longer than that.
CALIBRATED_FILE_MB = 200.0


@dataclass(frozen=True)
class Caller:
    """What is asked of whoever has the files run.

    ``state_for``: what a file has to start from. ``processed``: told of each file before the next
    one starts. ``take``: moves a file's outputs into place and returns its final result.
    ``decide``: keeps a decision in words. ``results``: what an interrupted run has left, by index.
    ``checked``: told what came of a task in which the host's own loop runs.
    """

    state_for: Callable[[SimulationFile], Any]
    processed: Callable[[FileResult], None]
    take: Callable[[FileResult], FileResult]
    decide: Callable[[str], None]
    results: Mapping[int, FileResult]
    checked: Callable[[FileResult], None] = lambda _: None


class FilesRun:
    """Runs files of one batch.

    ``schedule`` has all of them, with the allocations that were made last.

    :param isolated: indices of files that have ended a process before.
    """

    def __init__(
        self,
        manager: Manager,
        settings: Settings,
        process_file: ProcessFile,
        tracker: Tracker,
        around: Surroundings,
        caller: Caller,
        isolated: Collection[int] = (),
    ) -> None:
        self.manager = manager
        self.settings = settings
        self.process_file = process_file
        self.schedule: Schedule | None = None
        self.executor: Executor | None = None
        self.stopping = False
        self.stopped_by: OptimizerError | None = None
        self.resources = Resources()
        self.licence_wait_s = 0.0
        self._tracker = tracker
        self._around = around
        self._caller = caller
        self._isolated = isolated
        self._scheduler = Scheduler()
        self._files: Sequence[SimulationFile] = ()
        self._processed: dict[int, FileResult] = {}
        self._loop: BatchLoop | None = None

    def run(
        self, files: Sequence[SimulationFile], ready_workers: int, checks: Sequence[FileTask] = ()
    ) -> None:
        """Process all ``files``; so many workers were started before.

        :param checks: what else is to be run, behind the first file.
        """
        self._files = files
        self._processed = dict(self._caller.results)
        schedule = self._plan(files, ready_workers)
        self.executor = self._supply_executor(schedule)
        self._scheduler = Scheduler(
            isolated_alone=not self.executor.isolates, capacity=self.executor.capacity
        )
        self._tracker.limit = lambda: self._scheduler.limit
        self._tracker.memory_budget_mb = schedule.memory_budget_mb
        self._loop = loop = BatchLoop(
            self._scheduler,
            self.executor,
            self.manager,
            self.settings,
            self._tracker,
            self._around,
            state_for=self._caller.state_for,
            processed=self._note,
            take=self._caller.take,
            decide=self._caller.decide,
            checked=self._caller.checked,
        )
        self._scheduler.plan(schedule)
        self._add([*schedule.order[:1], *checks, *schedule.order[1:]])
        if is_calibrated(files):
            ready = self.executor.ready_workers
            self._scheduler.set_limit(max(1, min(ready, schedule.workers)))
            share = min(MAX_WAIT_SHARE, WORTH_STARTS * max(1, ready) / len(files))
            # Where no worker is ready, the first has to start, too.
            wait_s = schedule.worker_start_s * (share + (not ready))
            loop.calibrate(self._plan_anew, self._around.clock() + wait_s)
        self.executor.resize(self._scheduler.limit)
        self._drive(loop)

    def run_again(self, files: Sequence[SimulationFile]) -> None:
        """More files, or some once more, after :meth:`run`."""
        assert self._loop is not None
        assert self.schedule is not None
        native_threads = self.schedule.order[0].native_threads
        self._add([FileTask(file, native_threads) for file in files])
        self._drive(self._loop)

    def stop(self) -> None:
        """Start nothing more."""
        self.stopping = True
        self._scheduler.stop()

    def _drive(self, loop: BatchLoop) -> None:
        try:
            loop.run()
        finally:
            self.resources = loop.resources
            self.licence_wait_s = loop.licence_wait_s
            self.stopped_by = loop.stopped_by
            self.stopping = self._scheduler.stopping

    def _note(self, result: FileResult) -> None:
        """A plan that is made when a file is done knows what it has cost."""
        self._processed[result.file.index] = result
        self._caller.processed(result)

    def _add(self, tasks: Sequence[FileTask]) -> None:
        self._scheduler.add(tasks)
        self._tracker.reorder([task.file for task in tasks])

    def _plan(self, files: Sequence[SimulationFile], ready_workers: int) -> Schedule:
        starting = self.executor.starting_workers if self.executor else 0
        measured = measured_of(self._processed.values(), ready_workers, starting)
        self.schedule = make_schedule(
            self.manager, self.settings, files, measured, self._around.machine(), self._isolated
        )
        return self.schedule

    def _plan_anew(self) -> None:
        """A file has told what it costs, or that it takes long."""
        pending = [file for file in self._files if file.index not in self._processed]
        if not pending or self.executor is None:
            return
        first = self.schedule
        schedule = self._plan(pending, self.executor.ready_workers)
        self._scheduler.plan(schedule)
        if first is not None:
            self.schedule = _as_planned_last(first, schedule)
        self.executor.resize(self._scheduler.limit)

    def _supply_executor(self, schedule: Schedule) -> Executor:
        executor = self.manager.ask(
            "optimizer_executor",
            schedule=schedule,
            process_file=self.process_file,
            machine=self._around.machine(),
            settings=self.settings,
        )
        if not isinstance(executor, Executor):
            raise self.manager.invalid_return("optimizer_executor", executor, "an Executor")
        try:
            refuse_time_limit(self.settings, executor)
        except SettingsError:
            executor.close(kill=True)
            raise
        why = f": {executor.reason}" if executor.reason else ""
        self._caller.decide(f"backend {executor.name}{why}")
        return executor


def is_calibrated(files: Sequence[SimulationFile]) -> bool:
    """Whether the number of workers waits for what the first file tells."""
    return len(files) > 1 and files[0].size_mb <= CALIBRATED_FILE_MB


def refuse_time_limit(settings: Settings, executor: Executor | ExecutorChoice) -> None:
    """Raise :class:`SettingsError` for a time limit per file that ``executor`` cannot keep."""
    if settings.timeout_per_file_s is None or executor.keeps_time_limit:
        return
    fault = (
        f"orcaflex.parallel.timeout_per_file cannot be kept: the backend {executor.name} "
        "cannot stop a file that takes too long; use worker processes (backend auto, loky "
        "or hybrid), or remove the time limit"
    )
    raise SettingsError([fault], settings.source)


def _as_planned_last(first: Schedule, last: Schedule) -> Schedule:
    """``first``, which has all files of the batch, with the allocations of a later plan."""
    later = {item.group.label: item.allocation for item in last.assignments}
    return replace(
        first,
        assignments=tuple(
            replace(item, allocation=later.get(item.group.label, item.allocation))
            for item in first.assignments
        ),
        measured=last.measured,
    )

"""The one loop of a batch: what may start is submitted, what has finished is taken in.

Everything happens on the calling thread: the executor is asked and does not call back, plugins are
told and asked between two looks at it. What starts when is the scheduler's to say; clock, executor
and machine are given, so that a simulated batch goes through this very loop.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from digitalmodel_optimizer.batch.busy import ALL, BusyWorkers, Usage
from digitalmodel_optimizer.batch.resources import ProcessUsage, Resources
from digitalmodel_optimizer.batch.scheduler import Scheduler
from digitalmodel_optimizer.batch.tracker import TELL_S, Tracker
from digitalmodel_optimizer.plugin import (
    Adjustment,
    BatchStoppedError,
    ErrorKind,
    Executor,
    FileResult,
    FileTask,
    Machine,
    OptimizerError,
    PluginError,
    RetryAction,
    Settings,
    SimulationFile,
)
from digitalmodel_optimizer.plugin.manager import Manager

SAMPLE_S = 0.25
ADJUST_S = 0.5
# A batch may be over in seconds: the first look comes sooner, the next after twice as long; and
# plugins may adjust after each, until the batch is so many times as old as the last adjustment.
FIRST_LOOK_S = SAMPLE_S / 2
EARLY_LOOKS = 4
# Looking at all processes of a busy machine takes long; spend little time on it.
SAMPLING_SHARE = 0.02


@dataclass(frozen=True)
class Surroundings:
    """What the loop is run in.

    ``clock``: seconds since the batch began. ``usage``: :func:`~.resources.tree_usage` or what
    stands for it. ``machine``: measured anew. ``meanwhile``: work for the parent while the first
    files are on their way. ``sample_s``: seconds from one look at usage and machine to the next.
    """

    clock: Callable[[], float]
    usage: Callable[..., Mapping[int, ProcessUsage]]
    machine: Callable[[], Machine]
    meanwhile: Callable[[], None] = lambda: None
    sample_s: float = SAMPLE_S


class BatchLoop:
    """Runs the scheduler's files on an executor until none is left.

    :param state_for: what a file has to start from.
    :param processed: told of each file that has been processed, before the next one starts.
    :param take: moves a file's outputs into place; its final result.
    :param checked: told what came of a task in which the host's own loop runs.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        executor: Executor,
        manager: Manager,
        settings: Settings,
        tracker: Tracker,
        surroundings: Surroundings,
        *,
        state_for: Callable[[SimulationFile], Any],
        processed: Callable[[FileResult], None],
        take: Callable[[FileResult], FileResult],
        decide: Callable[[str], None],
        checked: Callable[[FileResult], None] = lambda _: None,
    ) -> None:
        self.scheduler = scheduler
        self.executor = executor
        self.manager = manager
        self.settings = settings
        self.tracker = tracker
        self.around = surroundings
        self._state_for = state_for
        self._processed = processed
        self._take = take
        self._decide = decide
        self._checked = checked
        self._tasks: dict[int, FileTask] = {}
        self._replan: Callable[[], None] | None = None
        self._replan_at_s = math.inf
        self._sample_at_s = self._adjust_at_s = FIRST_LOOK_S
        self._busy = BusyWorkers()
        self._handed_s: dict[int, float] = {}
        self.resources = Resources()
        self.licence_wait_s = self._waited_until_s = 0.0
        self.stopped_by: BatchStoppedError | None = None

    def calibrate(self, replan: Callable[[], None], until_s: float) -> None:
        """Call ``replan`` when a file has succeeded, and at ``until_s`` if none has by then."""
        self._replan, self._replan_at_s = replan, until_s

    def run(self) -> None:
        """Until every file is done, or those that run when the scheduler was stopped."""
        self.resources.began(self.around.usage(()))
        self._measure()
        self._start(self.around.clock())
        self._tell()
        self.around.meanwhile()
        while not self.scheduler.done:
            now_s = self.around.clock()
            if now_s >= self._replan_at_s:
                self._replan_at_s = math.inf
                self._plan_anew()
            self._start(now_s)
            self._tell()
            finished = self._of_executor(self.executor.wait, self._timeout_s(now_s))
            done = [result for result in map(self._settle, finished) if result is not None]
            if self._replan is not None and any(result.error is None for result in done):
                self._plan_anew()
                self._replan, self._replan_at_s = None, math.inf
                self._adjust_soon()
            self._start(self.around.clock())
            self._finish(done)
            self._look_around()
        self._measure()
        self._tell()

    # -- files -------------------------------------------------------------------------------

    def _start(self, now_s: float) -> None:
        for task in self.scheduler.start(now_s):
            self._tasks[task.file.index] = task
            if task.own_loop:
                self._of_executor(self.executor.submit, task)
                continue
            self._handed_s[task.file.index] = time.time()
            self._of_executor(self.executor.submit, replace(task, state=self._state_for(task.file)))
            self.tracker.started(task.file)

    def _settle(self, result: FileResult) -> FileResult | None:
        """What becomes of a file that comes back; None if it is run again."""
        task = self._task_of(result)
        now_s = self.around.clock()
        self.scheduler.finished(task.file.index, succeeded=result.error is None)
        if result.error is not None and not self.scheduler.stopping:
            action = self.manager.ask(
                "optimizer_file_failed",
                file=task.file,
                error=result.error,
                attempt=task.attempt,
                settings=self.settings,
            )
            if not isinstance(action, (RetryAction, type(None))):
                expected = "a RetryAction"
                raise self.manager.invalid_return("optimizer_file_failed", action, expected)
            if action is not None and self._follow(action, task, result.error.kind, now_s):
                return None
        if task.own_loop:
            self._checked(result)
            return None
        result = self._with_wait(result)
        self._processed(result)
        return result

    def _with_wait(self, result: FileResult) -> FileResult:
        handed_s = self._handed_s.pop(result.file.index, None)
        timings = result.timings
        if handed_s is None or not timings.began_s:
            return result
        wait_s = max(0.0, timings.began_s - handed_s)
        return replace(result, timings=replace(timings, wait_s=wait_s))

    def _of_executor(self, method: Callable[..., Any], *arguments: Any) -> Any:
        """What a method of the executor returns; whatever it raises names the plugin."""
        try:
            return method(*arguments)
        except OptimizerError:
            raise
        except Exception as error:
            blamed = self.manager.blame(error)
            if blamed is None:
                raise
            said = f"{type(error).__name__}: {error}"
            raise PluginError(
                f"{blamed}: its executor's {method.__name__} raised {said}"
            ) from error

    def _task_of(self, result: FileResult) -> FileTask:
        task = None
        if isinstance(result, FileResult) and isinstance(result.file, SimulationFile):
            task = self._tasks.pop(result.file.index, None)
        if task is None:
            expected = "the FileResult of a file that was submitted"
            raise self.manager.invalid_return("optimizer_executor", result, expected)
        if result.worker == os.getpid() and not self.executor.in_parent:
            raise PluginError(
                f"{self.executor.name} ran {task.file.stem} in the host's own process, where a "
                "crash would end the batch; choose another backend, or threading if that is wanted"
            )
        return task

    def _follow(self, action: RetryAction, task: FileTask, kind: ErrorKind, now_s: float) -> bool:
        """Whether the file is run again."""
        if action.reason:
            self._decide(f"{task.file.stem}: {action.reason}")
        if action.action == "stop":
            self.stopped_by = BatchStoppedError(action.reason)
            self.scheduler.stop()
            return False
        if action.action == "give_up":
            return False
        lost = kind in (ErrorKind.CRASHED, ErrorKind.TIMEOUT, ErrorKind.MEMORY)
        again = replace(task, attempt=task.attempt + 1, state=None, isolated=task.isolated or lost)
        if action.action == "wait":
            self.scheduler.pause(again, now_s, action.delay_s)
            if kind is ErrorKind.LICENCE:
                self._note_licence_wait(now_s, action.delay_s)
        elif not self.scheduler.retry(
            again, now_s, delay_s=action.delay_s, alone=action.action == "alone"
        ):
            who = self.manager.responders("optimizer_file_failed") or "a plugin"
            self._decide(
                f"{task.file.stem}: given up after {task.attempt} tries, though {who} "
                "asks for one more"
            )
            return False
        if not task.own_loop:
            self.tracker.interrupted(task.file)
        return True

    def _note_licence_wait(self, now_s: float, delay_s: float) -> None:
        until_s = now_s + delay_s
        self.licence_wait_s += max(0.0, until_s - max(now_s, self._waited_until_s))
        self._waited_until_s = max(self._waited_until_s, until_s)

    def _finish(self, results: Sequence[FileResult]) -> None:
        for processed in results:
            result = self._take(processed)
            self.tracker.finished(result)
            self.manager.tell("optimizer_file_finished", result=result, settings=self.settings)

    # -- what else there is to do ------------------------------------------------------------

    def _plan_anew(self) -> None:
        if self._replan is not None and not self.scheduler.stopping:
            self._replan()

    def _adjust_soon(self) -> None:
        """What the first file has told may be of use to the workers, too."""
        # CPU time over less than half a sample says little.
        self._adjust_at_s = max(self.around.clock(), self._busy.since_s + FIRST_LOOK_S)
        self._sample_at_s = min(self._sample_at_s, self._adjust_at_s)

    def _timeout_s(self, now_s: float) -> float:
        until_s = min(self._sample_at_s, self._replan_at_s, self.scheduler.wake_s(now_s))
        if self.tracker.untold:
            until_s = min(until_s, now_s + TELL_S)
        return max(0.0, until_s - now_s)

    def _tell(self) -> None:
        if self.tracker.due():
            progress = self.tracker.progress()
            self.manager.tell("optimizer_progress", progress=progress, settings=self.settings)
            self.tracker.told()

    def _look_around(self) -> None:
        """Memory and CPU time now and then; twice a second the plugins may change the limit."""
        now_s = self.around.clock()
        if now_s < self._sample_at_s:
            return
        observed = self._busy.look(self._measure())
        took_s = self.around.clock() - now_s
        self._sample_at_s = now_s + max(min(self.around.sample_s, now_s), took_s / SAMPLING_SHARE)
        planned = math.isinf(self._replan_at_s)  # or a plan is about to set the workers
        if now_s >= self._adjust_at_s and planned and not self.scheduler.done:
            self._adjust_at_s = now_s + min(ADJUST_S, now_s / EARLY_LOOKS)
            self._adjust(*observed)

    def _hold(self, adjustment: Adjustment) -> None:
        if self.scheduler.held == adjustment.starting:
            self.scheduler.held = not adjustment.starting
            word = "no more files start" if self.scheduler.held else "files start again"
            self._decide(f"{word}: {adjustment.reason}")

    def _measure(self) -> Usage:
        pids = self.executor.pids
        known = tuple(pids) if pids or self.executor.in_parent else None
        now_s = self.around.clock()
        usage = self.around.usage(known, unique=self.resources.wants_unique(now_s))
        self.resources.take(
            now_s,
            usage,
            files_running=self.scheduler.running,
            workers_limit=self.scheduler.limit,
            memory_available_mb=self.tracker.available_mb(),
        )
        self.tracker.memory_mb = sum(item.memory_mb for item in usage.values())
        cpu_s = {pid: item.cpu_s for pid, item in usage.items()}
        files = self.executor.files_by_pid
        files = {ALL: self.scheduler.running} if files is None else files
        return Usage(self.around.clock(), {**cpu_s, ALL: sum(cpu_s.values())}, files)

    def _adjust(self, busy_cores: float | None, observed_files: int) -> None:
        before = self.scheduler.limit
        adjustment = self.manager.ask_tolerant(
            "optimizer_adjust",
            progress=self.tracker.progress(busy_cores, observed_files),
            machine=self.around.machine(),
            settings=self.settings,
        )
        if adjustment is None:
            return
        if not isinstance(adjustment, Adjustment):
            raise self.manager.invalid_return("optimizer_adjust", adjustment, "an Adjustment")
        self._hold(adjustment)
        if adjustment.stop:
            self.stopped_by = BatchStoppedError(adjustment.reason)
            self.scheduler.stop()
            return
        self.scheduler.set_limit(adjustment.workers)
        if self.scheduler.limit != before:
            self._replan, self._replan_at_s = None, math.inf  # it knows more than the first file
            self.executor.resize(self.scheduler.limit)
            self._decide(f"workers {before} -> {self.scheduler.limit}: {adjustment.reason}")

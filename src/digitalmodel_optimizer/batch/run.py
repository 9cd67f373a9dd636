"""A batch from the engine's configuration to the engine's save functions."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from digitalmodel_optimizer.batch.admission import Admission
from digitalmodel_optimizer.batch.carried import CarriedState
from digitalmodel_optimizer.batch.control import BatchControl, Tracker
from digitalmodel_optimizer.batch.machine import measure_machine
from digitalmodel_optimizer.batch.monitor import Monitor
from digitalmodel_optimizer.batch.prewarmed import prewarmed
from digitalmodel_optimizer.batch.staging import Staging
from digitalmodel_optimizer.batch.worker import ProcessOneFile
from digitalmodel_optimizer.file.messages import say
from digitalmodel_optimizer.plugin import (
    Allocation,
    Assignment,
    Batch,
    BatchReport,
    ErrorKind,
    FileError,
    FileResult,
    FileTask,
    Group,
    Measured,
    OutputError,
    PluginError,
    Schedule,
    Settings,
    SimulationFile,
)
from digitalmodel_optimizer.plugin.manager import Manager
from digitalmodel_optimizer.report.format import count


@dataclass
class Outcome:
    """What came of the files: results by index, and whether the user stopped the batch."""

    results: dict[int, FileResult]
    interrupted: bool = False
    output_error: OutputError | None = None


class BatchRun:
    """Groups, allocates, executes and verifies; leaves merging and saving to the caller.

    :param process_file: processes one file, here or in a worker that it is sent to.
    :param carried: what each file has to start from, so that the answers are the engine's.
    """

    def __init__(
        self,
        batch: Batch,
        manager: Manager,
        settings: Settings,
        staging: Staging,
        process_file: ProcessOneFile,
        carried: CarriedState,
    ) -> None:
        self.batch = batch
        self.manager = manager
        self.hook = manager.hook
        self.settings = settings
        self.staging = staging
        self.process_file = process_file
        self.carried = carried
        self.outcome = Outcome({})
        self.decisions: list[str] = []
        self.schedule: Schedule | None = None
        self.backend = "serial"
        self.memory_peak_mb = 0.0
        self.tracker = Tracker(self.hook, settings, list(batch.files))
        self._broken_off = staging.broken_off()
        self._ready_workers = prewarmed.take_workers()
        self._start = time.perf_counter()

    def run(self) -> BatchReport:
        """Process every file that an interrupted run has not left a result for."""
        self.hook.optimizer_batch_started(batch=self.batch, settings=self.settings)
        self._take_up_earlier_results()
        pending = self._pending()
        with Monitor(self.manager, self.settings, self.tracker) as monitor:
            try:
                if self._first_goes_ahead(pending):
                    self._execute_here(pending[0])
                    pending = self._pending()
                if pending and not self.outcome.output_error:
                    self._execute(pending, monitor)
                while not self.outcome.output_error and (wrong := self._started_from_wrong()):
                    self.decisions.append(
                        f"{count(len(wrong), 'file')} processed again, with what those before leave"
                    )
                    self._forget(wrong)
                    self._execute(wrong, monitor)
            except KeyboardInterrupt:
                self.outcome.interrupted = True
        self.memory_peak_mb = monitor.memory_peak_mb
        return self._report()

    # -- which files, in which order ---------------------------------------------------------

    def _take_up_earlier_results(self) -> None:
        found = self.staging.noted(self.batch.files)
        for result in found.values():
            self.outcome.results[result.file.index] = result
            self.carried.finished(result)
            self.tracker.finished(result)
        if found:
            were = "file was" if len(found) == 1 else "files were"
            self.decisions.append(f"{len(found)} {were} finished by an interrupted run before")
        for file in self._pending():
            if file.index in self._broken_off:
                self.decisions.append(
                    f"{file.stem}: was being processed when an earlier run broke off; goes last, "
                    "in a process of its own where there can be one"
                )

    def _pending(self) -> list[SimulationFile]:
        return [file for file in self.batch.files if file.index not in self.outcome.results]

    def _first_goes_ahead(self, pending: Sequence[SimulationFile]) -> bool:
        """Whether the first file is run here, to learn from it, before the others are planned."""
        if len(pending) < 2 or pending[0].index in self._broken_off:
            return False
        answer = self.hook.optimizer_try_first(files=tuple(pending), settings=self.settings)
        return bool(answer)

    def _groups(self, files: Sequence[SimulationFile]) -> Sequence[Group]:
        groups = self.hook.optimizer_group_files(files=tuple(files), settings=self.settings)
        expected = "groups with every file in exactly one of them"
        try:
            grouped = sorted(file.index for group in groups for file in group.files)
        except (AttributeError, TypeError):
            raise self.manager.wrong_answer("optimizer_group_files", groups, expected) from None
        if grouped != sorted(file.index for file in files):
            raise self.manager.wrong_answer("optimizer_group_files", groups, expected)
        return groups  # type: ignore[no-any-return]

    def _plan(self, files: Sequence[SimulationFile]) -> Schedule:
        machine = measure_machine()
        measured = self._measured()
        assignments = []
        for group in self._groups(files):
            allocation = self.hook.optimizer_allocate(
                group=group,
                files=tuple(files),
                machine=machine,
                measured=measured,
                settings=self.settings,
            )
            if not isinstance(allocation, Allocation) or allocation.workers < 1:
                expected = f"an Allocation of one worker or more for {group.label}"
                raise self.manager.wrong_answer("optimizer_allocate", allocation, expected)
            assignments.append(Assignment(group, allocation))
            self.decisions.append(f"{group.label}: {allocation.reason}")
        order = [
            FileTask(file, item.allocation.native_threads, isolated=file.index in self._broken_off)
            for item in assignments
            for file in item.group.files
        ]
        # Stable: what every other file builds on first, what may end the run last, the rest as is.
        order.sort(key=lambda task: 1 if task.isolated else -1 if task.file.index == 0 else 0)
        return Schedule(tuple(assignments), tuple(order), measured)

    def _measured(self) -> Measured:
        done = [r for r in self.outcome.results.values() if r.error is None and r.timings.total_s]
        seconds = sum(result.timings.total_s for result in done)
        size_mb = sum(result.file.size_mb for result in done)
        native = sum(result.timings.load_s + result.timings.read_s for result in done)
        growth = [r.memory_growth_mb / r.file.size_mb for r in done if r.file.size_mb > 10]
        return Measured(
            files=len(done),
            seconds=seconds,
            size_mb=size_mb,
            native_share=min(1.0, native / seconds) if seconds else 0.0,
            memory_factor=max(growth) if growth else None,
            ready_workers=self._ready_workers,
        )

    # -- running -----------------------------------------------------------------------------

    def _execute_here(self, file: SimulationFile) -> None:
        group = Group("the first file", (file,))
        allocation = Allocation(1, 0, "in this process")
        task = FileTask(file, 0)
        control = self._control(Schedule((Assignment(group, allocation),), (task,), Measured()))
        self._collect([control.run(task, self.process_file)], control)

    def _execute(self, files: Sequence[SimulationFile], monitor: Monitor) -> None:
        schedule = self._plan(files)
        self.tracker.reorder([task.file for task in schedule.order])
        control = self._control(schedule)
        monitor.watch(control)
        stream = self.hook.optimizer_execute(
            schedule=schedule,
            process_file=self.process_file,
            control=control,
            settings=self.settings,
        )
        try:
            if not isinstance(stream, Iterable):
                raise self.manager.wrong_answer("optimizer_execute", stream, "an iterator")
            self._collect(stream, control)
            self._hold_executor_to(files, control)
        except BaseException:
            control.stop()
            raise
        finally:
            monitor.watch(None)
            self._ready_workers = 0
            close = getattr(stream, "close", None)
            if close is not None:
                close()
            self.decisions.extend(control.decisions)
            if self.schedule is None:  # the report is of the batch, not of the few done again
                self.schedule, self.backend = schedule, control.backend

    def _hold_executor_to(self, files: Sequence[SimulationFile], control: BatchControl) -> None:
        """Every file has its result, unless the batch was stopped."""
        lacking = [file.stem for file in files if file.index not in self.outcome.results]
        if lacking and not control.stopping:
            who = self.manager.answering("optimizer_execute")
            listed = ", ".join(lacking[:3]) + (", ..." if len(lacking) > 3 else "")
            raise PluginError(
                f"{who}: optimizer_execute gave no result for {count(len(lacking), 'file')}: "
                f"{listed}"
            )

    def _control(self, schedule: Schedule) -> BatchControl:
        budgets = [
            item.allocation.memory_budget_mb
            for item in schedule.assignments
            if item.allocation.memory_budget_mb is not None
        ]
        admission = Admission(schedule.workers, min(budgets, default=None))
        allocations = {
            file.index: item.allocation
            for item in schedule.assignments
            for file in item.group.files
        }
        self.tracker.limit = lambda: admission.limit
        return BatchControl(
            self.manager,
            self.settings,
            admission,
            allocations,
            self.carried.state_for,
            self.tracker,
        )

    def _collect(self, stream: Iterable[FileResult], control: BatchControl) -> None:
        for finished in stream:
            result = self._take(finished, control)
            self.outcome.results[result.file.index] = result
            self.carried.finished(result)

    def _take(self, result: FileResult, control: BatchControl) -> FileResult:
        """Say what the file said, move its outputs into place, note it as done."""
        if not isinstance(result, FileResult):
            raise self.manager.wrong_answer("optimizer_execute", result, "a FileResult")
        say(result.messages)
        result = self.carried.with_shared_state(replace(result, messages=()))
        if result.error is not None:
            if result.error.kind is ErrorKind.OUTPUT:
                self._write_no_more(result.error.message, control)
            return result
        try:
            fault = self.staging.publish(result)
            if fault is None:
                self.staging.note(result)
        except (OutputError, OSError) as error:
            fault = FileError(ErrorKind.OUTPUT, str(error))
            self._write_no_more(str(error), control)
        self.staging.clear(result)
        return result if fault is None else replace(result, error=fault, payload=None)

    def _write_no_more(self, message: str, control: BatchControl) -> None:
        """The disk is full or read-only: what other files would give could not be kept."""
        self.outcome.output_error = OutputError(message)
        control.stop()

    # -- verifying ---------------------------------------------------------------------------

    def _started_from_wrong(self) -> list[SimulationFile]:
        return self.carried.started_from_wrong(
            [self.outcome.results[i] for i in sorted(self.outcome.results)]
        )

    def _forget(self, files: Sequence[SimulationFile]) -> None:
        for file in files:
            del self.outcome.results[file.index]

    # -- reporting ---------------------------------------------------------------------------

    def _report(self) -> BatchReport:
        for file in self._pending():
            error = FileError(ErrorKind.STOPPED, "the batch was stopped before this file's turn")
            self.outcome.results[file.index] = FileResult(file, error)
        results = tuple(self.outcome.results[index] for index in sorted(self.outcome.results))
        notes = [f"{r.file.stem}: {text}" for r in results for text in r.warnings]
        return BatchReport(
            batch=self.batch,
            results=results,
            schedule=self.schedule,
            backend=self.backend,
            elapsed_s=time.perf_counter() - self._start,
            decisions=tuple(self.decisions),
            warnings=(*notes, *self.carried.doubts(results)),
            memory_peak_mb=self.memory_peak_mb,
            interrupted=self.outcome.interrupted,
        )

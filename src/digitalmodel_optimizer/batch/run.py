"""A batch: which files, planned how, run by which executor, and what came of them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import TracebackType

from digitalmodel_optimizer.batch.carried import CarriedState
from digitalmodel_optimizer.batch.files_run import Caller, FilesRun
from digitalmodel_optimizer.batch.loop import Surroundings
from digitalmodel_optimizer.batch.machine import measure_machine, measure_memory_mb
from digitalmodel_optimizer.batch.prewarmed import prewarmed
from digitalmodel_optimizer.batch.resources import tree_usage
from digitalmodel_optimizer.batch.reuse import Reuse, take_up
from digitalmodel_optimizer.batch.sample_check import SampleCheck
from digitalmodel_optimizer.batch.stage_board import Boards
from digitalmodel_optimizer.batch.staging import Staging
from digitalmodel_optimizer.batch.tracker import Tracker
from digitalmodel_optimizer.file.messages import say
from digitalmodel_optimizer.plugin import (
    Batch,
    BatchReport,
    ErrorKind,
    FileError,
    FileResult,
    OptimizerError,
    OutputError,
    ProcessFile,
    Settings,
    SimulationFile,
    VerificationError,
)
from digitalmodel_optimizer.plugin.manager import Manager
from digitalmodel_optimizer.report.format import count
from digitalmodel_optimizer.tables.publish import unwritable_name


@dataclass
class Outcome:
    """What came of the files: results by index, and why the batch did not come to its end."""

    results: dict[int, FileResult] = field(default_factory=dict)
    interrupted: bool = False
    fault: OptimizerError | None = None


class BatchRun:
    """Plans, runs and verifies; leaves merging and saving to the caller, inside its ``with``.

    :param process_file: processes one file, here or in a worker that it is sent to.
    :param carried: what each file has to start from, so that the answers are the host's.
    :param meanwhile: prepares the end of the batch, when the first files have been started.
    :param check: a few files that are compared with the host's own loop.
    """

    def __init__(
        self,
        batch: Batch,
        manager: Manager,
        settings: Settings,
        staging: Staging,
        process_file: ProcessFile,
        carried: CarriedState,
        meanwhile: Callable[[], None],
        check: SampleCheck | None = None,
    ) -> None:
        self.batch = batch
        self.manager = manager
        self.settings = settings
        self.staging = staging
        self.carried = carried
        self.check = check
        self.outcome = Outcome()
        self.decisions: list[str] = []
        self.reuse = Reuse()
        self.doubts: list[str] = []
        self._start, self._began_s = time.perf_counter(), time.time()
        self._machine = measure_machine()
        self._tracker = Tracker(batch.files, self._clock, lambda: measure_memory_mb()[1])
        self._boards = Boards(staging.folder)
        self._tracker.stages = self._stages
        self._ended_a_process = staging.broken_off(batch.files)
        self._files = FilesRun(
            manager,
            settings,
            process_file,
            self._tracker,
            Surroundings(self._clock, tree_usage, measure_machine, meanwhile),
            Caller(
                state_for=carried.state_for,
                processed=carried.finished,
                take=self._take,
                decide=self._decide,
                results=self.outcome.results,
                checked=self._checked,
            ),
            self._ended_a_process,
        )

    def __enter__(self) -> BatchRun:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._boards.close()
        if self._files.executor is not None:
            self._files.executor.close(kill=True)

    def run(self) -> BatchReport:
        """Process every file for which no earlier run has left a result."""
        self._take_up_earlier_results()
        self._refuse_names()
        self.manager.tell("optimizer_batch_started", batch=self.batch, settings=self.settings)
        broken_off = False
        try:
            pending = self._pending()
            if pending:
                self._run(pending)
        except KeyboardInterrupt:
            self.outcome.interrupted = True
        except OptimizerError as error:
            if not any(result.error is None for result in self.outcome.results.values()):
                raise  # nothing has been done, so there is nothing to report
            self.outcome.fault, broken_off = error, True
        if self._files.executor is not None and not self.outcome.interrupted:
            self._files.executor.close(kill=broken_off)
        return self._report()

    def computed(self, report: BatchReport) -> list[FileResult]:
        """Results of files that succeeded and were not supplied by a plugin."""
        reused = self.reuse.results.keys()
        return [r for r in report.results if r.error is None and r.file.index not in reused]

    def _decide(self, sentence: str) -> None:
        self.decisions.append(sentence)
        self._tracker.decision = sentence

    def _stages(self) -> Mapping[int, str]:
        executor = self._files.executor
        if executor is None:
            return {}
        return self._boards.stages([os.getpid()] if executor.in_parent else executor.pids)

    def _clock(self) -> float:
        return time.perf_counter() - self._start

    # -- which files -------------------------------------------------------------------------

    def _take_up_earlier_results(self) -> None:
        found = take_up(
            self.manager,
            self.settings,
            self.batch,
            self.staging.noted(self.batch.files),
            self.staging.adoption,
            self.carried,
        )
        self.outcome.results.update(found.results)
        self.reuse = found.reuse
        self._say_again(found.again)
        for result in self._by_index():
            self._tracker.resumed(result)
        left = len(self._pending())
        resumed = len(self.batch.files) - left - len(self.reuse.results)
        reused = len(self.reuse.results)
        self.batch = replace(self.batch, files_resumed=resumed, files_reused=reused)
        if resumed:
            self.decisions.append(
                f"{count(resumed, 'file')} already finished by an interrupted run, "
                f"{left} left to process"
            )

    def _refuse_names(self) -> None:
        for file in self._pending():
            fault = unwritable_name(file)
            if fault is not None:
                self.outcome.results[file.index] = FileResult(file, fault)
                self._tracker.finished(self.outcome.results[file.index])
                self.carried.finished(self.outcome.results[file.index])
            elif file.index in self._ended_a_process:
                self.decisions.append(
                    f"{file.stem}: was being processed when an earlier run was interrupted; runs "
                    "last, where it cannot take others along"
                )

    def _pending(self) -> list[SimulationFile]:
        return [file for file in self.batch.files if file.index not in self.outcome.results]

    def _run(self, pending: Sequence[SimulationFile]) -> None:
        try:
            checks = [] if self.check is None else [self.check.task]
            self._files.run(pending, prewarmed.take_workers(), checks)
            while not self._files.stopping and (wrong := self._mispredicted()):
                self._files.run_again(wrong)
            if not self._files.stopping:
                self._compare_sample()
        finally:
            self.outcome.fault = self.outcome.fault or self._files.stopped_by

    # -- results -----------------------------------------------------------------------------

    def _take(self, result: FileResult) -> FileResult:
        """Say what the file said, move its outputs into place, note it as done."""
        say(result.messages)
        result = self.carried.with_shared_state(replace(result, messages=()))
        start = time.perf_counter()
        result = self.staging.finish(result)
        publish_s = time.perf_counter() - start
        result = replace(result, timings=replace(result.timings, publish_s=publish_s))
        if result.error is not None:
            self.carried.finished(result)
            if result.error.kind is ErrorKind.DISK_FULL:
                self._write_no_more(result.error.message)
        self.outcome.results[result.file.index] = result
        self._compare_sample_soon()
        return result

    # -- a sample, compared with the host's own loop -----------------------------------------

    def _checked(self, result: FileResult) -> None:
        assert self.check is not None
        said = self.check.loop_done(result)
        if said is not None:
            self.doubts.append(said)
        self._compare_sample_soon()

    def _compare_sample_soon(self) -> None:
        """As soon as no file of the sample can be processed again: a wrong night ends early."""
        if self.check is None or self.check.done:
            return
        results = [self.outcome.results.get(file.index) for file in self.check.files]
        settled = all(
            result is not None
            and (
                result.error is not None
                or result.payload.started_from == self.carried.state_for(result.file)
            )
            for result in results
        )
        if settled:
            self._compare_sample()

    def _compare_sample(self) -> None:
        if self.check is None:
            return
        try:
            said = self.check.compare(self.outcome.results)
        except VerificationError as error:
            self.outcome.fault = self.outcome.fault or error
            self._files.stop()
        else:
            if said is not None:
                self.decisions.append(said)

    def _write_no_more(self, message: str) -> None:
        """The disk is full or read-only: what other files would give could not be kept."""
        self.outcome.fault = self.outcome.fault or OutputError(message)
        self._files.stop()

    def _by_index(self) -> list[FileResult]:
        return [self.outcome.results[index] for index in sorted(self.outcome.results)]

    def _mispredicted(self) -> list[SimulationFile]:
        """Files to run again, since they did not start from what the files before them left."""
        wrong = self.carried.mispredicted(self._by_index())
        self._say_again(self.reuse.refuse(wrong))
        for file in wrong:
            del self.outcome.results[file.index]
        return wrong

    def _say_again(self, files: Sequence[SimulationFile]) -> None:
        if files:
            self.decisions.append(
                f"{count(len(files), 'file')} processed again, with what the files before leave"
            )

    def _report(self) -> BatchReport:
        for file in self._pending():
            error = FileError(ErrorKind.STOPPED, "the batch was stopped before this file's turn")
            self.outcome.results[file.index] = FileResult(file, error)
        results = tuple(self._by_index())
        schedule = self._files.schedule
        plans = [
            f"{item.group.label}: {item.allocation.reason}"
            for item in (schedule.assignments if schedule else ())
        ]
        notes = [f"{r.file.stem}: {text}" for r in results for text in r.warnings]
        return BatchReport(
            batch=replace(self.batch, files_reused=len(self.reuse.results)),
            results=results,
            schedule=schedule,
            backend=self._files.executor.name if self._files.executor else "none",
            elapsed_s=self._clock(),
            decisions=(*plans, *self.reuse.decisions(), *_counted(self.decisions)),
            warnings=(*self.doubts, *notes, *self.carried.doubts(results)),
            memory_peak_mb=self._files.resources.peak_mb,
            interrupted=self.outcome.interrupted,
            reasons=self.reuse.counted(),
            began_s=self._began_s,
            samples=self._files.resources.samples,
            machine=self._machine,
            licence_wait_s=self._files.licence_wait_s,
        )


def _counted(sentences: Iterable[str]) -> list[str]:
    """Each sentence once, with how often it was said."""
    numbers: dict[str, int] = {}
    for sentence in sentences:
        numbers[sentence] = numbers.get(sentence, 0) + 1
    return [text if number == 1 else f"{text} ({number} times)" for text, number in numbers.items()]

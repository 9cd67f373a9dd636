"""What each file of a batch has to start from, so that its answer is the engine's own.

The engine processes files in order; the first that succeeds leaves something in the configuration
for all others (see :mod:`digitalmodel_optimizer.host.state`). A file that runs before the first
one is done starts from a prediction, and is checked afterwards.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from digitalmodel_optimizer.host.config import HostConfig, is_period
from digitalmodel_optimizer.host.state import (
    FIRST,
    EngineState,
    merge,
    predict,
    same_answer,
)
from digitalmodel_optimizer.plugin import FileResult, SimulationFile
from digitalmodel_optimizer.report.format import count
from digitalmodel_optimizer.tables.payload import EngineOutput


def state_after(state: EngineState, output: EngineOutput) -> EngineState:
    """What the next file finds, after a file that found ``state``."""
    return EngineState(merge(state.changes, output.left), output.begun)


class CarriedState:
    """Keeps the state of one batch.

    ``apart``: the engine would have worked on the files in processes of their own, so that every
    one starts from the configuration as it was read.
    """

    def __init__(self, cfg: Any, files: Sequence[SimulationFile], *, apart: bool = False) -> None:
        self._config = HostConfig(cfg)
        self._apart = apart
        self._predicted = predict(cfg)
        self._done: dict[int, FileResult] = {}
        self._indices = [file.index for file in files]
        self._certain: dict[int, EngineState] = {}
        self._behind: tuple[FileResult, EngineState] | None = None

    def state_for(self, file: SimulationFile) -> EngineState:
        """The state that ``file`` starts from: exact where the files before it are done."""
        if self._apart:
            return FIRST
        if file.index in self._certain:
            return self._certain[file.index]
        for index in self._indices:
            if index == file.index:
                break
            result = self._done.get(index)
            if result is None:
                return self._predicted
            if result.error is None:
                return self._left_by_first(result)
        return FIRST

    def _left_by_first(self, first: FileResult) -> EngineState:
        """What all files behind the first that succeeded start from: one state for all."""
        if self._behind is None or self._behind[0] is not first:
            self._behind = (first, state_after(FIRST, first.payload))
        return self._behind[1]

    def with_shared_state(self, result: FileResult) -> FileResult:
        """``result`` with the state that it was given, not the copy of it that has come back."""
        output: EngineOutput | None = result.payload
        for state in (self._behind[1] if self._behind else FIRST, self._predicted):
            if output is not None and output.started_from == state:
                return replace(result, payload=replace(output, started_from=state))
        return result

    def finished(self, result: FileResult) -> None:
        self._done[result.file.index] = result

    def mispredicted(self, results: Iterable[FileResult]) -> list[SimulationFile]:
        """Files, in engine order, whose answer is not what the engine's loop would have given.

        Everything up to the first such file is settled; those behind it are judged by what the
        settled ones leave, so a second look may find more. A file that was given this very state
        is settled, whatever a comparison says, or there would be no end.
        """
        if self._apart:
            return []
        wrong = []
        state = FIRST
        for result in results:
            if result.error is not None:
                continue
            output: EngineOutput = result.payload
            used = output.started_from
            right = used.records == state.records and same_answer(
                used.changes, output.left, state.changes
            )
            if not right and self._certain.get(result.file.index) != state:
                wrong.append(result.file)
                self._certain[result.file.index] = state
                if state == FIRST:
                    return wrong  # what the others need is only known once the first is right
                continue
            state = state_after(state, output)
        return wrong

    def doubts(self, results: Sequence[FileResult]) -> list[str]:
        """Warnings where the engine's own answer is doubtful, with the columns' names."""
        if self._apart:
            return []
        done = [result for result in results if result.error is None]
        return [*self._open_periods(done), *self._appended_indices(done)]

    def _open_periods(self, done: Sequence[FileResult]) -> list[str]:
        if not done:
            return []
        first: EngineOutput = done[0].payload
        filled = {change.path: change.new for change in first.left if change.filled}
        warnings = []
        for path, stop in filled.items():
            if not is_period(path):
                continue
            others = [r.file.stem for r in done if r.payload.stop_time_s != stop]
            if others:
                verb = "stops" if len(others) == 1 else "stop"
                warnings.append(
                    f"time series {self._config.labels(path)}: the open end of its period is "
                    f"{stop:g} s, the stop time of the first file ({done[0].file.stem}), for all "
                    f"files, as the engine has it; {count(len(others), 'file')} {verb} at another "
                    f"time, {others[0]} for one"
                )
        return warnings

    def _appended_indices(self, done: Sequence[FileResult]) -> list[str]:
        if len(done) < 2:
            return []
        return [
            f"summary {self._config.labels(path)}: the engine selects the active "
            "current for the first file only; for the others the value is of the current that "
            "was selected when the file was saved"
            for path, variable in self._config.appended_indices()
            if "RefCurrent" in str(variable[0])
        ]

"""``verify: sample``: a few files of a batch, compared with the host's own loop over them.

The loop runs as one more task of the executor, under the batch's budgets
(:mod:`~digitalmodel_optimizer.batch.own_loop`). Its tables are compared with those that the
plugins' results for the same files give.
"""

from __future__ import annotations

import filecmp
import os
import random
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from digitalmodel_optimizer.batch.own_loop import tables_folder
from digitalmodel_optimizer.batch.worker import Worker
from digitalmodel_optimizer.file.attempts import attempt_folder
from digitalmodel_optimizer.file.unit import BatchFiles
from digitalmodel_optimizer.plugin import (
    Batch,
    FileResult,
    FileTask,
    SimulationFile,
    VerificationError,
)
from digitalmodel_optimizer.plugin.private import remove_tree
from digitalmodel_optimizer.report.format import count
from digitalmodel_optimizer.tables.differences import compare_tables
from digitalmodel_optimizer.tables.differences_in_words import table_in_words
from digitalmodel_optimizer.tables.save import save_merged

_NAME = "verify-sample"


class SampleCheck:
    """The sample of one batch.

    :param worker: the parent's, whose host saves the summaries.
    :param apart: the host would have worked on each file in a process of its own, so that its loop
        over one file knows nothing of those before.
    """

    def __init__(
        self, batch: Batch, worker: Worker, shared: BatchFiles, number: int, *, apart: bool = False
    ) -> None:
        self.worker = worker
        self.shared = shared
        self.apart = apart
        self.done = False
        self._stems = Counter(map(_stem, batch.files))
        self.files = _drawn(batch, number, self._stems)
        self._lists = tuple((file,) for file in self.files) if apart else (self.files,)
        self._attempt: str | None = None
        sizes = sorted((file.size_bytes for file in self.files), reverse=True)
        # The host has two models in memory when it goes from one file to the next.
        stands_for = SimulationFile(len(batch.files), _NAME, sum(sizes[:2]))
        self.task = FileTask(stands_for, native_threads=0, own_loop=self._lists)

    def loop_done(self, result: FileResult) -> str | None:
        """The host's own loop has come to its end; why not, as a sentence."""
        if result.error is None:
            self._attempt = attempt_folder(self.shared.staging, result.file, result.attempt)
            return None
        self.done = True
        return (
            f"verify: sample: nothing was compared, the host's own loop over {self._names()} "
            f"failed: {result.error.kind.value}: {result.error.message}"
        )

    def compare(self, results: Mapping[int, FileResult]) -> str | None:
        """What was compared, as a sentence; None where that has to wait for more results.

        :param results: by index of their file.
        :raises VerificationError: the tables differ.
        """
        if self.done or self._attempt is None:
            return None
        if any(file.index not in results for file in self.files):
            return None
        self.done = True
        failed = [file.stem for file in self.files if results[file.index].error is not None]
        if failed:
            return f"verify: sample: nothing was compared, since {', '.join(failed)} failed"
        try:
            difference = self._difference(results, self._attempt)
        except Exception as error:  # whatever saving or reading raises: it is no difference
            said = f"{type(error).__name__}: {error}"
            return f"verify: sample: {self._names()} could not be compared ({said})"
        if difference is not None:
            raise VerificationError(
                f"verify: sample: {difference}. The batch was stopped: summaries were not written, "
                "and time series of this run are not to be trusted. Run the batch with the plugins "
                "off (orcaflex.parallel.enabled: False), and report the difference"
            )
        return f"verify: sample: {self._names()} equal to the host's own loop"

    def _names(self) -> str:
        stems = ", ".join(file.stem for file in self.files)
        return f"{count(len(self.files), 'file')} ({stems})"

    def _difference(self, results: Mapping[int, FileResult], attempt: str) -> str | None:
        """The first difference, list by list; nothing of the comparison is left behind."""
        try:
            for place, files in enumerate(self._lists):
                chosen = [results[file.index] for file in files]
                ours = self._summaries(chosen, attempt) | self._series(chosen)
                theirs = _tables_below(tables_folder(attempt, place))
                overwritten = self._series(self._namesakes(chosen))
                difference = next(_differences(theirs, ours, overwritten), None)
                if difference is not None:
                    return difference
        finally:
            remove_tree(attempt)
        return None

    def _summaries(self, results: Sequence[FileResult], attempt: str) -> dict[str, str]:
        """As the host saves them for these results alone."""
        folder = os.path.join(attempt, "ours")
        remove_tree(folder)
        os.makedirs(folder)
        cfg = self.shared.cfg_of([result.file for result in results], folder)
        host = self.worker.host
        engine = host.post_process_class()
        self.worker.seams.put_in_place()
        save_merged(host, engine, cfg, results, f"{folder}-staged", apart=self.apart)
        return _tables_below(folder)

    def _series(self, results: Sequence[FileResult]) -> dict[str, str]:
        """In their places, where they are by now."""
        finals = [output.final for result in results for output in result.outputs]
        return {os.path.relpath(path, self.shared.results_folder): path for path in finals}

    def _namesakes(self, results: Sequence[FileResult]) -> list[FileResult]:
        """Those whose time series another file of the batch writes to as well."""
        return [result for result in results if self._stems[_stem(result.file)] > 1]


def _stem(file: SimulationFile) -> str:
    return os.path.normcase(file.stem)


def _drawn(batch: Batch, number: int, stems: Mapping[str, int]) -> tuple[SimulationFile, ...]:
    """The first file, on which all others build, and some more; the same for the same batch.

    Files of one name share the names of their time series, so none of them is drawn.
    """
    others = [file for file in batch.files[1:] if stems[_stem(file)] == 1]
    draw = random.Random(batch.identifier)  # noqa: S311 - the same files in each run
    drawn = draw.sample(others, min(number - 1, len(others)))
    return (batch.files[0], *sorted(drawn, key=lambda file: file.index))


def _tables_below(folder: str) -> dict[str, str]:
    """Paths of the tables below ``folder``, by their relative names."""
    paths = (os.path.join(root, name) for root, _, names in os.walk(folder) for name in names)
    return {os.path.relpath(path, folder): path for path in paths if path.endswith(".csv")}


def _differences(
    theirs: Mapping[str, str], ours: Mapping[str, str], left_out: Collection[str]
) -> Iterator[str]:
    for name in sorted({*theirs, *ours} - {*left_out}):
        if name not in ours:
            yield f"{name} was not written by the plugins"
        elif name not in theirs:
            yield f"{name} is not written by the host's own loop"
        elif not filecmp.cmp(theirs[name], ours[name], shallow=False):
            yield f"{name}, {_in_words(Path(theirs[name]), Path(ours[name]))}"


def _in_words(theirs: Path, ours: Path) -> str:
    table = compare_tables(theirs, ours)
    place = table.first
    if place is None:
        return f"differs from that of the host's own loop: {'; '.join(table_in_words(table))}"
    return (
        f"row {place.row}, column {place.column}: the host's own loop has "
        f"{place.left or 'no value'}, the plugins have {place.right or 'no value'}"
    )

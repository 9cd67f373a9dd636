"""Results of earlier runs that still hold: the file as it was read, the outputs as they were."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from digitalmodel_optimizer.batch.finished import Finished, finished_of
from digitalmodel_optimizer.plugin import FileResult, SimulationFile
from digitalmodel_optimizer.plugin.journal import Journal
from digitalmodel_optimizer.tables.publish import leaves


class Adoption:
    """Takes over what was finished, for outputs in ``results_folder``; nothing is written.

    ``published``: of which file the output under each name is, the last one counts. ``finished``:
    what has been taken over, by index.
    """

    def __init__(self, results_folder: str) -> None:
        self.results_folder = results_folder
        self.published: dict[str, int] = {}
        self.finished: dict[int, Finished] = {}

    def noted(
        self, journal: Journal | None, files: Sequence[SimulationFile]
    ) -> dict[int, FileResult]:
        """Results that an interrupted run of this batch has left, for files that are unchanged.

        So must their outputs be: another batch may have written to the same names meanwhile.
        """
        records = journal.records() if journal is not None else []
        kept = {
            finished.result.file.path: finished
            for finished in map(finished_of, records)
            if finished is not None
        }
        found: dict[int, FileResult] = {}
        for file in files:
            finished = kept.get(file.path)
            if finished is not None and finished.input_holds():
                result = self.adopt(finished, file)
                if result is not None:
                    found[file.index] = result
        return found

    def adopt(self, finished: Finished, file: SimulationFile) -> FileResult | None:
        """Take over what was finished as the result of ``file``.

        :return: the result; None if an output of it is not there as it was written.
        """
        outputs = finished.result.outputs
        if not finished.outputs_hold() or any(
            leaves(self.results_folder, item.final) for item in outputs
        ):
            return None
        result = replace(finished.result, file=file)
        self.finished[file.index] = replace(finished, result=result)
        for item in outputs:  # of files that share a name the last one counts
            self.published[item.final] = max(file.index, self.published.get(item.final, -1))
        return result

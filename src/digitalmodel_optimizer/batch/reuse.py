"""Results that plugins have kept, and what they depend on besides the files."""

from __future__ import annotations

import hashlib
import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from digitalmodel_optimizer import __version__
from digitalmodel_optimizer.batch.adoption import Adoption
from digitalmodel_optimizer.batch.carried import CarriedState
from digitalmodel_optimizer.batch.finished import finished_of, stamp
from digitalmodel_optimizer.host.versions import host_versions
from digitalmodel_optimizer.plugin import (
    Batch,
    FileResult,
    KeptResults,
    Settings,
    SimulationFile,
    Timings,
)
from digitalmodel_optimizer.plugin.manager import Manager
from digitalmodel_optimizer.report.format import count

UNREADABLE = "what was kept cannot be used"
OUTPUT_GONE = "an output is missing or has changed"
OTHER_STATE = "the files before it leave something else"
SETTINGS = "settings"


def conditions_of(
    manager: Manager, settings: Settings, folder: str, parts: Sequence[Any]
) -> dict[str, str]:
    """What the results of a batch depend on, besides its files.

    :param parts: what the host's configuration says of them.
    """
    return {
        SETTINGS: hashlib.sha256(repr(parts).encode("utf-8", "surrogatepass")).hexdigest(),
        "results folder": folder,
        "digitalmodel-optimizer": __version__,
        "plugins": manager.describe_others(settings),
        **host_versions(),
    }


@dataclass
class Reuse:
    """Results by index that need not be computed, and why others are not among them."""

    results: dict[int, FileResult] = field(default_factory=dict)
    reasons: dict[int, str] = field(default_factory=dict)

    def find(
        self,
        manager: Manager,
        settings: Settings,
        adoption: Adoption,
        batch: Batch,
        files: Sequence[SimulationFile],
    ) -> None:
        """Ask the plugins for results of ``files``, and take over those that hold.

        :raises PluginError: the answer cannot be used at all.
        """
        hook = "optimizer_reuse_results"
        kept = manager.ask_tolerant(hook, batch=batch, files=tuple(files), settings=settings)
        if kept is None:
            return
        fits = isinstance(kept, KeptResults) and all(
            isinstance(given, Mapping) for given in (kept.records, kept.reasons)
        )
        if not fits:
            raise manager.invalid_return(hook, kept, "KeptResults")
        for file in files:
            record = kept.records.get(file.index)
            if record is None:
                self.reasons[file.index] = str(kept.reasons.get(file.index, "not kept"))
                continue
            finished = finished_of(record)
            if finished is None or finished.result.file.path != file.path:
                self.reasons[file.index] = UNREADABLE
                continue
            result = adoption.adopt(finished, file)
            if result is None:
                self.reasons[file.index] = OUTPUT_GONE
                continue
            # What it has cost is no cost of this run.
            self.results[file.index] = replace(
                result, input_stamp=stamp(file.path), timings=Timings(), notes={}
            )

    def refuse(self, files: Sequence[SimulationFile]) -> list[SimulationFile]:
        """Give up what was kept of ``files``; those of which nothing was."""
        for file in files:
            if self.results.pop(file.index, None) is not None:
                self.reasons[file.index] = OTHER_STATE
        return [file for file in files if self.reasons.get(file.index) != OTHER_STATE]

    def counted(self) -> dict[str, int]:
        """How many files each reason has; the most frequent first."""
        return dict(Counter(self.reasons.values()).most_common())

    def decisions(self) -> list[str]:
        """What was taken and what was read, in a sentence for each reason."""
        number = len(self.results)
        taken = [f"{count(number, 'file')} unchanged, taken from the cache"] if number else []
        read = [f"{count(number, 'file')} read: {why}" for why, number in self.counted().items()]
        return [*taken, *read]


@dataclass(frozen=True)
class Earlier:
    """Results of earlier runs that a batch begins with, by index, and those of them that were kept.

    ``again``: files whose results would have held, had they started from what the files before
    them leave.
    """

    results: Mapping[int, FileResult]
    reuse: Reuse
    again: Sequence[SimulationFile]


def take_up(
    manager: Manager,
    settings: Settings,
    batch: Batch,
    resumed: Mapping[int, FileResult],
    adoption: Adoption,
    carried: CarriedState,
) -> Earlier:
    """What an interrupted run has left (``resumed``), then what plugins have kept.

    As far as it is certain by now what a file starts from; the others are looked at later.
    """
    results, reuse = dict(resumed), Reuse()
    if settings.cache:
        pending = [file for file in batch.files if file.index not in results]
        reuse.find(manager, settings, adoption, batch, pending)
        results.update(reuse.results)
    for index in sorted(results):
        carried.finished(results[index])
    known = itertools.takewhile(lambda file: file.index in results, batch.files)
    wrong = carried.mispredicted([results[file.index] for file in known])
    again = reuse.refuse(wrong)
    for file in wrong:
        del results[file.index]
    return Earlier(results, reuse, again)

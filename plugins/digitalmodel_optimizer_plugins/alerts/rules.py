"""What is worth telling of a batch: rules over its facts, and over a batch that still runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from digitalmodel_optimizer.plugin import BYTES_PER_MB, Option, Progress

RULES = (
    Option(
        "slower_than_usual",
        float,
        1.5,
        "Tell if the loop takes so many times the median of comparable earlier runs.",
        minimum=1,
        optional=True,
    ),
    Option(
        "memory_share",
        float,
        0.9,
        "Tell if all processes together take this share of the machine's memory.",
        minimum=0,
        maximum=1,
        optional=True,
    ),
    Option(
        "failed_share",
        float,
        0.0,
        "Tell if more than this share of the files has failed.",
        minimum=0,
        maximum=1,
        optional=True,
    ),
    Option(
        "licence_wait_s",
        float,
        60.0,
        "Tell if nothing was started for so long since a licence was refused.",
        unit="seconds",
        minimum=0,
        optional=True,
    ),
    Option(
        "stalled_s",
        float,
        1800.0,
        "Tell, while the batch runs, of a file that has run for so long.",
        unit="seconds",
        minimum=1,
        optional=True,
    ),
    Option(
        "disk_free_mb",
        float,
        1000.0,
        "Tell, while the batch runs, if less is free where results are written.",
        unit="MB",
        minimum=0,
        optional=True,
    ),
    Option("refused", bool, True, "Tell of checks, and of other plugins, that let the run fail."),
    Option("stopped", bool, True, "Tell of a batch that has not come to its end."),
)


@dataclass(frozen=True)
class Alert:
    """``rule`` is the option that asks for it."""

    rule: str
    sentence: str


def alerts_of(facts: Mapping[str, Any], options: Mapping[str, Any]) -> Iterator[Alert]:
    """What the report of a batch gives reason to tell."""
    earlier, limit = facts["earlier"], options["slower_than_usual"]
    known = earlier is not None and earlier["runs"] and limit is not None
    if known and facts["elapsed_s"] > limit * earlier["median_s"]:
        times = facts["elapsed_s"] / earlier["median_s"]
        said = f"took {facts['elapsed_s']:.1f} s, {times:.1f} times the {earlier['median_s']:.1f} s"
        yield Alert("slower_than_usual", f"{said} of {earlier['runs']} earlier runs")
    limit, machine = options["memory_share"], facts["machine"]
    if limit is not None and machine and machine["memory_total_mb"]:
        share = facts["memory_peak_mb"] / machine["memory_total_mb"]
        if share > limit:
            said = f"took {facts['memory_peak_mb']:.0f} MB at the peak, {share:.0%} of the memory"
            yield Alert("memory_share", said)
    limit, failed = options["failed_share"], len(facts["failed"])
    if limit is not None and failed and failed > limit * facts["files"]:
        first = facts["failed"][0]
        said = f"{failed} of {facts['files']} files failed, {first['file']} for one"
        yield Alert("failed_share", f"{said}: {first['message']}")
    limit = options["licence_wait_s"]
    if limit is not None and facts["licence_wait_s"] > limit:
        yield Alert("licence_wait_s", f"waited {facts['licence_wait_s']:.0f} s for a licence")
    if options["refused"]:
        for sentence in facts["refused"]:
            yield Alert("refused", sentence)
    if options["stopped"] and (facts["interrupted"] or facts["files_left"]):
        done, files = facts["files_done"], facts["files"]
        yield Alert("stopped", f"ended before its end: {done} of {files} files are done")


@dataclass
class Watch:
    """Looks at a batch while it runs; tells each thing once."""

    options: Mapping[str, Any]
    _since_s: dict[int, float] = field(default_factory=dict)
    _told: set[object] = field(default_factory=set)

    def look(self, progress: Progress, free_bytes: int | None) -> Iterator[Alert]:
        running = {file.index: file for file in progress.running}
        self._since_s = {index: self._since_s.get(index, progress.elapsed_s) for index in running}
        limit = self.options["stalled_s"]
        for index, since_s in self._since_s.items():
            ran_s = progress.elapsed_s - since_s
            if limit is not None and ran_s > limit and index not in self._told:
                self._told.add(index)
                yield Alert("stalled_s", f"{running[index].path} has run for {ran_s:.0f} s")
        limit = self.options["disk_free_mb"]
        if limit is None or free_bytes is None or free_bytes > limit * BYTES_PER_MB:
            return
        if "disk" not in self._told:
            self._told.add("disk")
            free_mb = free_bytes / BYTES_PER_MB
            yield Alert("disk_free_mb", f"{free_mb:.0f} MB are left where results are written")

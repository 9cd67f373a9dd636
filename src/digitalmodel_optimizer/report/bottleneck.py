"""What a batch has waited for most, in words, with the numbers that say so.

Each candidate is a share of the time that the user has waited; the largest that passes its
threshold is named. The thresholds are where the other causes together are no longer the larger
part; they are choices, not laws.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from digitalmodel_optimizer.plugin import BatchReport, FileResult
from digitalmodel_optimizer.report.format import amount, duration

NONE = "none"
START_SHARE = 0.5
LICENCE_SHARE = 0.3
TAIL_SHARE = 0.4
BUSY_SHARE = 0.8
WAITING_SHARE = 0.35
_LIMITED = {
    "memory": ("memory", "memory allows"),
    "licences": ("licences", "licences allow"),
    "ceiling": ("ceiling", "the configured ceiling allows"),
}


class Bottleneck(NamedTuple):
    """``kind``: one word for programs; ``sentence``: for people; ``share``: of the waiting time."""

    kind: str
    sentence: str
    share: float = 0.0


def bottleneck_of(report: BatchReport) -> Bottleneck:
    """What limits the batch of ``report``; kind ``none`` where no cause stands out."""
    found = [item for item in _candidates(report) if item is not None]
    if not found:
        return Bottleneck(NONE, "")
    return max(found, key=lambda item: item.share)


def _candidates(report: BatchReport) -> Iterator[Bottleneck | None]:
    worked = [item for item in report.results if item.timings.total_s and item.error is None]
    yield _start(report)
    yield _licence(report)
    if worked:
        yield _one_file(report, worked)
        yield _processor(report)
        yield _disk(worked)


def _start(report: BatchReport) -> Bottleneck | None:
    if not report.command_s:
        return None
    start_s = report.command_s - report.elapsed_s
    share = start_s / report.command_s
    if share < START_SHARE:
        return None
    took = f"{duration(start_s)} of {duration(report.command_s)}"
    return Bottleneck("start", f"the host's own start: {took}", share)


def _licence(report: BatchReport) -> Bottleneck | None:
    share = report.licence_wait_s / report.elapsed_s if report.elapsed_s else 0.0
    if share < LICENCE_SHARE:
        return None
    waited = f"{duration(report.licence_wait_s)} of {duration(report.elapsed_s)}"
    return Bottleneck("licences", f"OrcaFlex licences: waited for one for {waited}", share)


def _one_file(report: BatchReport, worked: Sequence[FileResult]) -> Bottleneck | None:
    """One long file at the end, beside which the other workers have nothing to do."""
    known = [item for item in worked if item.timings.began_s]
    workers = report.schedule.max_workers if report.schedule else 1
    if len(known) < 2 or workers < 2 or not report.elapsed_s:
        return None
    known.sort(key=_end_s)
    before, last = known[-2:]
    alone_s = _end_s(last) - max(_end_s(before), last.timings.began_s)
    share = alone_s / report.elapsed_s
    if share < TAIL_SHARE:
        return None
    size = amount(last.file.size_mb)
    said = f"one long file: {last.file.stem} ({size}) ran alone for {duration(alone_s)}"
    return Bottleneck("one_file", f"{said} of {duration(report.elapsed_s)}", share)


def _end_s(result: FileResult) -> float:
    return result.timings.began_s + result.timings.total_s


def _processor(report: BatchReport) -> Bottleneck | None:
    """The cores are busy; or they are not, since something else limits the workers."""
    machine = report.machine
    if machine is None or not report.samples or not report.elapsed_s:
        return None
    last = report.samples[-1]
    busy = last.cpu_s / last.at_s if last.at_s else 0.0
    share = busy / machine.logical_cpus
    if share >= BUSY_SHARE:
        cores = f"{busy:.1f} of {machine.logical_cpus} cores busy"
        return Bottleneck("cpu", f"processor: {cores} on average", min(1.0, share))
    limits = [item.allocation for item in report.schedule.assignments] if report.schedule else []
    for allocation in limits:
        known = _LIMITED.get(allocation.limited_by)
        if known is not None and allocation.workers < machine.logical_cpus:
            kind, words = known
            idle = f"{busy:.1f} of {machine.logical_cpus} cores busy"
            said = f"{words} {allocation.workers} at a time, with {idle}"
            return Bottleneck(kind, f"{kind}: {said}", 1.0 - share)
    return None


def _disk(worked: Sequence[FileResult]) -> Bottleneck | None:
    """Loading that waits rather than computes: the bytes do not come any faster."""
    total_s = sum(item.timings.total_s for item in worked)
    load_s = sum(item.timings.load_s for item in worked)
    waited_s = sum(max(0.0, t.load_s - t.load_cpu_s) for t in (item.timings for item in worked))
    share = waited_s / total_s
    if share < WAITING_SHARE:
        return None
    size_mb = sum(item.file.size_mb for item in worked)
    rate = f"{amount(size_mb / load_s)}/s for each worker" if load_s else ""
    said = f"waiting for the files' bytes takes {share:.0%} of the workers' time ({rate})"
    return Bottleneck("disk", f"disk: {said}", share)

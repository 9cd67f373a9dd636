"""The page of one run: what came out, where the time went, what was decided, what failed."""

from __future__ import annotations

import html
import itertools
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePath
from statistics import median
from typing import Any

from digitalmodel_optimizer.history.store import Run
from digitalmodel_optimizer.pages.parts import STAGE_COLOURS, legend, page, table
from digitalmodel_optimizer.pages.svg import Plot
from digitalmodel_optimizer.report.facts import STAGES
from digitalmodel_optimizer.report.format import amount, count, duration
from digitalmodel_optimizer.report.report import headline

Facts = Mapping[str, Any]
Record = Mapping[str, Any]

_COLOURS = {
    **STAGE_COLOURS,
    "memory": "#35618f",
    "unique": "#5fb0ab",
    "files": "#e08a1e",
    "moved": "#4e9a47",
    "done": "#35618f",
    "odd": "#c23b22",
    "this": "#c23b22",
    "earlier": "#35618f",
}
_WORKER_STAGES = STAGES[1:-1]
# A bar for each stage of each file, up to so many files; a bar for each file beyond.
_MOST_STAGED = 400
_MOST_WORKERS = 64
_SLOWEST = 25
_MOST_FAILURES = 200
_NAMED = 8
# Farther from the line of the others than so many of their own usual distances.
_ODD = 6.0


def run_page(facts: Facts, earlier: Sequence[Run] = ()) -> str:
    """The page of a run.

    :param facts: :func:`~..report.facts.report_as_dict`, as the history keeps it.
    :param earlier: runs of the same batch, in order of time, this one perhaps among them.
    """
    name = PurePath(facts["source"] or facts["results_folder"]).name
    return page(f"{name}: {headline(facts)}", _body(name, facts, earlier), _COLOURS)


def _body(name: str, facts: Facts, earlier: Sequence[Run]) -> Iterator[str]:
    worked = [item for item in facts["records"] if item["total_s"]]
    yield from _head(name, facts)
    yield from _failures(facts)
    if worked:
        yield from _by_stage(worked)
        yield from _timeline(worked, facts)
    yield from _resources(facts)
    if worked:
        yield from _against_size(worked)
    yield from _earlier(facts, earlier)
    yield from _decisions(facts)
    if worked:
        yield from _slowest(worked)


def _head(name: str, facts: Facts) -> Iterator[str]:
    said = headline(facts).partition(": ")[2]
    good = not (facts["failed"] or facts["interrupted"] or facts["files_left"] or facts["refused"])
    began = time.strftime("%Y-%m-%d %H:%M", time.localtime(facts["began_s"]))
    yield f"<h1>{html.escape(name)}</h1>\n"
    yield f'<p class="{"good" if good else "bad"}">{html.escape(said)}</p>\n'
    limited = facts["bottleneck"]["sentence"]
    yield f"<p>Limited by {html.escape(limited)}.</p>\n" if limited else ""
    yield f'<p class="quiet">{began}, {html.escape(str(facts["results_folder"]))}</p>\n'
    machine = facts["machine"] or {}
    figures = [
        (f"{facts['files_per_s']:.3g}", "files/s"),
        (f"{amount(facts['mb_per_s'])}/s", f"of {amount(facts['size_done_mb'])}"),
        (amount(facts["memory_peak_mb"]), "memory at the peak"),
        (str(facts["workers"]), f"workers, {facts['backend']}"),
        (str(machine.get("logical_cpus", "?")), "logical CPUs"),
    ]
    items = "".join(f"<li><b>{html.escape(a)}</b>{html.escape(b)}</li>" for a, b in figures)
    yield f'<ul class="facts">{items}</ul>\n'


def _failures(facts: Facts) -> Iterator[str]:
    failed = facts["failed"]
    if facts["refused"]:
        yield "".join(f'<p class="bad">{html.escape(text)}</p>\n' for text in facts["refused"])
    if not failed:
        return
    yield f"<h2>{count(len(failed), 'file')} failed</h2>\n"
    rows = [
        (PurePath(item["file"]).name, item["kind"], item["attempt"], item["message"])
        for item in failed[:_MOST_FAILURES]
    ]
    yield table(("file", "kind", "tries", "message"), rows, text=2)
    if len(failed) > _MOST_FAILURES:
        yield f'<p class="quiet">and {len(failed) - _MOST_FAILURES} more</p>\n'


def _by_stage(worked: Sequence[Record]) -> Iterator[str]:
    yield "<h2>Time by stage</h2>\n"
    sums = {stage: sum(item[f"{stage}_s"] for item in worked) for stage in STAGES}
    cpu = {stage: sum(item[f"{stage}_cpu_s"] for item in worked) for stage in _WORKER_STAGES}
    total_s = sum(sums[stage] for stage in _WORKER_STAGES) or 1.0
    plot = Plot("seconds of all workers", "", total_s, 1, height=86, rows=("wall",))
    at_s = 0.0
    for stage in _WORKER_STAGES:
        words = f"{stage}: {duration(sums[stage])}"
        plot.bar(at_s, at_s + sums[stage], 0.1, 0.9, stage, words)
        at_s += sums[stage]
    yield legend((stage, stage) for stage in _WORKER_STAGES)
    yield plot.drawn("the workers' seconds by stage")
    rows = [
        (
            stage,
            duration(sums[stage]),
            duration(cpu[stage]) if stage in cpu else "",
            f"{sums[stage] / total_s:.0%}" if stage in cpu else "",
            f"{1000 * sums[stage] / len(worked):.1f}",
        )
        for stage in STAGES
    ]
    yield table(("stage", "wall", "CPU", "of the workers' time", "ms per file"), rows)
    yield (
        '<p class="quiet">wait: handed out, no worker free yet; engine: the engine\'s own work on '
        "columns and tables; publish: moving outputs into place, in the parent. wait and publish "
        "are beside the workers' time.</p>\n"
    )


def _timeline(worked: Sequence[Record], facts: Facts) -> Iterator[str]:
    known = [item for item in worked if item["began_s"] is not None]
    workers = list(dict.fromkeys(item["worker"] for item in sorted(known, key=_began)))
    if not known:
        return
    yield "<h2>Workers</h2>\n"
    shown = workers[:_MOST_WORKERS]
    end_s = max(facts["elapsed_s"], *(item["began_s"] + item["total_s"] for item in known))
    height = 60 + max(12, min(30, 900 // len(shown))) * len(shown)
    names = [f"worker {place}" for place in range(1, len(shown) + 1)]
    plot = Plot("seconds since the batch began", "", end_s, len(shown), height=height, rows=names)
    staged = len(known) <= _MOST_STAGED
    for item in known:
        if item["worker"] not in shown:
            continue
        row = shown.index(item["worker"])
        at_s = max(0.0, item["began_s"])
        name = (
            f"{PurePath(item['file']).name}, {amount(item['size_mb'])}: {duration(item['total_s'])}"
        )
        if not staged:
            plot.bar(at_s, at_s + item["total_s"], row + 0.1, row + 0.9, "load", name)
            continue
        for stage in _WORKER_STAGES:
            seconds = item[f"{stage}_s"]
            if seconds:
                words = f"{name}; {stage} {duration(seconds)}"
                plot.bar(at_s, at_s + seconds, row + 0.1, row + 0.9, stage, words)
            at_s += seconds
    yield plot.drawn("what each worker did when")
    if len(workers) > len(shown):
        yield f'<p class="quiet">the first {len(shown)} of {len(workers)} workers</p>\n'
    if staged:
        said = "Stages of a file are drawn one after the other; in truth they take turns."
        yield f'<p class="quiet">{said}</p>\n'


def _began(item: Record) -> float:
    return float(item["began_s"])


def _resources(facts: Facts) -> Iterator[str]:
    samples = facts["samples"]
    if len(samples) < 2:
        return
    last = samples[-1]
    yield "<h2>Memory</h2>\n"
    most = 1.1 * max(item["memory_mb"] for item in samples)
    plot = Plot("seconds since the batch began", "MB", last["at_s"], most)
    plot.line([(s["at_s"], s["memory_mb"]) for s in samples], "memory", "resident memory")
    unique = [(s["at_s"], s["unique_mb"]) for s in samples if s["unique_mb"] is not None]
    for at_s, value in unique:
        plot.point(at_s, value, "unique", f"{amount(value)} not shared with others")
    yield legend(
        [("memory", "all processes, pages that they share in each")]
        + ([("unique", "each process's own pages")] if unique else [])
    )
    yield plot.drawn("memory of all processes over time")
    yield "<h2>Files at a time, and bytes read</h2>\n"
    running = max(1, *(item["files_running"] for item in samples))
    plot = Plot("seconds since the batch began", "files", last["at_s"], running, height=160)
    plot.line([(s["at_s"], s["files_running"]) for s in samples], "files")
    yield plot.drawn("files that ran at a time")
    rates = [
        (after["at_s"], (after["read_mb"] - before["read_mb"]) / (after["at_s"] - before["at_s"]))
        for before, after in itertools.pairwise(samples)
        if after["read_mb"] is not None
        and before["read_mb"] is not None
        and after["at_s"] > before["at_s"]
    ]
    if rates:
        plot = Plot(
            "seconds since the batch began",
            "MB/s",
            last["at_s"],
            max(y for _, y in rates),
            height=160,
        )
        plot.line(rates, "moved")
        yield plot.drawn("MB per second that the processes asked the system for")
    busy = last["cpu_s"] / last["at_s"] if last["at_s"] else 0.0
    faults = last["page_faults"]
    said = f"{busy:.2f} cores busy on average, {last['processes']} processes"
    said += f", {faults} page faults that waited for a disk" if faults is not None else ""
    yield f'<p class="quiet">{said}.</p>\n'


def _against_size(worked: Sequence[Record]) -> Iterator[str]:
    if len(worked) < 2:
        return
    yield "<h2>Time against size</h2>\n"
    largest = 1.05 * max(item["size_mb"] for item in worked)
    slowest = 1.1 * max(item["total_s"] for item in worked)
    plot = Plot("MB", "s", largest, slowest, height=280)
    odd = outliers(worked)
    for item in worked:
        kind = "odd" if item["file"] in odd else "done"
        words = (
            f"{PurePath(item['file']).name}: {amount(item['size_mb'])}, {duration(item['total_s'])}"
        )
        plot.point(item["size_mb"], item["total_s"], kind, words)
    named = sorted((i for i in worked if i["file"] in odd), key=lambda i: -i["total_s"])[:_NAMED]
    for item in named:
        plot.text(item["size_mb"], item["total_s"], PurePath(item["file"]).stem)
    yield plot.drawn("seconds of each file against its size")
    if odd:
        yield (
            f'<p class="quiet">{count(len(odd), "file")} took far longer than others of the same '
            "size.</p>\n"
        )


def outliers(worked: Sequence[Record]) -> set[str]:
    """Files that took far longer than the line through the others says.

    The line is the median of the slopes between pairs (Theil and Sen), the usual distance from it
    the median of the absolute distances.
    """
    if len(worked) < 8:
        return set()
    step = max(1, len(worked) // 200)
    points = [(item["size_mb"], item["total_s"]) for item in worked]
    some = sorted(points)[::step]
    half = len(some) // 2
    slopes = [
        (b[1] - a[1]) / (b[0] - a[0])
        for a, b in zip(some[:half], some[-half:], strict=True)
        if b[0] > a[0]
    ]
    slope = median(slopes) if slopes else 0.0
    level = median(seconds - slope * size for size, seconds in points)
    distances = [seconds - slope * size - level for size, seconds in points]
    usual = max(median(map(abs, distances)), 0.02 * median(seconds for _, seconds in points))
    return {item["file"] for item, far in zip(worked, distances, strict=True) if far > _ODD * usual}


def _earlier(facts: Facts, earlier: Sequence[Run]) -> Iterator[str]:
    if len(earlier) < 2:
        return
    yield "<h2>Runs of this batch</h2>\n"
    most = 1.1 * max(run.elapsed_s for run in earlier)
    plot = Plot("runs, the latest to the right", "s", len(earlier), most, 170, counted=True)
    for place, run in enumerate(earlier):
        kind = "this" if run.id == facts["run"] else "earlier"
        plot.bar(
            place + 0.1, place + 0.9, 0, run.elapsed_s, kind, f"run {run.id}: {run.elapsed_s:.3g} s"
        )
    yield legend([("this", "this run"), ("earlier", "the others")])
    yield plot.drawn("seconds of each run")
    rows = [
        (
            run.id,
            time.strftime("%Y-%m-%d %H:%M", time.localtime(run.began_s)),
            run.status,
            f"{run.files_read} of {run.files}",
            duration(run.elapsed_s),
            f"{amount(run.mb_per_s)}/s" if run.mb_per_s else "",
            amount(run.memory_peak_mb),
            run.workers,
            run.machine,
        )
        for run in earlier[-12:]
    ]
    yield table(
        ("run", "began", "status", "files read", "loop", "rate", "memory", "workers", "machine"),
        rows,
    )


def _decisions(facts: Facts) -> Iterator[str]:
    groups = [f"{group['label']}: {group['reason']}" for group in facts["groups"]]
    said = dict.fromkeys([*groups, *facts["decisions"]])
    parts = [("Decisions", list(said)), ("Warnings", facts["warnings"])]
    parts.append(("Checks and remarks", [f"{r['plugin']}: {r['text']}" for r in facts["remarks"]]))
    for heading, sentences in parts:
        if sentences:
            items = "".join(
                f"<li>{html.escape(text)}</li>\n" for text in sentences[:_MOST_FAILURES]
            )
            yield f"<h2>{heading}</h2>\n<ul>{items}</ul>\n"


def _slowest(worked: Sequence[Record]) -> Iterator[str]:
    slowest = sorted(worked, key=lambda item: -item["total_s"])[:_SLOWEST]
    yield f"<h2>{'The slowest files' if len(worked) > len(slowest) else 'Files'}</h2>\n"
    headings = ("file", "MB", "total s", *(f"{stage} s" for stage in STAGES), "memory MB", "tries")
    rows = [
        (
            PurePath(item["file"]).name,
            f"{item['size_mb']:.1f}",
            f"{item['total_s']:.3f}",
            *(f"{item[f'{stage}_s']:.3f}" for stage in STAGES),
            f"{item['memory_mb']:.0f}",
            item["attempts"],
        )
        for item in slowest
    ]
    yield table(headings, rows)

"""The page of a batch over its runs."""

from __future__ import annotations

import html
import time
from collections.abc import Iterator, Sequence
from pathlib import PurePath
from statistics import median

from digitalmodel_optimizer.history.store import INTERRUPTED, Run
from digitalmodel_optimizer.pages.parts import legend, page, table
from digitalmodel_optimizer.pages.svg import Plot
from digitalmodel_optimizer.report.format import amount, count, duration

_COLOURS = {"done": "#35618f", "failed": "#c23b22", "interrupted": "#c9ced6", "middle": "#1d2430"}


def history_page(batch: str, runs: Sequence[Run]) -> str:
    """What each run took, and the trend by machine.

    :param runs: in order of time.
    """
    name = PurePath(batch).name
    return page(f"{name}: {count(len(runs), 'run')}", _body(name, runs), _COLOURS)


def _body(name: str, runs: Sequence[Run]) -> Iterator[str]:
    yield f"<h1>{html.escape(name)}</h1>\n"
    days = [time.strftime("%Y-%m-%d", time.localtime(run.began_s)) for run in (runs[0], runs[-1])]
    yield f'<p class="quiet">{count(len(runs), "run")}, {days[0]} to {days[1]}</p>\n'
    yield legend([(kind, kind) for kind in ("done", "failed", "interrupted")])
    for machine in dict.fromkeys(run.machine for run in runs):
        own = [run for run in runs if run.machine == machine]
        yield f"<h2>{html.escape(machine)}</h2>\n"
        yield f"<p>{html.escape(trend(own))}</p>\n"
        yield _drawn(own, "seconds of the loop", [run.elapsed_s for run in own])
        yield _drawn(own, "MB read per second", [run.mb_per_s or 0.0 for run in own])
        yield _drawn(own, "MB of memory at the peak", [run.memory_peak_mb for run in own])
    yield "<h2>Runs</h2>\n"
    rows = [
        (
            run.id,
            time.strftime("%Y-%m-%d %H:%M", time.localtime(run.began_s)),
            run.status,
            f"{run.files_read} of {run.files}",
            run.files_failed,
            duration(run.elapsed_s),
            f"{amount(run.mb_per_s)}/s" if run.mb_per_s else "",
            amount(run.memory_peak_mb),
            run.workers,
            run.bottleneck,
            run.machine,
        )
        for run in reversed(runs)
    ]
    headings = ("run", "began", "status", "read", "failed", "loop", "rate", "memory", "workers",
                "limited by", "machine")  # fmt: skip
    yield table(headings, rows)


def trend(runs: Sequence[Run]) -> str:
    """The latest runs against those before, by the rate, which does not depend on how many files
    had changed.
    """
    rates = [run.mb_per_s for run in runs if run.mb_per_s and run.status != INTERRUPTED]
    if len(rates) < 6:
        return f"{count(len(rates), 'run')} that read files: too few for a trend."
    late, early = rates[-3:], rates[:-3]
    change = median(late) / median(early) - 1
    said = f"the latest three runs read {amount(median(late))}/s"
    return f"{said}, {change:+.0%} against {amount(median(early))}/s of the {len(early)} before."


def _drawn(runs: Sequence[Run], words: str, values: Sequence[float]) -> str:
    most = 1.1 * max(values, default=1.0)
    plot = Plot("runs, the latest to the right", "", len(runs), most, 150, counted=True)
    for place, (run, value) in enumerate(zip(runs, values, strict=True)):
        plot.bar(place + 0.1, place + 0.9, 0, value, run.status, f"run {run.id}: {value:.4g}")
    return f'<p class="quiet">{words}</p>\n{plot.drawn(words)}'

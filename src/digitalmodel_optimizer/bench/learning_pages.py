"""The learning curves as a table for the terminal and as a page."""

from __future__ import annotations

import html
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean

from digitalmodel_optimizer.bench.learning import WITHIN, Learned, LearningResult, within_after
from digitalmodel_optimizer.pages.parts import legend, page, table, write_page
from digitalmodel_optimizer.pages.svg import Plot

_COLOURS = {"tuned": "#35618f", "static": "#c9ced6", "trial": "#e08a1e", "best": "#1d6b35"}


def learning_figures(result: LearningResult) -> str:
    """A line for each machine (and for each after a change), as wide as a narrow terminal."""
    lines = ["                     runs  first  last  static  within 5 %  worst run against"]
    lines += ["machine                    run    third         after       the static choice"]
    for learned in result.learned:
        for name, first, last, static, after, worst, runs in _rows(learned):
            lines.append(
                f"{name:<20} {runs:4} {first:+6.0%} {last:+6.1%} {static:+6.0%}  "
                f"{after:<11} {worst:+.1%}"
            )
    lines.append("shares above the time of the best fixed number of workers; last third: mean")
    return "\n".join(lines)


def _rows(learned: Learned) -> Iterator[tuple[str, float, float, float, str, float, int]]:
    for place, runs in enumerate(learned.phases):
        name = learned.name if place == 0 else "  after the change"
        after = within_after(runs)
        words = "not yet" if after is None else f"{after} runs"
        last = fmean(run.regret for run in runs[-max(1, len(runs) // 3) :])
        static = fmean(run.static_regret for run in runs)
        worst = max(run.against_static for run in runs)
        yield name, runs[0].regret, last, static, words, worst, len(runs)


def write_learning_page(result: LearningResult, path: Path) -> None:
    """:raises OptimizerError: it cannot be written."""
    title = f"Learning curves on {len(result.learned)} simulated machines"
    write_page(page(title, _body(title, result), _COLOURS), path)


def _body(title: str, result: LearningResult) -> Iterator[str]:
    yield f'<h1>{title}</h1>\n<p class="quiet">{html.escape(result.command)}</p>\n'
    yield (
        "<p>Seconds of each run of the same kind of batch: the static choice, tuning, and the "
        "fixed number of workers that is the best over all runs, with hindsight.</p>\n"
    )
    names = [
        ("tuned", "tuning"),
        ("trial", "a trial"),
        ("static", "static"),
        ("best", "best fixed"),
    ]
    yield legend(names)
    headings = (
        "machine",
        "runs",
        "first run",
        "last third",
        "static",
        f"within {WITHIN:.0%} after",
        "worst run against static",
    )
    yield table(
        headings,
        [
            (name, runs, f"{first:+.0%}", f"{last:+.1%}", f"{static:+.0%}", after, f"{worst:+.1%}")
            for learned in result.learned
            for name, first, last, static, after, worst, runs in _rows(learned)
        ],
    )
    for learned in result.learned:
        yield f"<h2>{html.escape(learned.name)}</h2>\n<p>{html.escape(learned.words)}</p>\n"
        yield _drawn(learned)


def _drawn(learned: Learned) -> str:
    runs = learned.runs
    most_s = 1.05 * max(max(run.seconds, run.static_s) for run in runs)
    plot = Plot("run", "seconds", len(runs) + 0.5, most_s, height=200)
    for kind, words, values in (
        ("static", "static choice", [run.static_s for run in runs]),
        ("best", "best fixed number", [run.best_s for run in runs]),
        ("tuned", "tuning", [run.seconds for run in runs]),
    ):
        points = [(run.run, value) for run, value in zip(runs, values, strict=True)]
        plot.line(points, kind, words)
    for run in runs:
        kind = "trial" if run.explored else "tuned"
        said = f"run {run.run}: {run.workers} workers, {run.seconds:.1f} s"
        plot.point(run.run, run.seconds, kind, said)
    return plot.drawn(f"{learned.name}: seconds of {len(runs)} runs")

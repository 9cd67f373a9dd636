"""The lines of the live view, for a terminal of any width and height: a view in, lines out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from digitalmodel_optimizer.plugin import Progress, SimulationFile
from digitalmodel_optimizer.plugin.estimates import remaining_range_s, remaining_s, share_done
from digitalmodel_optimizer.report.controls import KEYS
from digitalmodel_optimizer.report.format import amount, duration
from digitalmodel_optimizer.report.status import left, rate

_WIDEST_BAR = 40
_NARROWEST_BAR = 6
MOST_FILES = 12
# What is drawn beside the running files, at most.
_OTHER_LINES = 9


@dataclass(frozen=True)
class View:
    """All that is drawn. ``since_told_s``: how old the progress is; ``controls``: what the user has
    set by keys; ``keys``: whether keys are read.
    """

    progress: Progress
    since_told_s: float = 0.0
    failures: tuple[str, ...] = ()
    host_line: str = ""
    controls: str = ""
    keys: bool = False


def live_lines(view: View, width: int, height: int) -> RenderableType:
    """The view on a terminal of ``width`` columns and ``height`` lines."""
    room = max(1, min(MOST_FILES, height - _OTHER_LINES))
    return Group(*_lines(view, width, room))


def _lines(view: View, width: int, room: int) -> Iterator[RenderableType]:
    progress = view.progress
    yield from _bar(view, width)
    yield _cut(_time(view))
    yield _cut(_budgets(progress), "dim")
    if progress.files_done == progress.files_total:
        yield _cut("all files are done; the summary tables are being written")
    elif not progress.running:
        yield _cut("waiting for a worker")
    yield from _running(view, width, room)
    for sentence in view.failures:
        yield _cut(f"failed  {sentence}", "red")
    if progress.decision:
        yield _cut(f"decided {progress.decision}", "dim")
    if view.host_line:
        yield _cut(f"host    {view.host_line}", "dim")
    if view.controls:
        yield _cut(view.controls, "bold yellow")
    if view.keys:
        yield _cut("   ".join(f"{key} {words}" for key, words in KEYS.items()), "dim")


def _cut(text: str, style: str = "") -> Text:
    """One line, whatever its length."""
    return Text(text.replace("\n", " "), style=style, overflow="ellipsis", no_wrap=True)


def _bar(view: View, width: int) -> Iterator[RenderableType]:
    """Numbers in words; the bar has what is left of the line."""
    progress = view.progress
    said = Text(f"{progress.files_done}/{progress.files_total} files", style="bold")
    if progress.files_failed:
        said.append(f"  {progress.files_failed} failed", style="bold red")
    if progress.files_done > progress.files_resumed and progress.elapsed_s:
        said.append(f"  {rate(progress)}", style="none")
    room = min(_WIDEST_BAR, width - said.cell_len - 2)
    if room < _NARROWEST_BAR:
        yield said
        return
    line = Table.grid(padding=(0, 2, 0, 0))
    line.add_column(no_wrap=True)
    line.add_column(no_wrap=True)
    line.add_row(ProgressBar(total=1.0, completed=share_done(progress), width=room), said)
    yield line


def _time(view: View) -> str:
    progress = view.progress
    parts = [f"{duration(progress.elapsed_s + view.since_told_s)} so far"]
    remaining = remaining_s(progress)
    if remaining is not None and progress.files_done < progress.files_total:
        said = f"{left(remaining - view.since_told_s)} left"
        bounds = remaining_range_s(progress)
        if bounds is not None:
            low, high = (left(value - view.since_told_s) for value in bounds)
            said += f" ({low} to {high})"
        parts.append(said)
    return ", ".join(parts)


def _budgets(progress: Progress) -> str:
    running = f"{len(progress.running)} of at most {progress.workers_limit} running"
    memory = f"memory {amount(progress.memory_mb)}, {amount(progress.memory_available_mb)} free"
    if progress.memory_budget_mb is not None:
        memory += f", {amount(progress.memory_budget_mb)} for files"
    return f"{running}, {progress.files_waiting} waiting; {memory}"


def _running(view: View, width: int, room: int) -> Iterator[RenderableType]:
    """The running files, those that have run longest first."""
    progress = view.progress
    if not progress.running:
        return
    files = sorted(progress.running, key=lambda file: -progress.running_s.get(file.index, 0.0))
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(overflow="ellipsis", no_wrap=True, max_width=max(8, width - 34))
    for _ in range(3):
        table.add_column(no_wrap=True, justify="right")
    shown = files if len(files) <= room else files[: room - 1]
    for file in shown:
        table.add_row(*_file(file, view))
    yield table
    if len(shown) < len(files):
        yield _cut(f"and {len(files) - len(shown)} more", "dim")


def _file(file: SimulationFile, view: View) -> tuple[str, str, str, str]:
    progress = view.progress
    seconds = progress.running_s.get(file.index)
    said = "" if seconds is None else duration(seconds + view.since_told_s)
    return file.stem, amount(file.size_mb), progress.stages.get(file.index, ""), said

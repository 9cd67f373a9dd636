"""What the benchmarks print: one table for each suite, and what is worth a sentence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from digitalmodel_optimizer.bench.comparing import Finding
from digitalmodel_optimizer.bench.configurations import ENGINE, FLOOR
from digitalmodel_optimizer.bench.results import Measured, Result, SuiteResult
from digitalmodel_optimizer.bench.statistics import Spread
from digitalmodel_optimizer.report.format import amount, count, duration

STAND_IN = (
    "Measured on a stand-in for OrcaFlex: the figures show the engine's own work, reading and "
    "scheduling, not OrcaFlex's arithmetic."
)
LEGEND = (
    "command: the whole command, the host's start included; loop: the engine's post_process or "
    "what stands for it; medians of the warm rounds. faster: how many times as fast as the "
    "engine's; spread: half of it; cold: the first round, files not in memory; of the floor: the "
    "loop in multiples of the floor's divided by the cores; workers: those that took part; "
    "memory: of all processes at the peak, and of the largest worker."
)
TIMES = (
    "command\nfaster", "command\ns", "loop\nfaster", "loop\ns", "loop\nspread", "cold loop\ns",
    "loop, of\nthe floor",
)  # fmt: skip
RESOURCES = ("workers", "CPU\ns", "memory\nMB", "worker's\nMB", "native\ncalls")

# Of a batch, what a cold round has read from a disk at least.
_FROM_DISK_SHARE = 0.5


def floor_share_s(suite: SuiteResult, cpus: int) -> float | None:
    """The floor's median, perfectly divided among as many cores as there are files to do."""
    floor = suite.get(FLOOR.name)
    spread = floor.spread("loop_s") if floor else None
    return spread.median / max(1, min(cpus, suite.files)) if spread else None


def figures(result: Result) -> Group:
    """All tables of a result."""
    parts: list[RenderableType] = []
    for suite in result.suites:
        parts.append(Text(heading(suite), style="italic"))
        for table in suite_tables(suite, int(result.machine["logical_cpus"])):
            parts += [table, ""]
        parts += [*_remarks(suite), ""]
    parts.append(Text(LEGEND, style="dim"))
    if result.stand_in:
        parts.append(Text(STAND_IN, style="dim"))
    return Group(*parts)


def heading(suite: SuiteResult) -> str:
    """``small: 200 files of 4.0 MB, hundreds of files, megabytes each``."""
    sizes = amount(suite.smallest_mb)
    if round(suite.smallest_mb, 1) != round(suite.largest_mb, 1):
        sizes += f" to {amount(suite.largest_mb)}"
    return f"{suite.name}: {count(suite.files, 'file')} of {sizes}, {suite.words}"


def suite_tables(suite: SuiteResult, cpus: int) -> Iterator[Table]:
    """How long each configuration took, and what it used."""
    measures = Measures.of_suite(suite, cpus)
    for headings, cells_of in ((TIMES, measures.times), (RESOURCES, resources_of)):
        table = Table(pad_edge=False, box=None, padding=(0, 1, 0, 0))
        table.add_column("\nconfiguration", no_wrap=True)
        for words in headings:
            table.add_column(
                words if "\n" in words else f"\n{words}", justify="right", no_wrap=True
            )
        for item in suite.measured:
            name = Text(item.name, style="" if item.same else "bold red")
            table.add_row(name, *cells_of(item))
        yield table


@dataclass(frozen=True)
class Measures:
    """What times stand against: the engine's command and loop, the floor's share of a core."""

    command: Spread | None
    loop: Spread | None
    floor_s: float | None

    @classmethod
    def of_suite(cls, suite: SuiteResult, cpus: int) -> Measures:
        engine = suite.get(ENGINE.name)
        return cls(
            engine.spread("process_s") if engine else None,
            engine.spread("loop_s") if engine else None,
            floor_share_s(suite, cpus),
        )

    def times(self, item: Measured) -> Iterator[str]:
        """In the order of :data:`TIMES`."""
        command, loop = item.spread("process_s"), item.spread("loop_s")
        yield _faster(self.command, command)
        yield short_s(command)
        yield _faster(self.loop, loop)
        yield short_s(loop)
        yield f"{loop.share / 2:.0%}" if loop and loop.count > 1 else "-"
        yield short_s(Spread.of(item.of("loop_s", cold=True)))
        yield f"{loop.median / self.floor_s:.1f}" if self.floor_s and loop else "-"


def _faster(reference: Spread | None, own: Spread | None) -> str:
    return f"{reference.median / own.median:.1f}" if reference and own and own.median else "-"


def resources_of(item: Measured) -> Iterator[str]:
    """In the order of :data:`RESOURCES`."""
    workers = item.spread("workers")
    yield f"{workers.median:.0f}" if workers and workers.median else "-"
    yield short_s(item.spread("cpu_s"))
    for quantity in ("memory_mb", "worker_mb"):
        spread = item.spread(quantity)
        yield f"{spread.median:.0f}" if spread else "-"
    yield f"{item.counts.native_total}" if item.counts else "-"


def short_s(spread: Spread | None) -> str:
    """A median in seconds, in as few characters as tell it."""
    if spread is None:
        return "-"
    value = spread.median
    return f"{value:.3f}" if value < 1 else f"{value:.2f}" if value < 10 else f"{value:.1f}"


def _remarks(suite: SuiteResult) -> Iterator[Text]:
    for item in suite.measured:
        if item.differences:
            shown = "; ".join(item.differences[:3])
            more = len(item.differences) - 3
            shown += f"; and {more} more" if more > 0 else ""
            words = f"{item.name}: DIFFERENT from {suite.reference}: {shown}"
            yield Text(words, style="bold red")
    if suite.measured and all(item.same for item in suite.measured):
        words = f"every output of every round has the bytes of {suite.reference}'s"
        if suite.get(FLOOR.name):
            words += " (the floor: the same numbers)"
        yield Text(words, style="green")
    yield from (Text(words, style="yellow") for words in cold_remarks(suite))
    for name, why in suite.skipped.items():
        yield Text(f"{name}: left out, {why}", style="dim")


def cold_remarks(suite: SuiteResult) -> Iterator[str]:
    """Which first rounds were not cold: what they read did not come from a disk."""
    kept = [
        item.name
        for item in suite.measured
        for read_mb in item.of("disk_read_mb", cold=True)
        if read_mb < _FROM_DISK_SHARE * suite.size_mb
    ]
    if kept:
        yield f"not cold, little came from a disk in the first round: {', '.join(kept)}"


def print_findings(console: Console, findings: Sequence[Finding], baseline: str) -> None:
    """What a comparison found, the bad ones in red, and a last line that sums up."""
    for item in findings:
        where = ", ".join(filter(None, (item.suite, item.configuration)))
        word = "ok    " if not item.bad else "WORSE " if item.worse else "FEWER "
        line = Text(f"{word} {where}: {item.words}" if where else f"{word} {item.words}")
        line.stylize("bold red" if item.bad else "", 0, len(word))
        console.print(line, soft_wrap=True)
    bad = sum(item.bad for item in findings)
    words = f"{count(bad, 'finding')} not as in {baseline}" if bad else f"no worse than {baseline}"
    if bad and not any(item.bad and item.worse for item in findings):
        words += ": a new baseline keeps the gain"
    console.print(Text(words, style="bold red" if bad else "bold green"), soft_wrap=True)


def seconds(value: float | None) -> str:
    return "-" if value is None else duration(value)

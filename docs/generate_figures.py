"""Write figures from results of the benchmarks into the documentation.

``python docs/generate_figures.py RESULT.json...`` takes what ``digitalmodel-optimizer bench`` and
``bench memory`` wrote with ``--json``, in the order of the page, and writes
``docs/reference/figures.md``. With ``--scaling`` in front, results of ``bench scaling``, and of
``bench`` with fixed numbers of workers, go between the marks of ``docs/explanation/scaling.md``;
with ``--memory`` those of ``bench memory`` between the marks of ``docs/explanation/memory.md``.
Each part shows the command that made it.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from pathlib import Path

import orjson
from rich.console import Console

from digitalmodel_optimizer.bench import memory, results, scaling
from digitalmodel_optimizer.bench.configurations import FULL
from digitalmodel_optimizer.bench.json_form import build
from digitalmodel_optimizer.bench.memory_tables import memory_figures
from digitalmodel_optimizer.bench.results import read_result
from digitalmodel_optimizer.bench.scaling_tables import scaling_figures
from digitalmodel_optimizer.bench.tables import figures

PAGE = Path(__file__).parent / "reference" / "figures.md"
MARKED_PAGES = {
    f"--{name}": Path(__file__).parent / "explanation" / f"{name}.md"
    for name in ("scaling", "memory")
}
MARKS = ("<!-- written by docs/generate_figures.py -->\n", "<!-- up to here -->\n")
WIDTH = 100
TITLES = {memory.SCHEMA: "memory", scaling.SCHEMA: "Figures"}
HEAD = """\
# Figures

<!-- Written by docs/generate_figures.py from results of the benchmarks; run them anew instead. -->

Measured on [the stand-in for OrcaFlex](../explanation/stand-in.md): the engine's own work, reading
and scheduling, not OrcaFlex's arithmetic. What each column is, and against what it stands, is in
[how the benchmarks measure](../explanation/benchmarks.md). Nothing here was measured on Windows or
with OrcaFlex. Taken before runs were [instrumented](../explanation/monitoring.md#the-cost), which
adds some 1 % to a small batch; other programs kept the machine busy now and then.
"""


def page(paths: list[Path]) -> str:
    return HEAD + "".join(part for path in paths for part in _part(path))


def _part(path: Path) -> Iterator[str]:
    content = orjson.loads(path.read_bytes())
    readers = {
        results.SCHEMA: (lambda _: read_result(path), figures),
        memory.SCHEMA: (lambda found: build(memory.MemoryResult, found), memory_figures),
        scaling.SCHEMA: (lambda found: build(scaling.ScalingResult, found), scaling_figures),
    }
    read, tables = readers[content["schema"]]
    result = read(content)
    names = [suite.name for suite in getattr(result, "suites", ())]
    title = ", ".join(names) or TITLES[content["schema"]]
    machine, versions = result.machine, result.versions
    commands = "\n$ ".join(map(_without_files, result.command.splitlines()))
    yield f"\n## {title}\n\n```console\n$ {commands}\n```\n\n"
    yield (
        f"{machine['logical_cpus']} CPUs ({machine['processor']}), "
        f"{machine['memory_total_mb'] / 1000:.0f} GB, {machine['system']}, load average "
        f"{machine.get('load_average', '-')} at the end; "
        f"{', '.join(f'{name} {number}' for name, number in versions.items())}.\n\n"
    )
    console = Console(width=WIDTH, file=io.StringIO(), color_system=None)
    console.print(tables(result))
    lines = [line.rstrip() for line in console.file.getvalue().rstrip().splitlines()]
    lines += _against_fixed(result) if content["schema"] == results.SCHEMA else []
    yield "```text\n" + "\n".join(lines) + "\n```\n"


def _against_fixed(result: results.Result) -> Iterator[str]:
    """What the plugins' own number of workers takes beside the best fixed one, where both ran."""
    for suite in result.suites:
        medians = {item.name: item.spread("loop_s").median for item in suite.measured}
        fixed = {name: value for name, value in medians.items() if name.startswith("workers_")}
        if len(fixed) > 1 and FULL.name in medians:
            best = min(fixed, key=fixed.__getitem__)
            more = medians[FULL.name] / fixed[best] - 1
            yield f"{suite.name}: {FULL.name} takes {more:+.0%} against {best}, the best of these"


def _without_files(command: str) -> str:
    """The command without where its result was written and its batches kept."""
    words, kept = command.split(), []
    while words:
        word = words.pop(0)
        if word in ("--json", "--page", "--folder", "--work"):
            words.pop(0)
        else:
            kept.append(word)
    return " ".join(kept)


def main() -> int:
    marked = MARKED_PAGES.get(sys.argv[1]) if len(sys.argv) > 1 else None
    paths = [Path(word) for word in sys.argv[1 + (marked is not None) :]]
    if not paths:
        print("usage: python docs/generate_figures.py [--scaling | --memory] RESULT.json...")
        return 2
    if marked is not None:
        before, rest = marked.read_text(encoding="utf-8").split(MARKS[0])
        after = rest.split(MARKS[1])[1]
        text = MARKS[0] + "".join(part for path in paths for part in _part(path)) + "\n" + MARKS[1]
        marked.write_text(before + text + after, encoding="utf-8", newline="\n")
    else:
        PAGE.write_text(page(paths), encoding="utf-8", newline="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

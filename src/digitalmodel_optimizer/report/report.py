"""The report at the end of a batch: what came out, what it cost, what was decided and why."""

from __future__ import annotations

import json
import os
import textwrap
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePath
from typing import Any, TextIO

from digitalmodel_optimizer.report.console import (
    PLAIN_WIDTH,
    is_terminal,
    make_console,
    standard_stream,
)
from digitalmodel_optimizer.report.format import amount, count, duration, quantity
from digitalmodel_optimizer.streams import TolerantStream

REPORT_VARIABLE = "DIGITALMODEL_OPTIMIZER_REPORT"
MOST_FAILURES = 10
MOST_WARNINGS = 8
# Less of anything that plugins measure is not worth a word.
_LEAST_TOLD = 0.005


def print_report(content: dict[str, Any], file: TextIO | None = None) -> None:
    """Print a report (:func:`~.facts.report_as_dict`) to ``file``, by default standard error.

    Where the environment variable ``DIGITALMODEL_OPTIMIZER_REPORT`` names a file, the report is
    written there too, whole and as JSON.
    """
    fault = _write_json(content)
    if fault is not None:
        content["warnings"].append(fault)
    stream = standard_stream("stderr") if file is None else file
    if stream is None:
        return
    if is_terminal(stream):
        _print_styled(content, stream)
    else:  # without rich, whose import costs more than a small batch's report is worth
        TolerantStream(stream).write("\n".join([headline(content), *_plain(content), ""]))
    TolerantStream(stream).flush()


def _write_json(content: dict[str, Any]) -> str | None:
    """Write the report where the user wants it; why not, if that cannot be."""
    named = os.environ.get(REPORT_VARIABLE)
    if named:
        try:
            Path(named).write_text(json.dumps(content, indent=1), encoding="utf-8")
        except OSError as error:  # outputs are in place: no reason to make a failed run of it
            return f"{REPORT_VARIABLE}: {named} cannot be written: {error.strerror}"
    return None


def _print_styled(content: dict[str, Any], stream: TextIO) -> None:
    from rich.table import Table
    from rich.text import Text

    console = make_console(stream)
    assert console is not None
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for label, sentence in _lines(content):
        table.add_row(Text(f"  {label}"), Text(sentence))
    good = not (content["failed"] or _ended_early(content))
    style = "bold green" if good else "bold red"
    console.print(Text(headline(content), style=style), table, sep="\n")


def _plain(content: dict[str, Any]) -> Iterator[str]:
    """The two columns of the report, folded at :data:`PLAIN_WIDTH` characters."""
    lines = list(_lines(content))
    indent = max((len(label) for label, _ in lines), default=0) + 4
    for label, sentence in lines:
        yield textwrap.fill(
            sentence,
            PLAIN_WIDTH,
            initial_indent=f"  {label}".ljust(indent),
            subsequent_indent=" " * indent,
            break_on_hyphens=False,
            break_long_words=False,
        )


def _ended_early(content: Mapping[str, Any]) -> bool:
    """Whether the batch has not come to its end: nobody has waited for it, or a fault ended it."""
    return bool(content["interrupted"] or content["files_left"] or content["partial_tables"])


def headline(content: Mapping[str, Any]) -> str:
    """The first line: how many files, how long, what failed."""
    files, failed = content["files"], len(content["failed"])
    took = duration(content["elapsed_s"])
    if content["command_s"] is not None:
        took += f" ({duration(content['command_s'])} with the host's start)"
    if _ended_early(content):
        done = f"{content['files_done']} of {count(files, 'file')} done in {took}"
        how = "interrupted" if content["interrupted"] else "stopped"
        return f"digitalmodel-optimizer: {how}, {done}"
    if failed:
        return f"digitalmodel-optimizer: {failed} of {count(files, 'file')} failed, {took}"
    return f"digitalmodel-optimizer: {count(files, 'file')} in {took}, none failed"


def _lines(content: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The report below its headline: a label, and a sentence or two."""
    if _ended_early(content):
        left = content["files_left"]
        said = f"{count(left, 'file')} left; " if left else ""
        yield "go on", f"{said}the same command goes on where this run stopped"
    if content["partial_tables"]:
        names = ", ".join(PurePath(path).name for path in content["partial_tables"])
        done = (
            f"the {count(content['files_done'], 'file')} that are done, out of {content['files']}"
        )
        yield "partial", f"{names}: only {done}; whole tables come with the rest"
    if not content["files_reused"]:  # of which none was read
        yield "rate", f"{content['files_per_s']:.3g} files/s, {amount(content['mb_per_s'])}/s"
    if content["files_read"] or not content["files_reused"]:
        yield "ran on", _ran_on(content)
    if content["bottleneck"]["sentence"]:
        yield "limited", f"by {content['bottleneck']['sentence']}"
    if content["earlier"]:
        yield "before", _earlier(content["earlier"], content["elapsed_s"])
    labels = {f"{group['label']}: {group['reason']}" for group in content["groups"]}
    for group in content["groups"]:
        size = f"{count(group['files'], 'file')}, {amount(group['size_mb'])}"
        yield "group", f"{group['label']} ({size}): {group['reason']}"
    for decision in content["decisions"]:
        if decision not in labels:
            yield "decided", decision
    for plugin, quantities in content["notes"].items():
        said = ", ".join(quantity(*item) for item in quantities.items() if item[1] >= _LEAST_TOLD)
        if said:
            yield plugin, said
    for remark in content["remarks"]:
        yield remark["plugin"], remark["text"]
    yield from _folded("doubtful", content["warnings"], MOST_WARNINGS)
    yield from _failures(content)
    if content["run"] is not None:
        yield "more", f"digitalmodel-optimizer report {content['run']} writes a page of this run"


def _ran_on(content: dict[str, Any]) -> str:
    threads = sorted({group["native_threads"] for group in content["groups"]}) or [1]
    native = "to".join(f" {number} " for number in {threads[0]: 0, threads[-1]: 0}).strip()
    return (
        f"{content['backend']}, {count(content['workers'], 'worker')}, "
        f"{native} native thread{'' if native == '1' else 's'} a model, "
        f"{amount(content['memory_peak_mb'])} at the peak (all processes)"
    )


def _earlier(earlier: dict[str, Any], elapsed_s: float) -> str:
    parts = []
    if earlier["runs"]:
        least, most = duration(earlier["least_s"]), duration(earlier["most_s"])
        runs, median = count(earlier["runs"], "comparable run"), duration(earlier["median_s"])
        parts.append(f"{runs} took {median} (median; {least} to {most})")
    if earlier["baseline_s"] and elapsed_s:
        times = earlier["baseline_s"] / elapsed_s
        took = duration(earlier["baseline_s"])
        parts.append(f"{times:.3g} times as fast as the engine's own loop, which took {took}")
    return "; ".join(parts)


def _failures(content: dict[str, Any]) -> Iterator[tuple[str, str]]:
    failed = content["failed"]
    if not failed:
        return
    kinds = Counter(item["kind"] for item in failed)
    yield "failed", ", ".join(f"{number} {kind}" for kind, number in kinds.most_common())
    sentences = [
        f"{PurePath(item['file']).name}: {item['kind']}"
        f"{_attempts(item['attempt'])}: {item['message']}"
        for item in failed
    ]
    yield from _folded("", sentences, MOST_FAILURES)
    yield "logs", f"<name>_error.log in {content['results_folder']}"


def _attempts(number: int) -> str:
    return f" (tried {number} times)" if number > 1 else ""


def _folded(label: str, sentences: list[str], most: int) -> Iterator[tuple[str, str]]:
    for place, sentence in enumerate(sentences[:most]):
        yield (label if place == 0 else ""), sentence
    if len(sentences) > most:
        yield "", f"and {len(sentences) - most} more"

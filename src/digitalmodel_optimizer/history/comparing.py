"""Two runs side by side, and runs as rows for other programs."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from digitalmodel_optimizer.history.store import Run
from digitalmodel_optimizer.report.facts import STAGES
from digitalmodel_optimizer.report.format import amount, duration

_SAME = 0.01


def compare_runs(
    one: Run, other: Run, facts: Mapping[str, Any] | None, others: Mapping[str, Any] | None
) -> dict[str, Any]:
    """What differs between two runs: ``runs``, ``rows`` of values in words, and ``sentences``."""
    rows = [
        _row("loop", one.elapsed_s, other.elapsed_s, duration),
        _row("command", one.command_s, other.command_s, duration),
        _row("rate", one.mb_per_s, other.mb_per_s, lambda value: f"{amount(value)}/s"),
        _row("files read", one.files_read, other.files_read, str),
        _row("files failed", one.files_failed, other.files_failed, str),
        _row("size read", one.size_read_mb, other.size_read_mb, amount),
        _row("memory", one.memory_peak_mb, other.memory_peak_mb, amount),
        _row("workers", one.workers, other.workers, str),
    ]
    sentences = []
    if facts is not None and others is not None:
        rows += _stages(facts, others)
        sentences += list(_decided(one, other, facts, others))
    for name in ("batch", "machine", "backend", "version"):
        before, after = getattr(one, name), getattr(other, name)
        if before != after:
            sentences.append(f"{name}: {before} and {after}")
    return {
        "runs": [f"run {one.id}", f"run {other.id}"],
        "rows": [row for row in rows if row is not None],
        "sentences": sentences,
    }


def _row(what: str, before: Any, after: Any, words: Any) -> dict[str, Any] | None:
    if before is None and after is None:
        return None
    values = ["-" if value is None else words(value) for value in (before, after)]
    change = ""
    if before and after is not None and abs(after / before - 1) > _SAME:
        change = f"{after / before - 1:+.0%}"
    return {"what": what, "values": values, "numbers": [before, after], "change": change}


def _stages(facts: Mapping[str, Any], others: Mapping[str, Any]) -> Iterator[dict[str, Any] | None]:
    for stage in STAGES:
        before, after = (
            sum(item[f"{stage}_s"] for item in each["records"]) for each in (facts, others)
        )
        if max(before, after) > 0:
            yield _row(f"{stage}, all files", before, after, duration)


def _decided(
    one: Run, other: Run, facts: Mapping[str, Any], others: Mapping[str, Any]
) -> Iterator[str]:
    for run, mine, theirs in ((one, facts, others), (other, others, facts)):
        for sentence in mine["decisions"]:
            if sentence not in theirs["decisions"]:
                yield f"only run {run.id}: {sentence}"


def as_csv(runs: Sequence[Run]) -> str:
    """A row for each run."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, list(Run.__dataclass_fields__), lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(run) for run in runs)
    return stream.getvalue()

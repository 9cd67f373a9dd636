"""The facts of a run in other programs' forms: CSV, JSON lines, and a trace for Perfetto."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import Any

from digitalmodel_optimizer.report.facts import STAGES

_US_PER_S = 1e6


def as_csv(facts: Mapping[str, Any]) -> str:
    """A row for each file: what it is, what became of it, seconds by stage, memory, messages."""
    stream = io.StringIO()
    rows = facts["records"]
    if rows:
        writer = csv.DictWriter(stream, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        for row in rows:
            writer.writerow({**row, "messages": " | ".join(row["messages"])})
    return stream.getvalue()


def as_json_lines(facts: Mapping[str, Any]) -> str:
    """One JSON object in each line, with what it is under ``record``: ``run`` first, then a
    ``file`` for each file and a ``sample`` for each look at the processes.
    """
    apart = ("records", "samples")
    run = {name: value for name, value in facts.items() if name not in apart}
    lines = [{"record": "run", **run}]
    lines += [{"record": "file", **item} for item in facts["records"]]
    lines += [{"record": "sample", **item} for item in facts["samples"]]
    return "".join(json.dumps(line) + "\n" for line in lines)


def as_trace(facts: Mapping[str, Any]) -> str:
    """The run in the trace event format, which ui.perfetto.dev and chrome://tracing show.

    A track for each worker process with its files and their stages, drawn one after the other, and
    counters of memory and files. Times are microseconds since the batch began.
    """
    return json.dumps({"displayTimeUnit": "ms", "traceEvents": list(_events(facts))})


def _events(facts: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    named = set()
    for item in facts["records"]:
        if item["began_s"] is None or item["worker"] is None:
            continue
        worker = item["worker"]
        if worker not in named:
            named.add(worker)
            yield _name(worker, f"worker {worker}")
        at_s = item["began_s"]
        yield _span(
            PurePath(item["file"]).name, worker, at_s, item["total_s"], size_mb=item["size_mb"]
        )
        for stage in STAGES[1:-1]:
            seconds = item[f"{stage}_s"]
            if seconds:
                yield _span(stage, worker, at_s, seconds, cpu_s=item[f"{stage}_cpu_s"])
            at_s += seconds
    for sample in facts["samples"]:
        for counter in ("memory_mb", "files_running", "workers_limit"):
            yield {
                "ph": "C",
                "name": counter,
                "pid": 0,
                "ts": sample["at_s"] * _US_PER_S,
                "args": {counter: sample[counter]},
            }


def _name(worker: int, name: str) -> dict[str, Any]:
    return {"ph": "M", "name": "process_name", "pid": worker, "tid": 0, "args": {"name": name}}


def _span(name: str, worker: int, at_s: float, seconds: float, **args: float) -> dict[str, Any]:
    return {
        "ph": "X",
        "name": name,
        "pid": worker,
        "tid": 0,
        "ts": at_s * _US_PER_S,
        "dur": seconds * _US_PER_S,
        "args": args,
    }

"""What work costs, taken from the moments of real runs: pure arithmetic over traces."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from digitalmodel_optimizer.bench.machine_model import Costs
from digitalmodel_optimizer.bench.statistics import fit_line

SMALL, LARGE, MIXED = "small", "large", "mixed"


@dataclass(frozen=True)
class Run:
    """A batch with a number of workers; ``late``: none of them is started early."""

    batch: str
    workers: int
    late: bool = False

    def __str__(self) -> str:
        return f"{self.batch}, workers_{self.workers}{'_late' if self.late else ''}"


@dataclass(frozen=True)
class Span:
    """A file in a worker: seconds since the files were handed out."""

    size_mb: float
    worker: int
    began_s: float
    ended_s: float
    cpu_s: float
    growth_mb: float

    @property
    def took_s(self) -> float:
        return self.ended_s - self.began_s


@dataclass(frozen=True)
class Trace:
    """A real run: ``loop_s`` of the engine's ``post_process``, ``files`` as they were started.

    ``ready`` of its workers were started early (with ``late``, none was allowed to);
    ``parent_cpu_s`` is what the parent worked from handing out the files to the end of the last,
    ``others`` the cores that other programs kept busy meanwhile.
    """

    batch: str
    workers: int
    late: bool
    ready: int
    loop_s: float
    parent_cpu_s: float
    others: float
    files: tuple[Span, ...]

    @classmethod
    def of(cls, run: Run, loop_s: float, others: float, noted: Mapping[str, Any]) -> Trace:
        """From what the benchmarks' plugin has noted of a run."""
        since = noted["executing_at_s"]
        spans = [
            Span(
                size_mb=item["size_mb"],
                worker=item["worker"],
                began_s=item["began_at_s"] - since,
                ended_s=item["ended_at_s"] - since,
                cpu_s=item["cpu_s"],
                growth_mb=item["memory_growth_mb"],
            )
            for item in noted["files"]
        ]
        return cls(
            batch=run.batch,
            workers=run.workers,
            late=run.late,
            ready=min(run.workers, noted["ready_workers"]),
            loop_s=loop_s,
            parent_cpu_s=noted["parent_cpu_s"],
            others=others,
            files=tuple(sorted(spans, key=lambda item: item.began_s)),
        )

    @property
    def run(self) -> Run:
        return Run(self.batch, self.workers, self.late)

    @property
    def by_worker(self) -> tuple[tuple[Span, ...], ...]:
        found: dict[int, list[Span]] = {}
        for span in self.files:
            found.setdefault(span.worker, []).append(span)
        return tuple(tuple(spans) for spans in found.values())

    @property
    def rest_s(self) -> float:
        """What the loop took before the files were handed out and after the last of them."""
        return self.loop_s - max(span.ended_s for span in self.files)

    @property
    def settled(self) -> Iterator[Span]:
        """Files but for each worker's first, which pays for what is done once."""
        for spans in self.by_worker:
            yield from spans[1:]


def fit_costs(traces: Sequence[Trace]) -> Costs:
    """The costs, from the small and the large files in one worker, and in two how it slows down.

    Every figure is a median over all rounds. The batch of mixed sizes, and runs with more workers
    than two, take no part in this: the model is checked against them.
    """
    ones = {name: list(_chosen(traces, name, 1)) for name in (SMALL, LARGE)}
    sizes_mb = [ones[name][0].files[0].size_mb for name in ones]
    took_s = [_median(span.took_s for t in ones[name] for span in t.settled) for name in ones]
    file_s, mb_s = fit_line(sizes_mb, took_s)
    file_s, mb_s = max(0.0, file_s), max(0.0, mb_s)

    first_s = _median(t.files[0].took_s for t in ones[LARGE])
    grow_s = max(0.0, first_s - took_s[1]) / sizes_mb[1]

    def began_s(ready: int) -> float:
        """Until a lone worker has done its first file, less what that takes of itself."""
        firsts = [t.files[0] for t in ones[SMALL] if t.ready == ready]
        usual_s = file_s + (mb_s + grow_s) * sizes_mb[0]
        return max(0.0, _median(span.ended_s for span in firsts) - usual_s)

    gaps_s = [
        after.began_s - before.ended_s
        for trace in ones[SMALL]
        for spans in trace.by_worker
        for before, after in itertools.pairwise(spans)
    ]
    counts = [len(ones[name][0].files) for name in ones]
    batch_s, merge_s = fit_line(counts, [_median(t.rest_s for t in ones[name]) for name in ones])
    if merge_s < 0:
        batch_s, merge_s = _median(t.rest_s for name in ones for t in ones[name]), 0.0
    # The first start imports what all of them need, so it says nothing of the others.
    lone, four = (
        _median(t.parent_cpu_s for t in _chosen(traces, SMALL, workers) if t.ready == 0)
        for workers in (1, 4)
    )
    spawn_s = max(0.0, four - lone) / 3
    return Costs(
        start_s=max(0.0, began_s(0) - spawn_s),
        ready_s=began_s(1),
        spawn_s=spawn_s,
        file_s=file_s,
        mb_s=mb_s,
        grow_s=grow_s,
        turn_s=_median(gaps_s),
        batch_s=max(0.0, batch_s),
        merge_s=merge_s,
        contention=max(0.0, _slowdown(traces) - 1.0),
        memory_factor=max(s.growth_mb / s.size_mb for t in ones[LARGE] for s in t.files),
    )


def _slowdown(traces: Sequence[Trace]) -> float:
    """How much more CPU time a file takes when a second worker keeps the second core busy."""
    ratios = []
    for name in (SMALL, LARGE):
        one, two = (
            _median(span.cpu_s for t in _chosen(traces, name, workers) for span in t.settled)
            for workers in (1, 2)
        )
        ratios.append(two / one)
    return statistics.fmean(ratios)


def _chosen(traces: Iterable[Trace], batch: str, workers: int) -> Iterator[Trace]:
    return (item for item in traces if (item.batch, item.workers) == (batch, workers))


def _median(values: Iterable[float]) -> float:
    found = list(values)
    return float(statistics.median(found)) if found else 0.0

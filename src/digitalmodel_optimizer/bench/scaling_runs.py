"""Real runs for the scaling study: what the model of a machine needs to know, and must meet.

Runs that give the costs and runs that check the model are the same rounds: every round runs each
batch with each number of workers once, so that both saw the same machine. What other programs use
of the CPUs meanwhile is measured too: a run that they disturbed is repeated.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import psutil

from digitalmodel_optimizer.bench.batches import made_batch
from digitalmodel_optimizer.bench.configurations import Configuration, fixed_workers
from digitalmodel_optimizer.bench.machine_model import Costs, ModelMachine
from digitalmodel_optimizer.bench.planned_plugins import simulate_fixed
from digitalmodel_optimizer.bench.probe import FILES_VARIABLE
from digitalmodel_optimizer.bench.rounds import put_out_of_memory
from digitalmodel_optimizer.bench.running import Bench
from digitalmodel_optimizer.bench.scaling_costs import LARGE, MIXED, SMALL, Run, Trace
from digitalmodel_optimizer.bench.statistics import Spread
from digitalmodel_optimizer.bench.suites import Suite
from digitalmodel_optimizer.measuring.host_runs import read_json

_DURATION_S = 300.0
SUITES = {
    name: Suite(f"scaling-{name}", f"{name} files", sizes_mb, duration_s=_DURATION_S)
    for name, sizes_mb in (
        (SMALL, (6.7,) * 80),
        (LARGE, (140.0,) * 10),
        (MIXED, (*(6.7,) * 40, *(40.0,) * 6, *(140.0,) * 3)),
    )
}
CHECKED_WORKERS = (1, 2, 4)
# A run beside which other programs kept more cores busy than this is repeated, so many times.
QUIET_CORES = 0.15
ATTEMPTS = 2


RUNS = (
    *(Run(batch, workers) for batch in SUITES for workers in CHECKED_WORKERS),
    *(Run(SMALL, workers, late=True) for workers in CHECKED_WORKERS),
)


@dataclass(frozen=True)
class Checked:
    """Real runs of one kind, and the model's answer to them; ``ready`` workers started early."""

    batch: str
    workers: int
    ready: int
    real_s: tuple[float, ...]
    model_s: float

    @property
    def spread(self) -> Spread:
        found = Spread.of(self.real_s)
        assert found is not None
        return found

    @property
    def error(self) -> float:
        """By which share the model's time is longer (above 0) or shorter than the median."""
        return self.model_s / self.spread.median - 1.0

    @property
    def within(self) -> bool:
        """Whether the model's time lies among the measured ones."""
        return self.spread.least <= self.model_s <= self.spread.most


class ScalingRuns:
    """Rounds of real runs on made batches of small files, of large ones, and of mixed sizes."""

    def __init__(self, folder: Path, work: Path, say: Callable[[str], None]) -> None:
        self._say = say
        self._benches = {}
        for name, suite in SUITES.items():
            self._benches[name] = Bench(made_batch(suite, folder, say), work / name)
        say("starting Python and the host for the first time")
        self._benches[SMALL].warm_up()

    def rounds(self, number: int) -> list[Trace]:
        """So many interleaved rounds, each begun with another run; one before that counts not."""
        for name in SUITES:
            self._trace(Run(name, 1), "bringing the files into memory")
        found = []
        for place in range(number):
            shift = place * 5 % len(RUNS)
            words = f"round {place + 1} of {number}"
            found += [self._undisturbed(run, words) for run in (*RUNS[shift:], *RUNS[:shift])]
        return found

    def _undisturbed(self, run: Run, words: str) -> Trace:
        """The run beside which other programs did least, of as many as it took or may take."""
        found: list[Trace] = []
        while len(found) < ATTEMPTS and not (found and found[-1].others <= QUIET_CORES):
            found.append(self._trace(run, words))
        return min(found, key=lambda trace: trace.others)

    def _trace(self, run: Run, words: str) -> Trace:
        bench, configuration = self._benches[run.batch], _configuration(run)
        self._say(f"{words}: {run.batch}, {configuration.name}")
        noted = bench.work / "files.json"
        noted.unlink(missing_ok=True)
        before_s = _busy_s()
        once = bench.run(configuration, {FILES_VARIABLE: str(noted)})
        others_s = _busy_s() - before_s - once.run.usage.cpu_s
        content = read_json(noted)
        assert once.run.loop_s is not None
        assert content is not None
        others = max(0.0, others_s / once.run.usage.elapsed_s)
        return Trace.of(run, once.run.loop_s, others, content)

    def disk_mb_per_s(self) -> float | None:
        """One stream from the disk, where the system lets us forget the files first."""
        files = self._benches[LARGE].batch.files
        if not put_out_of_memory(files):
            return None
        size_mb = sum(path.stat().st_size for path in files) / 1e6
        start = time.perf_counter()
        for path in files:
            with path.open("rb", buffering=0) as stream:
                while os.read(stream.fileno(), 1 << 24):
                    pass
        return size_mb / (time.perf_counter() - start)


def _busy_s() -> float:
    """CPU seconds of all programs so far, but this one's own."""
    times = psutil.cpu_times()
    idle_s = times.idle + getattr(times, "iowait", 0.0) + getattr(times, "steal", 0.0)
    guest_s = getattr(times, "guest", 0.0) + getattr(times, "guest_nice", 0.0)  # in user, too
    return float(sum(times) - idle_s - guest_s - time.process_time())


def _configuration(run: Run) -> Configuration:
    usual = fixed_workers(run.workers)
    if not run.late:
        return usual
    plugins = {**usual.parallel["plugins"]}
    plugins["hybrid-executor"] = {**plugins["hybrid-executor"], "early_workers": 0}
    return replace(usual, name=f"{usual.name}_late", parallel={"plugins": plugins})


def check(traces: Sequence[Trace], costs: Costs, cores: int) -> Iterator[Checked]:
    """The model's time for every kind of run, beside the real ones on so many cores.

    The benchmarks' plugin sets no budget of memory.
    """
    model = ModelMachine(cores, math.inf)
    for run in RUNS:
        mine = [trace for trace in traces if trace.run == run]
        lone = next(trace for trace in traces if trace.run == Run(run.batch, 1))
        sizes_mb = [span.size_mb for span in lone.files]  # in the order of their start
        ready = max(trace.ready for trace in mine)
        found = simulate_fixed(sizes_mb, run.workers, model, costs, ready=ready)
        real_s = tuple(trace.loop_s for trace in mine)
        yield Checked(run.batch, run.workers, ready, real_s, found.elapsed_s)

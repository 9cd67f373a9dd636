"""Measuring what the model of a machine needs to know, and checking the model against real runs."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from digitalmodel_optimizer.bench.batches import made_batch
from digitalmodel_optimizer.bench.configurations import Configuration, fixed_workers
from digitalmodel_optimizer.bench.machine_model import Costs, ModelMachine, simulate
from digitalmodel_optimizer.bench.probe import FILES_VARIABLE, NAME
from digitalmodel_optimizer.bench.rounds import put_out_of_memory
from digitalmodel_optimizer.bench.running import Bench
from digitalmodel_optimizer.bench.statistics import fit_line
from digitalmodel_optimizer.bench.suites import Suite
from digitalmodel_optimizer.contract import Machine
from digitalmodel_optimizer.measuring.host_runs import read_json

SMALL_MB, LARGE_MB = 4.0, 150.0
_DURATION_S = 300.0
_FEW, _MANY = 4, 24
_LARGE_FILES = 4
CHECKED_WORKERS = (1, 2, 4)


@dataclass(frozen=True)
class Checked:
    """A real run and the model's answer to it."""

    batch: str
    workers: int
    real_s: float
    model_s: float

    @property
    def error(self) -> float:
        """By which share the model's time is longer (above 0) or shorter."""
        return self.model_s / self.real_s - 1.0


@dataclass(frozen=True)
class _Observed:
    loop_s: float
    files: Sequence[Mapping[str, Any]]
    growth_mb: float

    @property
    def file_s(self) -> float:
        """A file in a worker; the median, since the first ones pay for what is done once."""
        return float(statistics.median(item["total_s"] for item in self.files))

    @property
    def all_files_s(self) -> float:
        return float(sum(item["total_s"] for item in self.files))


class ScalingRuns:
    """Real runs on made batches of small files, of large ones, and of both."""

    def __init__(
        self,
        folder: Path,
        work: Path,
        machine: Machine,
        say: Callable[[str], None],
        repeats: int = 3,
    ) -> None:
        self._folder = folder
        self._work = work
        self._machine = machine
        self._say = say
        self._repeats = repeats
        self._benches: dict[str, Bench] = {}
        self.sizes = {
            "few": (SMALL_MB,) * _FEW,
            "small": (SMALL_MB,) * _MANY,
            "large": (LARGE_MB,) * _LARGE_FILES,
            "both": (*(SMALL_MB,) * _MANY, LARGE_MB, LARGE_MB),
        }

    def measure(self) -> tuple[Costs, float]:
        """The costs of work here, and the speed of the disk in MB/s."""
        few, small = (
            self._observe("few", fixed_workers(1)),
            self._observe("small", fixed_workers(1)),
        )
        large, alone = self._observe("large", fixed_workers(1)), self._observe("small", _serial())
        pair = self._observe("small", fixed_workers(self._machine.logical_cpus))
        file_s, mb_s = fit_line([SMALL_MB, LARGE_MB], [small.file_s, large.file_s])
        both_s, each_s = fit_line([_FEW, _MANY], [few.loop_s, small.loop_s])
        batch_s = max(0.0, alone.loop_s - alone.all_files_s)
        parent_s = max(0.0, each_s - small.file_s)
        return (
            Costs(
                start_s=max(0.0, both_s - batch_s),
                file_s=max(0.0, file_s),
                mb_s=max(0.0, mb_s),
                parent_s=parent_s,
                batch_s=batch_s,
                contention=max(0.0, pair.file_s / small.file_s - 1.0),
                memory_factor=max(1.0, large.growth_mb / LARGE_MB),
            ),
            self._disk_mb_per_s(),
        )

    def check(self, costs: Costs) -> list[Checked]:
        """Real runs at each number of workers, files in memory, against the model's."""
        machine = ModelMachine(self._machine.logical_cpus, self._machine.memory_available_mb)
        found = []
        for name in ("small", "both"):
            for workers in CHECKED_WORKERS:
                real_s = self._observe(name, fixed_workers(workers)).loop_s
                model_s = simulate(self.sizes[name], workers, machine, costs).elapsed_s
                found.append(Checked(name, workers, real_s, model_s))
        return found

    def _observe(self, name: str, configuration: Configuration) -> _Observed:
        """The quickest run of some: whatever disturbs one only makes it longer.

        The files are in memory; the first run of a batch has seen to that.
        """
        bench = self._bench(name)
        runs = []
        for number in range(self._repeats):
            self._say(f"{name}: {configuration.name}, {number + 1} of {self._repeats}")
            noted = bench.work / "files.json"
            noted.unlink(missing_ok=True)
            once = bench.run(configuration, {FILES_VARIABLE: str(noted)})
            files = (read_json(noted) or {}).get("files", [])
            assert once.run.loop_s is not None
            growth = max((item["memory_growth_mb"] for item in files), default=0.0)
            runs.append(_Observed(once.run.loop_s, files, growth))
        return min(runs, key=lambda item: item.loop_s)

    def _bench(self, name: str) -> Bench:
        if name not in self._benches:
            suite = Suite(f"scaling-{name}", name, self.sizes[name], duration_s=_DURATION_S)
            batch = made_batch(suite, self._folder, self._say)
            self._benches[name] = Bench(batch, self._work / name)
            self._say(f"{name}: starting Python and the host for the first time")
            self._benches[name].warm_up()
        return self._benches[name]

    def _disk_mb_per_s(self) -> float:
        """One stream from the disk, where the system lets us forget the files first."""
        files = self._bench("large").batch.files
        if not put_out_of_memory(files):
            return float("inf")
        size_mb = sum(path.stat().st_size for path in files) / 1e6
        start = time.perf_counter()
        for path in files:
            with path.open("rb", buffering=0) as stream:
                while os.read(stream.fileno(), 1 << 24):
                    pass
        return size_mb / (time.perf_counter() - start)


def _serial() -> Configuration:
    """One file after the other in the host's own process."""
    plugins = {NAME: {"workers": 1}, "hybrid-executor": {"backend": "serial"}}
    return replace(fixed_workers(1), name="serial", parallel={"plugins": plugins})

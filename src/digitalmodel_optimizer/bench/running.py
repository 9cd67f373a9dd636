"""Running one configuration once: the right program, its environment, its outputs checked."""

from __future__ import annotations

import contextlib
import glob
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from digitalmodel_optimizer.bench import probe
from digitalmodel_optimizer.bench.batches import Batch, BenchError, as_argument
from digitalmodel_optimizer.bench.configurations import KEPT_FOLDER, Configuration, Runner
from digitalmodel_optimizer.bench.floor_plan import NotForTheFloorError, write_plan
from digitalmodel_optimizer.measuring.compare import compare_outputs
from digitalmodel_optimizer.measuring.host_runs import TIMED_HOST, HostRun, read_json, run_host
from digitalmodel_optimizer.measuring.process_tree import run_child
from digitalmodel_optimizer.measuring.warm_up import bytecode_environment, start_warm_up

_LAST_LINES = 25
_LEAST_FREE_BYTES = 1_000_000
_REFERENCE = "results-reference"
_MARK = "digitalmodel-optimizer-bench.txt"


@dataclass(frozen=True)
class Once:
    """What came of one run; ``differences`` from the reference are in words."""

    run: HostRun
    differences: tuple[str, ...]
    results: Path


class Bench:
    """A batch laid out in a working folder, in which one configuration after the other runs.

    The first run's outputs become the reference that all others are compared with.
    """

    def __init__(self, batch: Batch, work: Path) -> None:
        self.batch = batch
        self.work = work
        self.results = work / "results"
        self._plan = work / "floor.plan"
        self.reference: str | None = None
        _claim(work)
        self._config = batch.lay_out(work)
        self.environment = {**bytecode_environment(work)}
        if batch.stand_in:
            self.environment["SIMULATED_ORCAFLEX"] = "1"
        self._before = batch.state()

    def warm_up(self) -> None:
        """Import the host once, so that no run pays for what is compiled or read first."""
        process = start_warm_up(self.work, self.environment)
        try:
            process.wait()
        finally:
            process.kill()
            process.wait()

    def run(self, configuration: Configuration, variables: Mapping[str, str] | None = None) -> Once:
        """Run the batch as ``configuration`` has it, and compare what it wrote.

        :param variables: added to the environment of the run.
        :raises BenchError: it did not get to its end, or a simulation file was touched.
        :raises NotForTheFloorError: the floor does not know how to read this batch.
        """
        for folder in (self.results, self.work / KEPT_FOLDER):
            shutil.rmtree(folder, ignore_errors=True)
        environment = {**self.environment, **(variables or {})}
        if configuration.probe:
            with_probe(environment, self.work)
        if configuration.runner is Runner.FLOOR:
            run = self._run_floor(configuration, environment)
        else:
            if configuration.again is not None:
                self._run_host(configuration, self.environment)
                self._have_read_again(configuration.again)
            run = self._run_host(configuration, environment)
        if run.status != 0 or run.loop_s is None:
            last = "\n".join(run.said.splitlines()[-_LAST_LINES:])
            raise BenchError(
                f"{self.batch.name}, {configuration.name}: ended with status {run.status}"
                f"{'' if run.loop_s else ' and ran no loop'}{_full(self.work)}:\n{last}"
            )
        if self.batch.state() != self._before:
            raise BenchError(f"{configuration.name} has touched simulation files of the batch")
        if configuration.runner is Runner.PLUGINS and run.report is None:
            raise BenchError(
                "the plugins did not take part; `digitalmodel-optimizer doctor` says what is in "
                "their way"
            )
        return Once(run, self._compared(configuration), self.results)

    def _run_host(self, configuration: Configuration, environment: dict[str, str]) -> HostRun:
        runner = configuration.runner
        program = [TIMED_HOST]
        if runner is Runner.JOBLIB:
            program = ["digitalmodel_optimizer.bench.plain_joblib", str(configuration.workers)]
        settings = {"enabled": True, "progress": False, **configuration.parallel}
        overrides = {**self.batch.overrides, "orcaflex": {"parallel": settings}}
        return run_host(
            self.work,
            self._config,
            [as_argument(overrides)],
            environment,
            plugins=runner is Runner.PLUGINS,
            program=program,
        )

    def _have_read_again(self, number: int) -> None:
        """Remove outputs of so many files, evenly taken: simulation files are never touched.

        :raises BenchError: there are not as many that have outputs of their own.
        """
        outputs = {
            stem: found
            for stem in sorted(self.batch.stems)
            if (found := list(self.results.glob(f"{glob.escape(stem)}_*.csv")))
        }
        if number > len(outputs):
            raise BenchError(
                f"{self.batch.name}: {len(outputs)} files have time series of their own, so that "
                f"{number} cannot be read again"
            )
        stems = list(outputs)
        for place in range(number):
            for path in outputs[stems[place * len(stems) // number]]:
                path.unlink()

    def _run_floor(self, configuration: Configuration, environment: Mapping[str, str]) -> HostRun:
        if self.reference is None:
            raise NotForTheFloorError("it needs the engine's run before it")
        times, log = (self.work / f"floor.{ending}" for ending in ("times", "log"))
        if not self._plan.is_file():
            saved = next((self.work / _REFERENCE).glob(f"{self.batch.name}*.yml"))
            write_plan(saved, self.batch.name, self._plan)
        times.unlink(missing_ok=True)
        command = [sys.executable, "-m", "digitalmodel_optimizer.bench.floor"]
        command += [str(times), str(self._plan), str(self.results), str(configuration.workers or 1)]
        usage = run_child(command, self.work, {**os.environ, **environment}, log)
        said = log.read_text(encoding="utf-8", errors="replace")
        return HostRun(usage, (read_json(times) or {}).get("loop_s"), None, said)

    def _compared(self, configuration: Configuration) -> tuple[str, ...]:
        reference = self.work / _REFERENCE
        if self.reference is None:
            if not any(self.results.rglob("*.csv")):
                raise BenchError(
                    f"{self.batch.name}, {configuration.name}: wrote no table, so that there is "
                    "nothing to compare"
                )
            shutil.rmtree(reference, ignore_errors=True)
            os.replace(self.results, reference)
            shutil.copytree(reference, self.results)
            self.reference = configuration.name
            self._plan.unlink(missing_ok=True)  # of an earlier bench in this folder
            return ()
        found = compare_outputs(reference, self.results, self.batch.stems, settings=False)
        different = []
        for item in found:
            if item.same:
                continue
            if configuration.runner is Runner.FLOOR:
                if not item.name.endswith(".csv"):
                    continue  # the floor saves no configuration
                if same_numbers(reference / item.name, self.results / item.name):
                    continue
            different.append(f"{item.name}: {item.why}")
        return tuple(different)


def _full(folder: Path) -> str:
    """Said of a disk that has no room, on which a run could not even write why it ended."""
    free_bytes = shutil.disk_usage(folder).free
    return "" if free_bytes > _LEAST_FREE_BYTES else f"; the disk of {folder} is full"


def _claim(work: Path) -> None:
    """Make ``work`` a folder of the benchmarks, in which results are removed before each run.

    :raises BenchError: somebody else's files stand there.
    """
    mark = work / _MARK
    if work.is_dir() and any(work.iterdir()) and not mark.is_file():
        raise BenchError(
            f"{work} holds files that are not of an earlier bench, and would be written to; "
            "--work names another place"
        )
    work.mkdir(parents=True, exist_ok=True)
    mark.write_text("Made by digitalmodel-optimizer bench, and overwritten by it.\n", "utf-8")


def with_probe(environment: dict[str, str], work: Path) -> None:
    """Have the benchmarks' own plugin installed for the processes of one run."""
    inherited = environment.get("PYTHONPATH", os.environ.get("PYTHONPATH"))
    place = str(probe.installed_in(work / "probe"))
    environment["PYTHONPATH"] = os.pathsep.join([place, *([inherited] if inherited else [])])


def same_numbers(left: Path, right: Path) -> bool:
    """Whether two tables differ in how numbers are spelled at most, or in their last digit.

    The engine rounds to six decimals; sums taken in another order may fall to the other side.
    """
    if not (left.is_file() and right.is_file()):
        return False
    rows = [path.read_text(encoding="utf-8").splitlines() for path in (left, right)]
    if len(rows[0]) != len(rows[1]):
        return False
    return all(
        a == b or _same_cells(a.split(","), b.split(",")) for a, b in zip(*rows, strict=True)
    )


def _same_cells(left: list[str], right: list[str]) -> bool:
    if len(left) != len(right):
        return False
    with contextlib.suppress(ValueError):
        return all(
            a == b or abs(float(a) - float(b)) <= 1.1e-6 + 1e-12 * abs(float(a))
            for a, b in zip(left, right, strict=True)
        )
    return False


@contextlib.contextmanager
def working_folder(keep: Path | None) -> Iterator[Path]:
    """A temporary folder for configurations and outputs; with ``keep``, that one, left there."""
    import tempfile

    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        yield keep.absolute()
        return
    with tempfile.TemporaryDirectory(
        prefix="digitalmodel-optimizer-bench-", ignore_cleanup_errors=True
    ) as folder:
        yield Path(folder)


def report_of(run: HostRun) -> Mapping[str, Any]:
    return run.report or {}

"""Batches of which one file has a fault: all cases, how to run one, what must be left of it.

To replay a case by hand, with its batch in a folder of its own::

    python tests/faults/fault_batches.py FOLDER segfault-read-8-loky-first-always

The name is the one in the brackets of the test that failed. This writes the batch, prints the
environment variables and the command, runs it, and lists what is wrong. The same command line,
typed in FOLDER, does it again; ``SIMULATED_ORCAFLEX_FAULTS`` says what goes wrong with which file.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import shlex
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1] / "engine"))

import command
from batches import ALL_STATISTICS, END_A, backend, column, configuration, series, write
from host_process import (
    STAND_IN,
    Files,
    HostProcess,
    csv_files,
    environment,
    first_difference,
    read_tree,
)

STAGES = ("load", "enumerate", "read", "write")
SIZES = (1, 2, 8, 200)
BACKENDS = ("auto", "loky", "hybrid")
PLACES = ("first", "middle", "last")
TIMES = ("always", "once")
# What the stand-in is told, and the kind of failure that the report must name.
FAULTS: dict[str, tuple[dict[str, Any], str]] = {
    "segfault": ({"crash": {"how": "segfault"}}, "worker crashed"),
    "exit-0": ({"crash": {"how": "exit", "code": 0}}, "worker crashed"),
    "kill": ({"crash": {"how": "kill"}}, "worker crashed"),  # what the system's OOM killer does
    "memory": ({"memory": {}}, "out of memory"),
    "hang": ({"hang": {}}, "timed out"),
    # Much like others, so only where all combinations are run.
    "abort": ({"crash": {"how": "abort"}}, "worker crashed"),
    "exit-3": ({"crash": {"how": "exit", "code": 3}}, "worker crashed"),
}
UNLIKE = ("segfault", "exit-0", "kill", "memory", "hang")
LIMIT_S = 10  # for one file, in the cases of a hang
# No core files; and a limit that makes a lack of memory real, far above what a run takes (in kB).
LIMITED = 'ulimit -c 0; ulimit -v 33554432; exec "$0" "$@"'
RUN_LIMIT_S = 250
CONFIG = "dm_fsts.yml"
RUN_VARIABLE = "OPTIMIZER_TEST_FAULTS_RUN"

# Time histories only: of these the host swallows every error and writes empty cells instead.
SUMMARY = [
    (
        "main",
        [column("x", "FST1", "X"), column("tension", "Mooring1", "Effective Tension", **END_A)],
    ),
    ("struts", [column("strut", "Strut1", "Connection Force", SimulationPeriod=[2, 10])]),
]
SERIES = [("motions", [series("x", "FST1", "X"), series("y", "FST2", "Y")])]


@dataclass(frozen=True)
class Case:
    """One batch of ``files`` files, of which the one at ``place`` has a fault at ``stage``.

    With ``times`` "once" it has it at the first attempt only, and the second one succeeds.
    """

    fault: str
    stage: str
    files: int
    backend: str
    place: str
    times: str

    def __str__(self) -> str:
        return "-".join(map(str, self._values()))

    @classmethod
    def named(cls, name: str) -> Case:
        """The case whose text is ``name``."""
        return next(case for case in all_cases() if str(case) == name)

    @property
    def possible(self) -> bool:
        """A file that hangs is not tried again; one file has one place, two have two."""
        if self.fault == "hang" and self.times == "once":
            return False
        return self.place in {1: ("first",), 2: ("first", "last")}.get(self.files, PLACES)

    @property
    def kind(self) -> str:
        return FAULTS[self.fault][1]

    def _values(self) -> tuple[Any, ...]:
        return (self.fault, self.stage, self.files, self.backend, self.place, self.times)

    def pairs(self) -> frozenset[Any]:
        """Every two of its values, with which of its parts they are."""
        return frozenset(itertools.combinations(enumerate(self._values()), 2))


def all_cases(faults: Iterable[str] = tuple(FAULTS)) -> list[Case]:
    """Every combination that can be."""
    values = itertools.product(faults, STAGES, SIZES, BACKENDS, PLACES, TIMES)
    return [case for case in itertools.starmap(Case, values) if case.possible]


def matrix(cases: list[Case]) -> list[Case]:
    """All of ``cases``, but each at one place only: the places take turns."""
    groups: dict[Case, list[Case]] = {}
    for case in cases:
        groups.setdefault(replace(case, place=""), []).append(case)
    return [group[turn % len(group)] for turn, group in enumerate(groups.values())]


def pairwise(cases: list[Case]) -> list[Case]:
    """A few of ``cases`` in which every two values that can meet do; always the same few."""
    pairs = {case: case.pairs() for case in cases}
    missing = set().union(*pairs.values())
    chosen = []
    while missing:
        best = max(cases, key=lambda case: (len(pairs[case] & missing), -case.files))
        chosen.append(best)
        missing -= pairs[best]
    return chosen


@dataclass
class Batch:
    """Small files below ``root``, ``names`` in the order in which the host lists them.

    ``plain`` is a host without the project; tests hold that its tables are those of the command.
    """

    root: Path
    names: list[str]
    plain: HostProcess
    _expected: dict[frozenset[str], Files] = field(default_factory=dict)

    @classmethod
    def written(cls, root: Path, files: int, plain: HostProcess) -> Batch:
        for number in range(files):
            write(root / "sim", f"case_{number:03d}", seed=number)
        return cls(root, [path.name for path in (root / "sim").glob("*.sim")], plain)

    def at(self, place: str) -> str:
        """The name of the file at a place in the host's order."""
        return self.names[{"first": 0, "middle": len(self.names) // 2, "last": -1}[place]]

    def expected(self, lost: Iterable[str] = ()) -> Files:
        """The tables that the host by itself writes of all files but those ``lost``, in its order.

        It runs once for each ``lost``, and the results folder is then its own.
        """
        key = frozenset(lost)
        if key not in self._expected:
            files = [self.root / "sim" / name for name in self.names if name not in key]
            cfg = configuration(self.root, files, SUMMARY, SERIES, statistics=ALL_STATISTICS)
            cfg["Analysis"]["file_name"] = CONFIG.removesuffix(".yml")
            done = self.plain.run(cfg)
            assert done.error is None, done.output[-3000:]
            self._expected[key] = csv_files(done.files)
        return self._expected[key]

    def configured(self, parallel: dict[str, Any]) -> Path:
        """The user's YAML file; there are no results yet."""
        for name in ("results", "slots"):
            shutil.rmtree(self.root / name, ignore_errors=True)
        (self.root / "slots").mkdir()
        block = {"enabled": True, **parallel}
        cfg = command.user_configuration(
            self.root, SUMMARY, SERIES, statistics=ALL_STATISTICS, parallel=block
        )
        return command.prepare(self.root, cfg, CONFIG)


def parallel_block(case: Case) -> dict[str, Any]:
    """``orcaflex.parallel`` as users have it; where a backend is named, it has two workers."""
    block = {} if case.backend == "auto" else backend(case.backend)
    return {**block, "timeout_per_file": LIMIT_S} if case.fault == "hang" else block


def fault_of(case: Case, file: str, slots: Path) -> dict[str, Any]:
    """One entry of ``SIMULATED_ORCAFLEX_FAULTS``."""
    ((name, settings),) = FAULTS[case.fault][0].items()
    times = {"times": 1, "counter": str(slots / file)} if case.times == "once" else {}
    return {"files": file, name: {**settings, "stage": case.stage, **times}}


@dataclass(frozen=True)
class Run:
    """What came of a command. ``left`` are the processes that it left behind, in words."""

    status: int
    errors: str
    report: dict[str, Any]
    left: tuple[str, ...]
    seconds: float


class Command:
    """The host's own command in its folder, as a terminal's job; ``mark`` is in its environment."""

    def __init__(self, config: Path, variables: dict[str, str]) -> None:
        self.mark = uuid.uuid4().hex
        self._report = config.parent / f"report-{self.mark}.json"
        ours = {"DIGITALMODEL_OPTIMIZER_REPORT": str(self._report), RUN_VARIABLE: self.mark}
        self._start = time.monotonic()
        self.process = subprocess.Popen(
            ["sh", "-c", LIMITED, *command.arguments(config)],
            cwd=config.parent,
            env=environment(**STAND_IN, **ours, **variables),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
        )

    def finish(self) -> Run:
        """Wait for its end and for that of its processes; none runs afterwards."""
        try:
            _, errors = self.process.communicate(timeout=RUN_LIMIT_S)
        except subprocess.TimeoutExpired:
            stop(self.mark)
            _, errors = self.process.communicate()
            raise AssertionError(f"no end within {RUN_LIMIT_S} s: {errors[-3000:]}") from None
        seconds = time.monotonic() - self._start
        report = json.loads(self._report.read_text()) if self._report.exists() else {}
        self._report.unlink(missing_ok=True)
        left = tuple(stop(self.mark, patience_s=10.0))
        return Run(self.process.returncode, errors, report, left, seconds)


def run(config: Path, variables: dict[str, str]) -> Run:
    """The command to its end."""
    return Command(config, variables).finish()


def running(mark: str) -> Iterator[Any]:
    """The processes of a run, known by the variable that all of them have inherited."""
    import psutil

    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.environ().get(RUN_VARIABLE) == mark and process.is_running():
                yield process


def stop(mark: str, patience_s: float = 0.0) -> list[str]:
    """Kill what still runs after a while; the command lines of that."""
    import psutil

    end = time.monotonic() + patience_s
    while (left := list(running(mark))) and time.monotonic() < end:
        time.sleep(0.1)
    told = []
    for process in left:
        with contextlib.suppress(psutil.Error):
            told.append(" ".join(process.cmdline()))
            process.kill()
    return told


def run_case(batch: Batch, case: Case) -> Run:
    """The case's batch through the plugins, with its fault."""
    fault = fault_of(case, batch.at(case.place), batch.root / "slots")
    config = batch.configured(parallel_block(case))
    return run(config, {"SIMULATED_ORCAFLEX_FAULTS": json.dumps([fault])})


def wrong_with(batch: Batch, done: Run, lost: dict[str, str], expected: Files) -> list[str]:
    """What is not as it must be where the files ``lost`` failed, each with its kind; in words."""
    results = batch.root / "results"
    found = csv_files(read_tree(results))
    said = " ".join(done.errors.split())
    failed = {Path(item["file"]).name: item["kind"] for item in done.report.get("failed", ())}
    logs = {path.name: path.read_text() for path in results.glob("*_error.log")}
    hidden = [path.name for path in (*results.glob(".*"), *batch.root.glob(".*"))]
    checks = {
        f"the exit status is {done.status}": done.status == (1 if lost else 0),
        f"tables: {first_difference(expected, found)}": found == expected,
        f"the report has {failed}": failed == lost,
        f"error logs: {sorted(logs)}": logs.keys() == {_log_of(name) for name in lost},
        f"left in the folders: {hidden}": not hidden,
        f"still running: {done.left}": not done.left,
    }
    for name, kind in lost.items():
        path = str(batch.root / "sim" / name)
        log = logs.get(_log_of(name), "")
        checks[f"standard error does not name {name}, {kind}"] = (
            name.removesuffix(".sim") in said and kind in said
        )
        checks[f"{_log_of(name)} does not name {path}, {kind}"] = path in log and kind in log
    if lost:
        counted = f"{len(lost)} of {len(batch.names)} files failed"
        checks[f"standard error does not say: {counted}"] = counted in said
    return [words for words, right in checks.items() if not right]


def _log_of(name: str) -> str:
    return f"{Path(name).stem}_error.log"


def happened(batch: Batch, case: Case) -> bool:
    """Whether the fault of a case that has it once came to pass."""
    return case.times == "always" or any((batch.root / "slots").iterdir())


def lost_in(batch: Batch, case: Case) -> dict[str, str]:
    """The file that fails, with its kind; none where a second attempt succeeds."""
    return {} if case.times == "once" else {batch.at(case.place): case.kind}


def main() -> int:
    root, case = Path(sys.argv[1]).resolve(), Case.named(sys.argv[2])
    root.mkdir(parents=True, exist_ok=True)
    with HostProcess(root, DIGITALMODEL_OPTIMIZER="off") as plain:
        batch = Batch.written(root, case.files, plain)
        lost = lost_in(batch, case)
        expected = batch.expected(lost)
    config = batch.configured(parallel_block(case))
    fault = json.dumps([fault_of(case, batch.at(case.place), root / "slots")])
    variables = {**STAND_IN, "SIMULATED_ORCAFLEX_FAULTS": fault}
    settings = " ".join(f"{name}={shlex.quote(value)}" for name, value in variables.items())
    print(f"cd {root}; rm -rf results slots/*\n{settings} {shlex.join(command.arguments(config))}")
    done = run_case(batch, case)
    print(f"{done.errors[-4000:]}\n[exit status {done.status}, {done.seconds:.1f} s]")
    wrong = wrong_with(batch, done, lost, expected)
    if not happened(batch, case):
        wrong.append("the fault never came to pass")
    print(*(f"WRONG: {words}" for words in wrong), sep="\n")
    return os.EX_SOFTWARE if wrong else os.EX_OK


if __name__ == "__main__":
    sys.exit(main())

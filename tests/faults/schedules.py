"""Random schedules of faults: bad files, crashes, licences, signals, edits and second runs at once.

A schedule is drawn from its seed and from nothing else. To replay one by hand, with its batch in a
folder of its own::

    python tests/faults/schedules.py FOLDER 4711

It prints what the schedule holds, runs it, and lists what is wrong.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1] / "engine"))

from batches import backend, write, write_bad
from fault_batches import STAGES, Batch, Command, Run, wrong_with
from host_process import Files, HostProcess

LIMIT_S = 8
NAMES = ("case {n}", "fäll_{n}", "-case_{n}", "case#{n}%", "Case.{n}.final", "case_{n}")
# What stands in the folder, and the kind of failure that the report names.
BAD_FILES = {
    "empty": "unreadable",
    "text": "not a simulation",
    "truncated": "unreadable",
    "corrupt": "not a simulation",
    "folder": "unreadable",
    "pipe": "unreadable",
    "loop": "unreadable",
    "nowhere": "missing",
}
STRIKES: dict[str, tuple[dict[str, Any], str]] = {
    "segfault": ({"crash": {"how": "segfault"}}, "worker crashed"),
    "kill": ({"crash": {"how": "kill"}}, "worker crashed"),
    "exit-0": ({"crash": {"how": "exit", "code": 0}}, "worker crashed"),
    "memory": ({"memory": {}}, "out of memory"),
    "hang": ({"hang": {}}, "timed out"),
    "licence": ({"licence_loss": {"after_reads": 2, "calls": 3}}, "licence refused"),
}
SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGKILL")


@dataclass
class Schedule:
    """What will happen. ``bad``: file names with the kind of what stands there; ``struck``: with
    fault, stage and whether it strikes every time. ``interrupted``: a signal and when it comes, in
    s; ``edits``: healthy files that get other content after that. ``second_s``: when another run
    of the same batch is started beside the first one.
    """

    seed: int
    names: list[str]
    parallel: dict[str, Any]
    bad: dict[str, str] = field(default_factory=dict)
    struck: dict[str, tuple[str, str, bool]] = field(default_factory=dict)
    load_s: float = 0.0
    interrupted: tuple[str, float] | None = None
    edits: list[str] = field(default_factory=list)
    second_s: float | None = None

    @classmethod
    def drawn(cls, seed: int) -> Schedule:
        chance = random.Random(f"schedule {seed}")
        names = [
            f"{chance.choice(NAMES).format(n=number)}.sim" for number in range(chance.randint(1, 9))
        ]
        kind = chance.choice(("auto", "auto", "loky", "hybrid"))
        parallel: dict[str, Any] = {} if kind == "auto" else backend(kind, chance.randint(1, 3))
        executor = parallel.setdefault("plugins", {}).setdefault("hybrid-executor", {})
        executor["licence_wait_first_s"] = 1.0
        made = cls(seed, names, parallel, load_s=chance.choice((0.0, 0.0, 0.05, 0.3)))
        for name in names:
            fate = chance.random()
            if fate < 0.15:
                made.bad[name] = chance.choice(tuple(BAD_FILES))
            elif fate < 0.4:
                fault = chance.choices(tuple(STRIKES), (4, 4, 2, 4, 1, 3))[0]
                always = fault == "hang" or (fault != "licence" and chance.random() < 0.5)
                made.struck[name] = (fault, chance.choice(STAGES), always)
        if any(fault == "hang" for fault, _, _ in made.struck.values()):
            made.parallel["timeout_per_file"] = LIMIT_S
        if chance.random() < 0.3:
            made.interrupted = (chance.choice(SIGNALS), chance.uniform(0.5, 4.0))
            sound = [name for name in names if name not in made.bad]
            made.edits = chance.sample(sound, min(len(sound), chance.randint(0, 2)))
        elif chance.random() < 0.15:
            made.second_s = chance.uniform(0.0, 2.0)
        return made

    def lost(self) -> dict[str, str]:
        """The files that must fail, with their kinds."""
        bad = {name: BAD_FILES[kind] for name, kind in self.bad.items()}
        struck = {
            name: STRIKES[fault][1] for name, (fault, _, always) in self.struck.items() if always
        }
        return {**bad, **struck}

    def faults(self, slots: Path) -> str:
        """``SIMULATED_ORCAFLEX_FAULTS``."""
        entries: list[dict[str, Any]] = []
        for name, (fault, stage, always) in self.struck.items():
            ((field_name, settings),) = STRIKES[fault][0].items()
            once = {} if always else {"times": 1, "counter": str(slots / name)}
            at = {} if fault == "licence" else {"stage": stage}
            entry = {"files": name, field_name: {**settings, **at, **once}}
            entries.append({**entry, "load_s": self.load_s})
        return json.dumps([*entries, {"load_s": self.load_s}])


def lay_out(root: Path, schedule: Schedule, plain: HostProcess) -> Batch:
    """Write the schedule's files below ``root``, and no results."""
    shutil.rmtree(root, ignore_errors=True)
    folder = root / "sim"
    folder.mkdir(parents=True)
    for number, name in enumerate(schedule.names):
        stem, path = name.removesuffix(".sim"), folder / name
        kind = schedule.bad.get(name)
        if kind is None:
            write(folder, stem, seed=number)
        elif kind == "folder":
            path.mkdir()
        elif kind == "pipe":
            os.mkfifo(path)
        elif kind in ("loop", "nowhere"):
            path.symlink_to(path if kind == "loop" else folder / "gone")
        else:
            write_bad(folder, stem, kind)
    return Batch(root, [path.name for path in folder.glob("*.sim")], plain)


def run_schedule(root: Path, schedule: Schedule, plain: HostProcess) -> list[str]:
    """Do what the schedule says; what is wrong afterwards, in words."""
    batch = lay_out(root, schedule, plain)
    config = batch.configured(schedule.parallel)
    variables = {"SIMULATED_ORCAFLEX_FAULTS": schedule.faults(root / "slots")}
    wrong: list[str] = []
    if schedule.interrupted is not None:
        wrong += _interrupt(Command(config, variables), *schedule.interrupted)
        for place, name in enumerate(schedule.edits):
            write(root / "sim", name.removesuffix(".sim"), seed=100 + place)
    first = Command(config, variables)
    if schedule.second_s is None:
        done = first.finish()
    else:
        time.sleep(schedule.second_s)
        done, said = _one_of_two(first, Command(config, variables))
        wrong += said
    lost = schedule.lost()
    expected = _expected(batch, lost)
    return [*wrong, *wrong_with(batch, done, lost, expected)]


def _expected(batch: Batch, lost: dict[str, str]) -> Files:
    """What the host by itself writes of the files as they are now; the run's results stay."""
    results, kept = batch.root / "results", batch.root / "kept"
    results.mkdir(exist_ok=True)
    results.rename(kept)
    try:
        return batch.expected(lost)
    finally:
        shutil.rmtree(results, ignore_errors=True)
        kept.rename(results)


def _interrupt(command: Command, name: str, after_s: float) -> list[str]:
    """Send a signal after so many seconds, unless the run is over by then."""
    time.sleep(after_s)
    if command.process.poll() is None:
        group = name in ("SIGINT", "SIGHUP")
        number = getattr(signal, name)
        (os.killpg if group else os.kill)(command.process.pid, number)
    run = command.finish()
    return [f"after {name}: still running: {run.left}"] if run.left else []


def _one_of_two(first: Command, second: Command) -> tuple[Run, list[str]]:
    """Of two runs at once one does the work, the other is told so or comes after it; whichever of
    them gets the folder first.
    """
    later, earlier = second.finish(), first.finish()
    refused = [
        run
        for run in (earlier, later)
        if run.status == 2 and "another run of this batch writes into" in run.errors
    ]
    wrong = [f"a run that was refused left {run.left}" for run in refused if run.left]
    if len(refused) == 2:
        wrong.append("both of two runs at once were refused")
    return (earlier if later in refused else later), wrong


def main() -> int:
    root, schedule = Path(sys.argv[1]).resolve(), Schedule.drawn(int(sys.argv[2]))
    print(schedule)
    with HostProcess(Path.cwd(), DIGITALMODEL_OPTIMIZER="off") as plain:
        wrong = run_schedule(root, schedule, plain)
    print(*(f"WRONG: {words}" for words in wrong), sep="\n")
    return os.EX_SOFTWARE if wrong else os.EX_OK


if __name__ == "__main__":
    sys.exit(main())

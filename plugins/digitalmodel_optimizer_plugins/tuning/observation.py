"""What one run shows: so many workers, working at the same time, got so much done per second."""

from __future__ import annotations

import itertools
import math
import os
import platform
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from digitalmodel_optimizer.plugin import Settings, SimulationFile

# Fewer files than this say nothing of how workers get on with each other.
LEAST_FILES = 8
# Of so many files per worker that ran side by side, those half done at either end matter little.
_FILES_PER_WORKER = 2


@dataclass(frozen=True)
class Place:
    """What a curve belongs to: batches that compare with each other.

    ``machine``: its name, ``cpus``: those that the run may use, ``storage``: the mount point or
    drive of the inputs. ``files`` and ``file_mb`` are powers of two near the number of files and
    their mean size, ``batch`` the user's file, which settles the columns. ``setup``: backend,
    native threads and read-ahead as they are set, since each has a curve of its own.
    """

    machine: str
    cpus: int
    storage: str
    files: int
    file_mb: float
    batch: str
    setup: str

    @property
    def words(self) -> str:
        """For people: ``dm_fsts.yml: about 64 files of 8 MB on D:, 8 CPUs of pc7 (loky)``."""
        name = os.path.basename(self.batch.replace("\\", "/")) or "a batch"
        return (
            f"{name}: about {self.files} files of {self.file_mb:g} MB on {self.storage}, "
            f"{self.cpus} CPUs of {self.machine} ({self.setup})"
        )

    def work_mb(self, files: int, size_mb: float) -> float:
        """Predicted work: half by the number of files, half by their size, in MB of usual files."""
        return (files * self.file_mb + size_mb) / 2


@dataclass(frozen=True)
class Plan:
    """A batch as it was planned. ``static``: workers without tuning, ``bound``: what all budgets
    allow, ``start_s``: what a worker was expected to need for its start.
    """

    files: int
    size_mb: float
    static: int
    bound: int
    start_s: float


@dataclass(frozen=True)
class Observation:
    """A run: ``workers`` at the same time did ``mb_per_s`` of predicted work, for ``seconds``.

    The seconds are those in which so many worked side by side, without starts and the end of the
    batch. ``at_s``: since 1970. ``native_threads`` for each model, ``backend`` as it ran,
    ``explored``: the number of workers was tried out, ``tuned``: it was not the static choice.
    ``busy``: the share of their time in which the workers computed; 0 where that is not known.
    """

    place: Place
    plan: Plan
    at_s: float
    workers: int
    mb_per_s: float
    seconds: float
    native_threads: int = 0
    backend: str = ""
    read_ahead: int = 0
    explored: bool = False
    tuned: bool = False
    busy: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Observation:
        """:raises ValueError: it is none."""
        try:
            place, plan = Place(**content["place"]), Plan(**content["plan"])
            found = cls(**{**content, "place": place, "plan": plan})
        except (KeyError, TypeError) as error:
            raise ValueError(f"not an observation: {error}") from None
        numbers = (
            found.busy,
            found.at_s,
            found.mb_per_s,
            found.seconds,
            place.file_mb,
            plan.size_mb,
        )
        wholes = (found.workers, place.cpus, place.files, plan.files, plan.static, plan.bound)
        texts = (place.machine, place.storage, place.batch, place.setup)
        sound = (
            all(_is_finite(number) for number in (*numbers, plan.start_s))
            and all(type(number) is int and number >= 1 for number in wholes)
            and type(found.native_threads) is type(found.read_ahead) is int
            and all(type(text) is str for text in (*texts, found.backend))
            and type(found.explored) is type(found.tuned) is bool
            and 0 <= found.busy <= 1
            and min(found.mb_per_s, found.place.file_mb) > 0
            and min(found.seconds, plan.size_mb, plan.start_s) >= 0
        )
        if not sound:
            raise ValueError("not an observation: a value is of the wrong kind or out of range")
        return found


def place_of(files: Sequence[SimulationFile], cpus: int, settings: Settings) -> Place:
    """The place of a batch that has ``files`` to process."""
    mean_mb = sum(file.size_mb for file in files) / max(1, len(files))
    return Place(
        machine=platform.node() or "this machine",
        cpus=cpus,
        storage=storage_of(files[0].path) if files else "",
        files=round(_power_of_two(len(files))),
        file_mb=_power_of_two(max(mean_mb, 2.0**-6)),
        batch=batch_of(settings),
        setup=_setup(settings),
    )


def batch_of(settings: Settings) -> str:
    """The user's file with its folder: others are called ``dm_fsts.yml`` as well."""
    return os.path.abspath(settings.source) if settings.source else ""


def storage_of(path: str) -> str:
    """The drive, share or mount point that holds ``path``."""
    place = os.path.dirname(os.path.realpath(path))
    while not os.path.ismount(place):
        above = os.path.dirname(place)
        if above == place:
            break
        place = above
    return place


def observe(
    facts: Mapping[str, Any],
    place: Place,
    plan: Plan,
    *,
    least_s: float,
    read_ahead: int = 0,
    explored: bool = False,
    tuned: bool = False,
) -> Observation | str:
    """What the run that ``facts`` tell of has shown; why it shows nothing, as a sentence."""
    ran = [
        record
        for record in facts["records"]
        if record["began_s"] is not None and record["total_s"] > 0
    ]
    if facts["interrupted"] or facts["files_left"]:
        return "the batch was interrupted"
    if sum(record["outcome"] == "done" for record in ran) < max(LEAST_FILES, 0.9 * len(ran)):
        return f"fewer than {LEAST_FILES} files were processed, or too many failed"
    workers, seconds, records = steady(ran)
    if seconds <= 0 or seconds < least_s:
        return (
            f"its workers were at work side by side for {seconds:.1f} s, and less than "
            f"{least_s:g} s tell nothing"
        )
    files = sum(share for _, share in records)
    if files < _FILES_PER_WORKER * workers:
        return f"{workers} workers had {files:.0f} files side by side, which tells nothing"
    size_mb = sum(record["size_mb"] * share for record, share in records)
    at_work_s = sum(record["total_s"] * share for record, share in records)
    cpu_s = sum(record["cpu_s"] * share for record, share in records)
    threads = max((group["native_threads"] for group in facts["groups"]), default=0)
    return Observation(
        place=place,
        plan=plan,
        at_s=float(facts["began_s"]),
        workers=workers,
        # Half by number, half by size, as everywhere; a share of a file counts as such.
        mb_per_s=(files * place.file_mb + size_mb) / 2 / seconds,
        seconds=seconds,
        native_threads=threads,
        backend=facts["backend"],
        read_ahead=read_ahead,
        explored=explored,
        tuned=tuned,
        busy=min(1.0, cpu_s / at_work_s),
    )


def steady(
    records: Sequence[Mapping[str, Any]],
) -> tuple[int, float, list[tuple[Mapping[str, Any], float]]]:
    """The number of workers that worked side by side for the longest, the seconds in which they
    did, and each file with the share of it that falls into them.

    A worker works from the beginning of its first file to the end of its last one: what lies
    between two files (taking the result in) belongs to it.
    """
    spans: dict[Any, list[tuple[float, float]]] = defaultdict(list)
    for record in records:
        began_s = record["began_s"]
        spans[record["worker"]].append((began_s, began_s + record["total_s"]))
    if _share_a_process(spans):
        ends = [(span[0], span[1]) for found in spans.values() for span in found]
    else:
        ends = [(min(s[0] for s in found), max(s[1] for s in found)) for found in spans.values()]
    times: dict[int, float] = defaultdict(float)
    windows: dict[int, list[tuple[float, float]]] = defaultdict(list)
    events = sorted([(began, 1) for began, _ in ends] + [(ended, -1) for _, ended in ends])
    number, since_s = 0, 0.0
    for at_s, change in events:
        if number and at_s > since_s:
            times[number] += at_s - since_s
            windows[number].append((since_s, at_s))
        number, since_s = number + change, at_s
    if not times:
        return 1, 0.0, []
    # Of about equally long ones the one with more workers: it got more done.
    workers = max(times, key=lambda n: (n * times[n], n))
    shares = []
    for record in records:
        began_s, total_s = record["began_s"], record["total_s"]
        inside_s = sum(
            max(0.0, min(began_s + total_s, until_s) - max(began_s, from_s))
            for from_s, until_s in windows[workers]
        )
        if inside_s > 0:
            shares.append((record, inside_s / total_s))
    return workers, times[workers], shares


def _share_a_process(spans: Mapping[Any, Sequence[tuple[float, float]]]) -> bool:
    """Whether files of one worker overlap: threads of one process, each of which is a worker."""
    for found in spans.values():
        ordered = sorted(found)
        for (_, ended), (began, _) in itertools.pairwise(ordered):
            if began < ended - 1e-6:
                return True
    return False


def _setup(settings: Settings) -> str:
    backend = settings.plugin("hybrid-executor").get("backend", "auto")
    threads = settings.plugin("thread-allocation").get("native_threads", "auto")
    ahead = settings.plugin("io-buffering").get("read_ahead_files", "auto")
    kind = "processes" if settings.use_processes else "one process"
    return f"{kind}, backend {backend}, native threads {threads}, read-ahead {ahead}"


def _power_of_two(value: float) -> float:
    return float(2.0 ** round(math.log2(value))) if value > 0 else 1.0


def _is_finite(value: object) -> bool:
    return type(value) in (int, float) and math.isfinite(value)  # type: ignore[arg-type]

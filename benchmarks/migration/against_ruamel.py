"""The migration against a plain ruamel.yaml load and dump of the same tree, in one run.

``python benchmarks/migration/against_ruamel.py --files 10000``

The tree is made up in the shape of real ones: configurations of 15 kB like the demo's dm_fsts.yml,
base configurations and other tools' files of 1 kB. ``--share`` says how many of them are ours and
hold the old setting. ruamel.yaml loads and dumps every file, in one process as a plain script
would; of so many files it is given one in ``--every``, drawn by lot, and its time is multiplied.
The migration does all of them, from finding the files to the last one written and read back.
"""

from __future__ import annotations

import argparse
import io
import random
import resource
import sys
import tempfile
import time
from pathlib import Path

from digitalmodel_optimizer_migration import Choice, Request, Tally, chosen, migrate

COLUMN = """\
      - ObjectName: Mooring{number}
        Command: TimeHistory
        Variable: Effective Tension
        SimulationPeriod: [0, NULL]
        Statistic_Type: Max
        Label: mooring_{number}_max   # kN
"""
OURS = """\
meta:
  library: digitalmodel
  basename: orcaflex_post_process

orcaflex:
  parallel:
    enabled: True
    threads: {threads}
  postprocess:
    summary: {{flag: True}}

summary_settings:
  groups:
    - Label: moorings
      Columns:
"""
OTHER = "server:\n  threads: 30\n  hosts: [a, b, c]\n" + "".join(
    f"  option_{number}: value {number}\n" for number in range(40)
)


def make(folder: Path, files: int, share: float) -> int:
    """Write the tree; how many files hold the old setting."""
    columns = "".join(COLUMN.format(number=number) for number in range(80))
    old = (OURS.format(threads=30) + columns).replace("\n", "\r\n").encode()
    new = (OURS.format(threads=15) + columns).replace("\n", "\r\n").encode()
    planted = 0
    for number in range(files):
        path = folder / f"{number // 100:03}" / f"{number:05}.yml"
        path.parent.mkdir(parents=True, exist_ok=True)
        due = int((number + 1) * share) > int(number * share)
        planted += due
        path.write_bytes(old if due else new if number % 2 else OTHER.encode())
    return planted


def load_and_dump(paths: list[Path]) -> tuple[float, float]:
    """Seconds, and seconds of CPU, that ruamel.yaml takes to load and dump each of ``paths``."""
    from ruamel.yaml import YAML

    started, cpu = time.perf_counter(), cpu_s()
    for path in paths:
        yaml = YAML()
        out = io.BytesIO()
        yaml.dump(yaml.load(path.read_bytes()), out)
    return time.perf_counter() - started, cpu_s() - cpu


def cpu_s() -> float:
    """CPU seconds of this process and of the children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def peak_mb() -> float:
    """The most memory that this process and its children have used so far."""
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return (own + resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss) / 1000


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--share", type=float, default=0.1)
    parser.add_argument("--every", type=int, default=10)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        planted = make(folder, options.files, options.share)
        paths = sorted(folder.rglob("*.yml"))
        size = sum(path.stat().st_size for path in paths) / 1e6
        before = peak_mb()
        tally = Tally()
        started, cpu = time.perf_counter(), cpu_s()
        request = Request(Choice(chosen()), write=True, jobs=options.jobs)
        for _ in migrate([name], request, tally):
            pass
        ours, ours_cpu = time.perf_counter() - started, cpu_s() - cpu
        print(
            f"{len(paths)} files, {size:.0f} MB, {planted} with the old setting\n"
            f"migrate --write: {ours:.1f} s, {ours_cpu:.1f} s of CPU, {tally.counts.changed} "
            f"changed, {options.jobs} jobs, {peak_mb():.0f} MB at the peak ({before:.0f} before)",
            flush=True,
        )
        assert tally.counts.changed == planted
        drawn = random.Random(1).sample(paths, len(paths) // options.every)
        scale = len(paths) / len(drawn)
        theirs, theirs_cpu = (scale * seconds for seconds in load_and_dump(drawn))
        print(
            f"ruamel.yaml load and dump: {theirs:.1f} s, {theirs_cpu:.1f} s of CPU "
            f"(from {len(drawn)} files, by lot)\n"
            f"{theirs / ours:.0f} times sooner, {theirs_cpu / ours_cpu:.0f} times less CPU"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())

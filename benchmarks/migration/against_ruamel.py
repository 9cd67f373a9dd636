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


def load_and_dump(paths: list[Path]) -> float:
    """Seconds that ruamel.yaml takes to load and dump each of ``paths``."""
    from ruamel.yaml import YAML

    started = time.perf_counter()
    for path in paths:
        yaml = YAML()
        out = io.BytesIO()
        yaml.dump(yaml.load(path.read_bytes()), out)
    return time.perf_counter() - started


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
    chosen_ = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        planted = make(folder, chosen_.files, chosen_.share)
        paths = sorted(folder.rglob("*.yml"))
        size = sum(path.stat().st_size for path in paths) / 1e6
        before = peak_mb()
        tally = Tally()
        started = time.perf_counter()
        request = Request(Choice(chosen()), write=True, jobs=chosen_.jobs)
        for _ in migrate([name], request, tally):
            pass
        ours = time.perf_counter() - started
        print(
            f"{len(paths)} files, {size:.0f} MB, {planted} with the old setting\n"
            f"migrate --write: {ours:.1f} s, {tally.counts.changed} changed, {chosen_.jobs} jobs, "
            f"{peak_mb():.0f} MB at the peak ({before:.0f} MB before)"
        )
        assert tally.counts.changed == planted
        drawn = random.Random(1).sample(paths, len(paths) // chosen_.every)
        theirs = load_and_dump(drawn) * len(paths) / len(drawn)
        print(f"ruamel.yaml load and dump: {theirs:.1f} s (from {len(drawn)} files, by lot)")
        print(f"{theirs / ours:.0f} times faster")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Which share of a batch's loop each numeric path has: ``python benchmarks/hot_paths/shares.py``.

Makes three batches in a temporary folder (0.7 GB), runs the real host on the stand-in for OrcaFlex
with all plugins, file after file in one process, and prints CPU seconds and shares. Every switch
of the host that names histograms, RAOs or range graphs is on.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml
from clocked_host import LOOP, PATHS

from digitalmodel_optimizer.demo.study import (
    DM_FSTS,
    Study,
    series_column,
    write_configuration,
    write_files,
)
from digitalmodel_optimizer.measuring.host_runs import run_host

# Name, study, time-series columns beside the study's own 8.
BATCHES = (
    ("extremes", replace(DM_FSTS, files=12), 0),
    ("series", replace(DM_FSTS, files=6, duration_s=3600.0, file_mb=72.0), 70),
    ("long", replace(DM_FSTS, files=3, duration_s=10800.0, file_mb=216.0), 70),
)
SERIAL = {"orcaflex": {"parallel": {"plugins": {"hybrid-executor": {"backend": "serial"}}}}}
SWITCHES = ("RAOs", "RangeGraph", "cummulative_histograms")


def columns(number: int) -> list[dict[str, Any]]:
    motions = ("X", "Y", "Z", "Rotation 1", "Rotation 2", "Rotation 3")
    both = [series_column(name, motion) for name in ("FST1", "FST2") for motion in motions]
    forces = [series_column(f"Strut{n}", "Connection Force") for n in range(1, 9)]
    links = [series_column(f"Hawser{n}", "Tension") for n in range(1, 11)]
    lines = [
        {**column, "objectExtra": [end], "Label": f"{column['Label']} {end}"}
        for variable in ("Effective Tension", "Bend Moment", "Declination")
        for end in ("End A", "End B")
        for column in (series_column(f"Mooring{n}", variable) for n in range(1, 9))
    ]
    return [*both, *forces, *links, *lines][:number]


def write_batch(folder: Path, study: Study, more: int) -> None:
    list(write_files(study, folder / "sim"))
    path = write_configuration(folder, study, enabled=True)
    cfg = yaml.safe_load(path.read_text("utf-8"))
    cfg["orcaflex"]["postprocess"].update({name: {"flag": True} for name in SWITCHES})
    cfg["time_series_settings"].update({"histogram": True, "summation": True})
    if more:
        cfg["time_series_settings"]["groups"].append({"Label": "many", "Columns": columns(more)})
    path.write_text(yaml.safe_dump(cfg, sort_keys=False), encoding="utf-8")


def run(folder: Path, study: Study) -> dict[str, Any]:
    """(calls, CPU seconds) of each path in one run."""
    environment = {"SIMULATED_ORCAFLEX": "1", "PYTHONPATH": str(Path(__file__).parent)}
    program = ("clocked_host", "clocks.json")
    result = run_host(
        folder, f"{study.name}.yml", [repr(SERIAL)], environment, plugins=True, program=program
    )
    if result.status or result.report is None:
        sys.exit(f"the host ended with status {result.status}:\n{result.said[-2000:]}")
    return json.loads((folder / "clocks.json").read_text("utf-8"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3, help="runs; medians are printed")
    parser.add_argument("--only", choices=[name for name, _, _ in BATCHES], help="this batch")
    arguments = parser.parse_args()
    for name, study, more in BATCHES:
        if arguments.only not in (None, name):
            continue
        with tempfile.TemporaryDirectory() as text:
            folder = Path(text)
            write_batch(folder, study, more)
            runs = [run(folder, study) for _ in range(arguments.repeats)]
        samples = round(study.duration_s / study.sample_interval_s)
        print(f"\n{name}: {study.files} files, {samples} samples, {more + 8} series")
        for words, _, _ in PATHS:
            calls = runs[0][words][0]
            if not calls:
                print(f"{words:28}never called")
                continue
            cpu_s = statistics.median(found[words][1] for found in runs)
            share = statistics.median(found[words][1] / found[LOOP][1] for found in runs)
            print(f"{words:28}{calls:6} calls {cpu_s:8.3f} s {share:7.1%}", flush=True)


if __name__ == "__main__":
    main()

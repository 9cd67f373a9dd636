"""What measuring a run costs, piece by piece, against what the run takes.

    python benchmarks/monitoring/cost.py [FILES]

Each piece is timed by itself, many times over; the parts of a batch that they are multiplied with
are those of FILES files of 4 MB (200), with two workers, which take 12 ms of a worker each.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parents[2] / "tests" / "monitoring"))

from facts import make_batch_report

from digitalmodel_optimizer.batch.resources import Resources, tree_usage
from digitalmodel_optimizer.batch.stage_board import StageBoard
from digitalmodel_optimizer.history.store import History
from digitalmodel_optimizer.plugin import Settings, Stage
from digitalmodel_optimizer.plugin.timing import StageClock
from digitalmodel_optimizer.report.facts import report_as_dict

FILE_S = 0.012
WORKERS = 2
SAMPLES_PER_S = 4
# Of a file of the benchmarks' small batch: load, three enumerations, two blocks, six tables.
STAGES_PER_FILE = 12


def seconds(piece: Callable[[], object], times: int, rounds: int = 7) -> float:
    """The median of several rounds, each of so many calls."""
    found = []
    for _ in range(rounds):
        start = time.perf_counter()
        for _ in range(times):
            piece()
        found.append((time.perf_counter() - start) / times)
    return median(found)


def main() -> None:
    files = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    batch_s = files * FILE_S / WORKERS
    with tempfile.TemporaryDirectory() as folder:
        board = StageBoard(folder)

        def one_file() -> None:
            with StageClock(board.file(7)) as clock:
                for _ in range(STAGES_PER_FILE):
                    before = clock.switch(Stage.LOAD)
                    clock.switch(before)
            clock.timings()
            board.done()

        clock_s = seconds(one_file, 200)
        board.close()
        resources = Resources()
        pids = [os.getppid()]

        def look() -> None:
            resources.take(
                time.perf_counter(),
                tree_usage(pids),
                files_running=2,
                workers_limit=2,
                memory_available_mb=1.0,
            )

        look_s = seconds(look, 20) * (WORKERS + 1) / 2
        report = replace(make_batch_report(files))
        facts_s = seconds(lambda: report_as_dict(report, Settings()), 3)
        facts = report_as_dict(report, Settings())
        history = History(Path(folder, "history.sqlite3"))
        history.add(facts)
        keep_s = seconds(lambda: history.add(facts), 3)
    rows = [
        ("stages of a file, in the worker", clock_s, files / WORKERS),
        ("a look at all processes", look_s, batch_s * SAMPLES_PER_S),
        ("the facts of the run", facts_s, 1),
        ("keeping it in the history", keep_s, 1),
    ]
    print(f"{files} files, {batch_s:.2f} s")
    total = 0.0
    for words, each_s, times in rows:
        total += each_s * times
        share = each_s * times / batch_s
        print(f"{words:34} {1e3 * each_s:8.3f} ms x {times:5.0f}  {share:6.2%}")
    print(f"{'together':34} {'':19} {total / batch_s:6.2%}")


if __name__ == "__main__":
    main()

"""The floor: the least work that gives the same numbers, as a program of its own.

    python -m digitalmodel_optimizer.bench.floor TIMES.json PLAN.json RESULTS PROCESSES

Each file is loaded once, each model asked once per period, each table written once, in one process
or a few that import neither the host nor pandas and are ready before the clock starts. No engine,
no plugin, no care for failures: what remains is what no way of post-processing these files can do
without, and with more processes, what this machine makes of more cores.
"""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import OrcFxAPI
import orjson

from digitalmodel_optimizer.bench.floor_tables import write_summary

Column = Mapping[str, Any]
_ENDS = {
    "End A": OrcFxAPI.oeEndA,
    "End B": OrcFxAPI.oeEndB,
    "Touchdown": OrcFxAPI.oeTouchdown,
}


class OpenModel:
    """A model, and the answers that its columns share."""

    def __init__(self, path: str) -> None:
        self.model = OrcFxAPI.Model(path)
        self.start_s = self.model.simulationStartTime
        self.current_s = self.model.simulationTimeStatus.CurrentTime
        self.status = self.model.state.name
        self._objects: dict[str, Any] = {}
        self._ranges: dict[bytes, Any] = {}
        self.histories: dict[bytes, Any] = {}

    def object(self, name: str) -> Any:
        if name not in self._objects:
            self._objects[name] = self.model[name]
        return self._objects[name]

    def times(self, column: Column) -> Any:
        """The name of a period, or its begin and end; open ones are closed as the engine does."""
        if column["kind"] == "static":
            return "StaticState"
        period = column["period"]
        if not isinstance(period, list):
            return period
        begin = self.start_s if period[0] is None else period[0]
        end = self.current_s if period[1] is None else period[1]
        return [float(begin), float(end)]

    def period(self, column: Column) -> Any:
        times = self.times(column)
        if isinstance(times, list):
            return OrcFxAPI.SpecifiedPeriod(*times)
        return None if times is None else getattr(OrcFxAPI.PeriodNum, times)

    def key(self, column: Column) -> bytes:
        """Equal for columns that read the same samples."""
        names = ("object", "variable", "extra", "arc_length", "position")
        return orjson.dumps([self.times(column), *(column[name] for name in names)])

    def object_extra(self, column: Column) -> Any:
        if self.object(column["object"]).type == OrcFxAPI.ObjectType.Vessel:
            return OrcFxAPI.oeVessel(*column["position"])
        named, arc_length = column["extra"], column["arc_length"]
        if named:
            return next((_ENDS[word] for word in _ENDS if word in named[0]), None)
        return OrcFxAPI.oeLine(*arc_length) if arc_length else None

    def read(self, columns: Sequence[Column]) -> None:
        """All time histories of ``columns``, in one call for each period."""
        by_period: dict[bytes, list[Column]] = {}
        for column in columns:
            if column["kind"] in ("history", "static"):
                by_period.setdefault(orjson.dumps(self.times(column)), []).append(column)
        for wanted in by_period.values():
            distinct = {self.key(column): column for column in wanted}
            specifications = [
                OrcFxAPI.TimeHistorySpecification(
                    self.object(column["object"]), column["variable"], self.object_extra(column)
                )
                for column in distinct.values()
            ]
            table = OrcFxAPI.GetMultipleTimeHistories(specifications, self.period(wanted[0]))
            self.histories.update(zip(distinct, np.ascontiguousarray(table.T), strict=True))

    def range_graph(self, column: Column) -> Any:
        key = self.key(column)
        if key not in self._ranges:
            named, arc_length = column["extra"], column["arc_length"] or []
            limits = None
            if named and named[0] == "Section":
                limits = OrcFxAPI.arSpecifiedSections(named[1][0], named[1][-1])
            elif arc_length:
                limits = OrcFxAPI.arSpecifiedArclengths(arc_length[0], arc_length[-1])
            self._ranges[key] = self.object(column["object"]).RangeGraph(
                column["variable"], self.period(column), arclengthRange=limits
            )
        return self._ranges[key]

    def data(self, column: Column) -> Any:
        owner, variable = self.object(column["object"]), column["variable"]
        if "RefCurrent" in variable[0]:
            owner.SelectedCurrent = owner.ActiveCurrent
            return getattr(owner, variable[0])
        return owner.GetData(variable[0], variable[1])

    def value(self, column: Column) -> Any:
        """The one number of a summary's column."""
        kind = column["kind"]
        if kind == "data":
            return self.data(column)
        if kind == "static":
            return float(self.histories[self.key(column)][0])
        if kind == "range":
            values = getattr(self.range_graph(column), column["statistic"])
        else:
            values = self.histories[self.key(column)]
        return float(getattr(np, column["statistic"].lower())(values))


@dataclass(frozen=True)
class ReadOneFile:
    """Reads a file and writes its time series; returns its row of each summary."""

    plan: Mapping[str, Any]
    results: Path

    def __call__(self, path: str) -> list[list[Any]]:
        plan = self.plan
        groups = [*plan["summary"], *plan["series"]]
        opened = OpenModel(path)
        opened.read([column for group in groups for column in group["columns"]])
        _write_series(opened, plan, Path(path).stem, self.results)
        fixed = [Path(path).resolve().as_posix(), Path(path).stem, opened.status]
        fixed += [opened.start_s, opened.current_s, None, None]
        return [
            [*fixed, *(opened.value(column) for column in group["columns"])]
            for group in plan["summary"]
        ]


Rows = Iterable[list[list[Any]]]


@contextlib.contextmanager
def ready(read: ReadOneFile, processes: int) -> Iterator[Callable[[], Rows]]:
    """What reads all files of the plan; its processes have started."""
    files = read.plan["files"]
    if processes == 1:
        yield lambda: map(read, files)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, context, _keep, (read,)) as pool:
        # Each of these keeps a process busy until all have been started.
        list(pool.map(time.sleep, [1.0] * processes))
        yield lambda: pool.map(_read_kept, files)


_kept: list[ReadOneFile] = []


def _keep(read: ReadOneFile) -> None:
    _kept[:] = [read]


def _read_kept(path: str) -> list[list[Any]]:
    return _kept[0](path)


def _write_series(opened: OpenModel, plan: Mapping[str, Any], stem: str, results: Path) -> None:
    for group in plan["series"]:
        columns = group["columns"]
        times = opened.model.SampleTimes(opened.period(columns[0]))
        table = np.empty((len(times), len(columns) + 1))
        table[:, 0] = times
        for place, column in enumerate(columns, start=1):
            table[:, place] = opened.histories[opened.key(column)]
        numbers = orjson.dumps(
            np.round(table, plan["series_decimals"]), option=orjson.OPT_SERIALIZE_NUMPY
        )
        head = ",".join(["time", *(column["label"] for column in columns)]).encode()
        lines = numbers[2:-2].replace(b"],[", b"\n").replace(b"null", b"")
        (results / f"{stem}_{group['label']}.csv").write_bytes(head + b"\n" + lines + b"\n")


def main() -> None:
    times, plan, results = (Path(word) for word in sys.argv[1:4])
    results.mkdir(parents=True, exist_ok=True)
    read = ReadOneFile(orjson.loads(plan.read_bytes()), results)
    with ready(read, int(sys.argv[4])) as read_all:
        start = time.perf_counter()
        tables = zip(*read_all(), strict=True)
        for group, table in zip(read.plan["summary"], tables, strict=True):
            write_summary(group, list(table), read.plan, results)
        elapsed_s = time.perf_counter() - start
    times.write_text(json.dumps({"loop_s": elapsed_s}), encoding="utf-8")


if __name__ == "__main__":
    main()

"""Whatever is edited between runs that keep results: each run has the bytes of one from scratch.

A normal run takes a few sequences; ``OPTIMIZER_TEST_SEQUENCES=500`` (the tox environment
``sequences``) takes that many, in parts that can run beside one another.
"""

from __future__ import annotations

import dataclasses
import itertools
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from batches import (
    ALL_STATISTICS,
    END_A,
    NO_STATISTICS,
    column,
    configuration,
    series,
    simulation,
    write,
    write_bad,
)
from host_process import Files, HostProcess, read_tree, temporary_folder, without_inputs
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from digitalmodel_optimizer.batch.finished import finished_of, record_of
from digitalmodel_optimizer.tables.codec import decode, encode
from digitalmodel_optimizer.tables.payload import EngineOutput
from digitalmodel_optimizer.tables.row_tables import OneRow
from digitalmodel_optimizer_plugins.result_cache.store import (
    FOLDER_NAME,
    JOURNAL_NAME,
    Entry,
    Store,
    digest_of,
)
from simulated_orcaflex import write_simulation

SEQUENCES = int(os.environ.get("OPTIMIZER_TEST_SEQUENCES", "15"))
OF_EACH_PART = 15
PARTS = range(-(-SEQUENCES // OF_EACH_PART))
REPRODUCIBLE = settings(
    max_examples=min(SEQUENCES, OF_EACH_PART),
    deadline=None,
    database=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)
NAMES = ("a", "b", "c", "d", "e", "f")
COLUMNS = (
    column("x", "FST1", "X"),
    column("y", "FST2", "Y", SimulationPeriod=[2, 9]),
    column("tension", "Mooring1", "Effective Tension", Statistic_Type="Min", **END_A),
    column("hs", "Environment", ["WaveHs"], "GetData"),
    column("current", "Environment", ["RefCurrentSpeed"], "Get Data"),
    column("moment", "Mooring1", "Bend Moment", "Range Graph"),
)
SERIES = (
    series("x", "FST1", "X"),
    series("y", "FST2", "Y"),
    series("hawser", "Hawser1", "Tension", SimulationPeriod=[1, 8]),
)
# More than the blocks of a fingerprint; and files of which the first decides for others.
SHAPES: tuple[dict[str, Any], ...] = (
    {},
    {"size_mb": 0.4},
    {"stop_time_s": 12.0},
    {"stop_time_s": 30.0, "size_mb": 0.3},
    {"sea": {"active_current": "Current 1yr", "wave_hs_m": 3.25}},
)
HOUR_S = 3600


class Study:
    """Files, columns and results that are edited between runs."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.sims = root / "sim"
        self.files: list[str] = ["a", "b", "c"]
        self.groups: list[tuple[str, list[int]]] = [("main", [0, 2]), ("sea", [3])]
        self.series: list[tuple[str, list[int]]] = [("motions", [0, 1])]
        self.statistics = dict(NO_STATISTICS)
        self.seeds = itertools.count(1)
        self.clock_s = 0
        self.bad: set[str] = set()
        for place, name in enumerate(self.files):
            self.make(name, place)

    # -- what runs ---------------------------------------------------------------------------

    def cfg(self, part: str, files: list[str]) -> dict[str, Any]:
        return configuration(
            self.root / part,
            [self.sims / f"{name}.sim" for name in files],
            [(label, [COLUMNS[k] for k in places]) for label, places in self.groups],
            [(label, [SERIES[k] for k in places]) for label, places in self.series],
            statistics=self.statistics,
            parallel={"use_processes": False, "cache": True},
        )

    @property
    def results(self) -> Path:
        return self.root / "ours" / "results"

    @property
    def journal(self) -> Path:
        return self.results / FOLDER_NAME / JOURNAL_NAME

    # -- files -------------------------------------------------------------------------------

    def path(self, place: int) -> Path:
        return self.sims / f"{self.files[place % len(self.files)]}.sim"

    def make(self, name: str, shape: int) -> None:
        """A new file of that name, an hour old or more, so that its time says something."""
        new = write(self.root / "new", name, seed=next(self.seeds), **SHAPES[shape % len(SHAPES)])
        self.sims.mkdir(exist_ok=True)
        self.set_age(new)
        new.replace(self.sims / new.name)
        self.bad.discard(name)

    def set_age(self, path: Path) -> None:
        self.clock_s += 1
        now_s = path.stat().st_mtime - HOUR_S + self.clock_s
        os.utime(path, (now_s, now_s))

    def replace(self, place: int, shape: int) -> None:
        self.make(self.path(place).stem, shape)

    def overwrite(self, place: int, shape: int) -> None:
        """In place, just now, mostly with as many bytes as before."""
        changes = SHAPES[shape % len(SHAPES)]
        write_simulation(self.path(place), simulation(seed=next(self.seeds), **changes))
        self.bad.discard(self.path(place).stem)

    def touch(self, place: int, _: int) -> None:
        self.set_age(self.path(place))

    def spoil(self, place: int, shape: int) -> None:
        kind = ("empty", "text", "truncated")[shape % 3]
        write_bad(self.sims, self.path(place).stem, kind)
        self.bad.add(self.path(place).stem)

    def remove(self, place: int, _: int) -> None:
        if len(self.files) > 1:
            self.files.pop(place % len(self.files))

    def add(self, place: int, shape: int) -> None:
        unused = [name for name in NAMES if name not in self.files]
        if unused:
            self.files.insert(place % (len(self.files) + 1), unused[0])
            self.make(unused[0], shape)

    def reorder(self, place: int, _: int) -> None:
        self.files.append(self.files.pop(place % len(self.files)))

    # -- columns and settings ----------------------------------------------------------------

    def add_column(self, place: int, what: int) -> None:
        columns = self.groups[place % len(self.groups)][1]
        columns.insert(place % (len(columns) + 1), what % len(COLUMNS))

    def remove_column(self, place: int, what: int) -> None:
        columns = self.groups[place % len(self.groups)][1]
        if len(columns) > 1:
            columns.pop(what % len(columns))

    def reorder_columns(self, place: int, _: int) -> None:
        self.groups[place % len(self.groups)][1].reverse()

    def add_group(self, place: int, what: int) -> None:
        self.groups.append((f"group_{next(self.seeds)}", [place % len(COLUMNS)]))
        if what % 2:
            self.series.append((f"series_{next(self.seeds)}", [what % len(SERIES)]))

    def remove_group(self, place: int, what: int) -> None:
        groups = self.series if what % 2 else self.groups
        if len(groups) > 1:
            groups.pop(place % len(groups))

    def reorder_groups(self, *_: int) -> None:
        self.groups.reverse()
        self.series.reverse()

    def switch_statistics(self, *_: int) -> None:
        on = self.statistics == NO_STATISTICS
        self.statistics = dict(ALL_STATISTICS if on else NO_STATISTICS)

    # -- outputs -----------------------------------------------------------------------------

    def outputs(self) -> list[Path]:
        return sorted(self.results.glob("*.csv"))

    def remove_output(self, place: int, _: int) -> None:
        if self.outputs():
            self.outputs()[place % len(self.outputs())].unlink()

    def edit_output(self, place: int, _: int) -> None:
        if self.outputs():
            path = self.outputs()[place % len(self.outputs())]
            path.write_bytes(path.read_bytes()[::-1])

    def swap_outputs(self, place: int, what: int) -> None:
        found = self.outputs()
        if found:
            one, other = found[place % len(found)], found[what % len(found)]
            one.rename(one.with_suffix(".swap"))
            if other.exists():
                other.rename(one)
            one.with_suffix(".swap").rename(other)

    # -- the cache ---------------------------------------------------------------------------

    def damage(self, place: int, what: int) -> None:
        if self.journal.is_file():
            content = bytearray(self.journal.read_bytes())
            for k in range(1 + what % 3):
                content[(place * 7919 + k * 104_729) % len(content)] ^= 0xFF
            self.journal.write_bytes(content)

    def cut(self, place: int, _: int) -> None:
        if self.journal.is_file():
            content = self.journal.read_bytes()
            self.journal.write_bytes(content[: len(content) * (place % 10) // 10])

    def kept_entries(self) -> tuple[dict[str, Mapping[str, str]], list[Entry]]:
        """What is kept, and what it depends on; nothing where others' journal stands."""
        if self.journal.parent.is_symlink() or not self.journal.is_file():
            return {}, []
        content = Store(str(self.journal.parent)).load()
        return content.conditions, [wrong(entry) for entry in content.entries.values()]

    def age_versions(self, *_: int) -> None:
        """As if another OrcaFlex had computed everything: other numbers, nothing else."""
        conditions, entries = self.kept_entries()
        if not entries:
            return
        self.journal.unlink()
        for id_, known in conditions.items():
            older = {**known, "OrcaFlex": "10.0"}
            mine = [
                dataclasses.replace(entry, conditions=digest_of(older))
                for entry in entries
                if entry.conditions == id_
            ]
            Store(str(self.journal.parent)).add(mine, older, {})

    def plant_link(self, place: int, _: int) -> None:
        """A journal of others, in the place of ours, that says what is wrong."""
        conditions, entries = self.kept_entries()
        if not entries:
            return
        others = self.root / f"others_{next(self.seeds)}"
        for id_, known in conditions.items():
            mine = [entry for entry in entries if entry.conditions == id_]
            Store(str(others)).add(mine, known, {})
        if place % 2:
            shutil.rmtree(self.journal.parent)
            self.journal.parent.symlink_to(others)
        else:
            self.journal.unlink()
            self.journal.symlink_to(others / JOURNAL_NAME)

    def drop(self, *_: int) -> None:
        folder = self.journal.parent
        if folder.is_symlink():
            folder.unlink()
        else:
            shutil.rmtree(folder, ignore_errors=True)

    def nothing(self, *_: int) -> None:
        pass


def wrong(entry: Entry) -> Entry:
    """The same with other numbers in the summaries."""
    finished = finished_of(entry.record)
    assert finished is not None
    output: EngineOutput = finished.result.payload
    summary, *rest = decode(output.packed)
    for label, row in (summary or {}).items():
        if isinstance(row, OneRow):
            added = tuple(np.float64(666.0) if isinstance(v, float) else v for v in row.added)
            summary[label] = dataclasses.replace(row, added=added)
    payload = dataclasses.replace(output, packed=encode([summary, *rest]))
    result = dataclasses.replace(finished.result, payload=payload)
    record = record_of(dataclasses.replace(finished, result=result))
    assert record is not None
    return dataclasses.replace(entry, record=record)


EDITS: tuple[Callable[[Study, int, int], None], ...] = (
    Study.nothing,
    Study.replace,
    Study.overwrite,
    Study.touch,
    Study.spoil,
    Study.remove,
    Study.add,
    Study.reorder,
    Study.add_column,
    Study.remove_column,
    Study.reorder_columns,
    Study.add_group,
    Study.remove_group,
    Study.reorder_groups,
    Study.switch_statistics,
    Study.remove_output,
    Study.edit_output,
    Study.swap_outputs,
    Study.damage,
    Study.cut,
    Study.age_versions,
    Study.plant_link,
    Study.drop,
)
EDIT = st.tuples(st.sampled_from(EDITS), st.integers(0, 999), st.integers(0, 999))
STEPS = st.lists(st.lists(EDIT, min_size=1, max_size=2), min_size=3, max_size=6)


def own(files: Files, root: Path) -> Files:
    """Outputs, with the root's name taken out of them; the cache is none."""
    return {
        name: content.replace(str(root).encode(), b"ROOT")
        for name, content in files.items()
        if not name.startswith(FOLDER_NAME)
    }


def check_step(plain_host: HostProcess, plugin_host: HostProcess, study: Study) -> None:
    left_over = own(read_tree(study.results), study.root / "ours")
    good = [name for name in study.files if name not in study.bad]
    scratch = plain_host.run(study.cfg("scratch", good))
    assert scratch.error is None, scratch.output[-3000:]
    study.results.mkdir(parents=True, exist_ok=True)
    found = plugin_host.run_again(study.cfg("ours", study.files))
    if good == study.files:
        assert found.error is None, found.output[-3000:]
    else:
        assert found.error is not None
        assert found.error.startswith("FilesFailedError"), found.output[-3000:]
    expected = own(without_inputs(scratch.files), study.root / "scratch")
    ours = own(without_inputs(found.files), study.root / "ours")
    for name, content in expected.items():
        assert ours.get(name) == content, f"{name}\n{found.output[-2000:]}"
    for name in ours.keys() - expected.keys():
        assert ours[name] == left_over.get(name), name


@pytest.mark.timeout(60 * OF_EACH_PART)
@pytest.mark.parametrize("part", PARTS)
def test_any_sequence_of_edits(
    plain_host: HostProcess, plugin_host: HostProcess, tmp_path: Path, part: int
) -> None:
    @seed(part)
    @REPRODUCIBLE
    @given(steps=STEPS)
    def run(steps: list[list[tuple[Callable[[Study, int, int], None], int, int]]]) -> None:
        root = temporary_folder(tmp_path, "example-")
        study = Study(root)
        check_step(plain_host, plugin_host, study)
        for edits in steps:
            for edit, place, what in edits:
                edit(study, place, what)
            check_step(plain_host, plugin_host, study)
        shutil.rmtree(root)

    run()


def test_results_of_another_version_and_journals_of_others_are_not_believed(
    plain_host: HostProcess, plugin_host: HostProcess, tmp_path: Path
) -> None:
    study = Study(tmp_path)
    check_step(plain_host, plugin_host, study)
    aged, linked = Study.age_versions, Study.plant_link
    for edit, place in ((aged, 0), (linked, 0), (Study.drop, 0), (Study.nothing, 0), (linked, 1)):
        edit(study, place, 0)
        check_step(plain_host, plugin_host, study)

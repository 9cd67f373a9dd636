"""What is kept from run to run, and when it is believed that a file is still the one it was."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from digitalmodel_optimizer.plugin import (
    Batch,
    FileResult,
    KeptResults,
    OptimizerWarning,
    Settings,
    SimulationFile,
    StoreAction,
)
from digitalmodel_optimizer_plugins import result_cache
from digitalmodel_optimizer_plugins.result_cache.fingerprint import (
    BLOCK_BYTES,
    CLOCK_GRAIN_S,
    Fingerprint,
    fingerprint,
    stamp_of,
)
from digitalmodel_optimizer_plugins.result_cache.store import (
    FOLDER_NAME,
    Entry,
    Store,
    digest_of,
)

LARGE = 10 * BLOCK_BYTES
CONDITIONS = {"settings": "abc", "OrcaFlex": "11.5", "results folder": "r"}
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="links, modes and owners of POSIX")


def make(path: Path, size: int = LARGE, *, old: bool = True, first: bytes = b"x") -> Path:
    path.write_bytes(first + b"x" * (size - 1))
    if old:
        set_time(path, time.time() - 3600)
    return path


def set_time(path: Path, seconds: float) -> None:
    os.utime(path, (seconds, seconds))


def taken(path: Path, *, whole: bool = False) -> Fingerprint:
    found = fingerprint(str(path), whole=whole)
    assert found is not None
    return found


def is_same(before: Fingerprint, path: Path, *, verify: bool = False) -> bool | None:
    return before.is_same(taken(path), str(path), verify=verify)


# -- a file --------------------------------------------------------------------------------------


def test_an_untouched_file_is_the_same_and_only_a_part_of_it_is_read(tmp_path: Path) -> None:
    path = make(tmp_path / "a.sim")
    before = taken(path)
    assert before.whole is None
    assert is_same(before, path) is True


@pytest.mark.parametrize("place", [0, LARGE // 2, LARGE - 1])
def test_a_change_of_head_middle_or_tail_shows_though_the_time_is_kept(
    tmp_path: Path, place: int
) -> None:
    path = make(tmp_path / "a.sim")
    before, times = taken(path), path.stat()
    with path.open("r+b") as stream:
        stream.seek(place)
        stream.write(b"y")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert is_same(before, path) is False


def test_another_size_time_or_inode_is_another_file(tmp_path: Path) -> None:
    path = make(tmp_path / "a.sim")
    before, times = taken(path), path.stat()
    with path.open("ab") as stream:
        stream.write(b"x")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert is_same(before, path) is False
    make(path)
    assert is_same(before, path) is False
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert is_same(before, path) is True
    path.rename(tmp_path / "b.sim")
    make(path)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert is_same(before, path) is False


def test_where_inodes_mean_nothing_they_are_not_compared(tmp_path: Path) -> None:
    before = taken(make(tmp_path / "a.sim"))
    without = replace(before, stamp=(*before.stamp[:2], 0))
    assert is_same(without, tmp_path / "a.sim") is True


@pytest.mark.parametrize("ahead_s", [0.0, 3600.0])
def test_a_file_within_the_clocks_grain_is_told_by_all_of_its_content(
    tmp_path: Path, ahead_s: float
) -> None:
    """It may be written once more in the same two seconds; a server's clock may be ahead, too."""
    path = make(tmp_path / "a.sim")
    set_time(path, time.time() + ahead_s)
    before, times = taken(path), path.stat()
    assert not before.settled
    assert is_same(before, path) is True
    with path.open("r+b") as stream:
        stream.seek(2 * BLOCK_BYTES)  # in none of the blocks that are looked at otherwise
        stream.write(b"y")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    set_time(path, time.time() - 2 * CLOCK_GRAIN_S)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert is_same(before, path) is False


def test_a_small_file_is_known_by_its_content_whatever_its_time(tmp_path: Path) -> None:
    path = make(tmp_path / "a.sim", size=100)
    before = taken(path)
    set_time(path, 1_000_000.0)
    assert is_same(before, path) is True


def test_to_verify_the_whole_content_has_to_be_known(tmp_path: Path) -> None:
    path = make(tmp_path / "a.sim")
    assert is_same(taken(path), path, verify=True) is None
    before = taken(path, whole=True)
    assert is_same(before, path, verify=True) is True
    times = path.stat()
    with path.open("r+b") as stream:
        stream.seek(2 * BLOCK_BYTES)
        stream.write(b"y")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert is_same(before, path) is True
    assert is_same(before, path, verify=True) is False


def test_a_missing_file_has_no_fingerprint(tmp_path: Path) -> None:
    assert fingerprint(str(tmp_path / "a.sim")) is None


# -- the store -----------------------------------------------------------------------------------


def entry(name: str, record: bytes = b"record", **changes: str) -> Entry:
    print_ = Fingerprint((1, 2, 3), b"blocks", None, settled=True)
    return Entry(digest_of({**CONDITIONS, **changes}), name, print_, record)


def test_what_is_added_is_found_and_the_latest_counts(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "kept"))
    assert store.load().entries == {}
    store.add([entry("a"), entry("b\udce9")], CONDITIONS, {"dm.yml": "d1"})
    store.add([entry("a", b"newer")], CONDITIONS, {"dm.yml": "d2"})
    content = store.load()
    assert list(content.entries.values()) == [entry("b\udce9"), entry("a", b"newer")]
    assert content.conditions == {digest_of(CONDITIONS): CONDITIONS}
    assert content.sources == {"dm.yml": "d2"}


@POSIX
def test_folder_and_journal_are_their_owners_alone(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "kept"))
    store.add([entry("a")], CONDITIONS, {})
    assert os.stat(store.folder).st_mode & 0o777 == 0o700
    assert os.stat(store.path).st_mode & 0o777 == 0o600
    os.chmod(store.folder, 0o777)
    for act in (store.load, store.remove, lambda: store.add([entry("b")], CONDITIONS, {})):
        with pytest.raises(PermissionError, match="can be written to by others"):
            act()


def test_records_of_another_kind_are_passed_over(tmp_path: Path) -> None:
    import msgpack

    from digitalmodel_optimizer.plugin.journal import Journal

    store = Store(str(tmp_path / "kept"))
    store.add([entry("a")], CONDITIONS, {})
    journal = Journal(store.path)
    for record in (b"", b"\xc1", msgpack.packb([9, "x"]), msgpack.packb([0, "x", "y"])):
        journal.add(record)
    journal.close()
    store.add([entry("b")], CONDITIONS, {})
    assert [item.path for item in store.load().entries.values()] == ["a", "b"]


def test_a_store_that_is_too_large_keeps_what_was_used_and_what_is_new(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "kept"))
    store.add([entry(f"file {n}", b"r" * 10_000) for n in range(100)], CONDITIONS, {"s": "d"})
    used = {entry("file 3").key, entry("file 7").key}
    store.shrink(50 * 10_000, used)
    assert store.size_bytes <= 50 * 10_000
    names = [item.path for item in store.load().entries.values()]
    assert names[:2] == ["file 3", "file 7"]
    assert names[2:] == [f"file {n}" for n in range(100 - len(names[2:]), 100)]
    assert len(names) > 30
    assert store.load().sources == {"s": "d"}
    assert store.load().conditions == {digest_of(CONDITIONS): CONDITIONS}


def test_a_store_with_more_outdated_than_valid_entries_is_rewritten(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "kept"))
    for turn in range(4):
        store.add([entry(f"{n}", b"%d" % turn * 50_000) for n in range(10)], CONDITIONS, {})
        store.shrink(1e9, ())
    assert store.size_bytes < 1_000_000 + 600_000
    assert {item.record[:1] for item in store.load().entries.values()} == {b"3"}


ADDING = """
import sys
sys.path[:0] = {path!r}
from digitalmodel_optimizer_plugins.result_cache.fingerprint import Fingerprint
from digitalmodel_optimizer_plugins.result_cache.store import Entry, Store
store = Store(sys.argv[1])
for turn in range(20):
    print_ = Fingerprint((1, 2, 3), b"blocks", None, True)
    names = [f"{{sys.argv[2]}} {{turn}} {{n}}" for n in range(10)]
    entries = [Entry("id", name, print_, b"r" * 5000) for name in names]
    store.add(entries, {{}}, {{}})
    print(turn, flush=True)
    if turn % 5 == 0:
        store.rewrite(1e9, lambda entries: entries)
"""


def test_runs_that_add_at_once_lose_nothing(tmp_path: Path) -> None:
    """While others make the journal smaller."""
    command = [sys.executable, "-c", ADDING.format(path=sys.path), str(tmp_path / "kept")]
    names = ("one", "two", "three")
    runs = [subprocess.Popen([*command, name], stdout=subprocess.DEVNULL) for name in names]
    assert [run.wait(timeout=120) for run in runs] == [0, 0, 0]
    assert len(Store(str(tmp_path / "kept")).load().entries) == 3 * 20 * 10


@pytest.mark.parametrize("turns", [1, 6, 11])
def test_a_run_that_is_killed_loses_nothing_that_it_has_added(tmp_path: Path, turns: int) -> None:
    """While it adds further records, or rewrites the journal, which follows every fifth time."""
    store = Store(str(tmp_path / "kept"))
    command = [sys.executable, "-c", ADDING.format(path=sys.path), store.folder, "one"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        said = [run.stdout.readline() for _ in range(turns)]
        run.kill()
        said += run.stdout.readlines()
    done = sum(line.endswith("\n") for line in said)
    assert done >= turns
    found = {item.path for item in store.load().entries.values()}
    assert found >= {f"one {turn} {n}" for turn in range(done) for n in range(10)}
    store.add([entry("after")], CONDITIONS, {})
    assert {item.path for item in store.load().entries.values()} == {*found, "after"}


# -- the hooks -----------------------------------------------------------------------------------


def settings(tmp_path: Path, **options: object) -> Settings:
    values = {"folder": None, "size_mb": 1000.0, **options}
    return Settings(
        cache=True,
        verify_inputs=bool(values.pop("verify", False)),
        source=str(tmp_path / "dm.yml"),
        plugin_options={result_cache.NAME: values},
    )


class Kept:
    """A batch of large files whose results are kept, as the core has it."""

    def __init__(self, root: Path, files: int = 3) -> None:
        self.root = root
        (root / "dm.yml").write_text("a: 1")
        (root / "results").mkdir()
        paths = [make(root / f"case_{n}.sim", first=b"%d" % n) for n in range(files)]
        self.files = tuple(SimulationFile(n, str(path), 0) for n, path in enumerate(paths))
        self.conditions = dict(CONDITIONS)

    @property
    def batch(self) -> Batch:
        return Batch("id", self.files, str(self.root / "results"), conditions=self.conditions)

    def reuse(self, **options: object) -> KeptResults:
        found = result_cache.optimizer_reuse_results(
            self.batch, self.files, settings(self.root, **options)
        )
        assert found is not None
        return found

    def keep(self, files: tuple[SimulationFile, ...], **options: object) -> None:
        results = [FileResult(file, input_stamp=stamp_of(file.path)) for file in files]
        result_cache.optimizer_keep_results(
            self.batch,
            results,
            lambda result: b"record of " + result.file.stem.encode(),
            settings(self.root, **options),
        )
        result_cache.optimizer_batch_finished()

    def run(self, **options: object) -> KeptResults:
        """What is reused; all others are read and kept."""
        found = self.reuse(**options)
        self.keep(tuple(f for f in self.files if f.index not in found.records), **options)
        return found


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(tmp_path)


def test_a_second_run_gets_what_the_first_has_kept(kept: Kept) -> None:
    assert kept.run() == KeptResults({}, dict.fromkeys(range(3), result_cache.NEW))
    records = {n: b"record of case_%d" % n for n in range(3)}
    assert kept.run() == KeptResults(records, {})


def test_why_a_file_is_read_again_is_said(kept: Kept) -> None:
    kept.run()
    make(Path(kept.files[1].path), first=b"other")
    assert kept.run().reasons == {1: result_cache.CHANGED}
    assert kept.run(verify=True).reasons == dict.fromkeys(range(3), result_cache.UNVERIFIED)
    kept.conditions["settings"] = "def"
    assert kept.run().reasons == dict.fromkeys(range(3), "the settings have changed")
    kept.conditions |= {"settings": "abc", "OrcaFlex": "11.6"}
    said = "the settings have changed and OrcaFlex has changed"
    assert kept.run().reasons == dict.fromkeys(range(3), said)
    kept.conditions["OrcaFlex"] = "11.5"
    assert kept.run().reasons == {}


def test_a_file_that_changes_between_fingerprint_and_reading_is_not_kept(kept: Kept) -> None:
    kept.reuse()
    make(Path(kept.files[0].path), first=b"new")
    kept.keep(kept.files)
    assert kept.reuse().reasons == {0: result_cache.NEW}


def test_a_file_that_had_to_be_hashed_is_trusted_by_its_time_once_that_is_old(kept: Kept) -> None:
    path = Path(kept.files[0].path)
    set_time(path, time.time())
    kept.run()
    before = Store(str(kept.root / "results" / FOLDER_NAME)).load().latest()[str(path)]
    assert not before.fingerprint.settled
    set_time(path, time.time() - 3600)
    assert kept.run().reasons == {}
    after = Store(str(kept.root / "results" / FOLDER_NAME)).load().latest()[str(path)]
    assert after.fingerprint.settled
    assert after.record == before.record


def test_workers_are_started_early_for_files_that_look_changed(kept: Kept) -> None:
    def expected() -> object:
        return result_cache.optimizer_expect_files(
            kept.files, str(kept.root / "results"), settings(kept.root)
        )

    assert expected() is None
    kept.run()
    assert expected() == []
    make(Path(kept.files[2].path))
    assert expected() == [kept.files[2]]
    (kept.root / "dm.yml").write_text("a: 2")
    assert expected() is None
    kept.run()
    kept.run()
    assert expected() == []


def test_a_store_is_looked_at_pruned_and_cleared(kept: Kept) -> None:
    def manage(action: StoreAction) -> tuple[int, int] | None:
        folder = str(kept.root / "results")
        found = result_cache.optimizer_manage_store(action, folder, settings(kept.root))
        return (found.results, found.removed) if found else None

    assert manage(StoreAction.INFO) is None
    kept.run()
    kept.conditions["settings"] = "def"
    kept.run()
    assert manage(StoreAction.INFO) == (6, 0)
    make(Path(kept.files[0].path))
    Path(kept.files[1].path).unlink()
    assert manage(StoreAction.PRUNE) == (1, 5)
    assert manage(StoreAction.CLEAR) == (0, 1)
    assert not (kept.root / "results" / FOLDER_NAME).exists()


@POSIX
def test_a_folder_that_cannot_be_made_is_a_warning(kept: Kept) -> None:
    blocked = kept.root / "blocked"
    blocked.write_text("")
    options = {"folder": str(blocked)}
    with pytest.warns(OptimizerWarning, match="results are not kept there: it is a link or a file"):
        found = result_cache.optimizer_reuse_results(
            kept.batch, kept.files, settings(kept.root, **options)
        )
    assert found is None
    kept.keep(kept.files, **options)
    assert blocked.read_text() == ""

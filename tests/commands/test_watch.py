"""A watch: files that arrive in any way end up in the tables that the host's own loop writes."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from threading import Thread

import command
import pytest
from batches import backend, column, series, write
from host_process import STAND_IN, csv_files, environment, first_difference, read_tree
from planning_ahead import COMMAND, call

from simulated_orcaflex import Faults

pytest.importorskip("watchfiles")
SUMMARY = [("main", [column("x", "FST1", "X")])]
SERIES = [("motions", [series("x", "FST1", "X")])]


class Watch:
    """The command in a process of its own, and the lines that it has printed."""

    def __init__(self, folder: Path, *words: str) -> None:
        self.process = subprocess.Popen(
            [*COMMAND, "watch", *words, "dm_fsts.yml"],
            cwd=folder,
            env=environment(**STAND_IN, PYTHONUNBUFFERED="1"),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.lines: list[str] = []
        self._reader = Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip())

    def wait_for(self, text: str, times: int = 1) -> None:
        def said() -> bool:
            if self.process.poll() is not None and not self._reader.is_alive():
                assert self.count(text) >= times, self.lines
            return self.count(text) >= times

        command.wait_for(said, 120)

    def count(self, text: str) -> int:
        return sum(text in line for line in self.lines)

    def descendants(self) -> list[int]:
        import psutil

        return [child.pid for child in psutil.Process(self.process.pid).children(recursive=True)]

    def finish(self) -> int:
        status = self.process.wait(120)
        self._reader.join()
        return status

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.finish()
        assert self.process.stdout is not None
        self.process.stdout.close()


def make(root: Path, *, enabled: bool = True) -> Path:
    (root / "sim").mkdir()
    parallel = {"enabled": enabled, **backend("loky")}
    return command.prepare(
        root, command.user_configuration(root, SUMMARY, SERIES, parallel=parallel)
    )


def tables(root: Path) -> dict[str, bytes]:
    return csv_files(read_tree(root / "results"))


def expected_tables(config: Path) -> dict[str, bytes]:
    """What the host's own loop makes of the folder as it is now."""
    shutil.rmtree(config.parent / "results")
    done = command.run(config, variables={"DIGITALMODEL_OPTIMIZER": "off"})
    assert done.returncode == 0, done.stderr[-2000:]
    return tables(config.parent)


@pytest.mark.parametrize("poll", [False, True])
def test_files_that_appear_in_pieces_and_broken_ones_end_up_in_equal_tables(
    tmp_path: Path, poll: bool
) -> None:
    config, sim = make(tmp_path), tmp_path / "sim"
    ready = [write(tmp_path / "ready", f"case_{n}", seed=n) for n in range(4)]
    write(sim, "first", seed=9)
    watch = Watch(
        tmp_path, "--settle", "0.5s", "--until-idle", "12s", *(["--poll"] if poll else [])
    )
    try:
        watch.wait_for("tables are up to date: 1 file")
        whole = ready[0].read_bytes()
        with open(sim / "in_pieces.sim", "wb") as stream:
            for start in range(0, len(whole), 1 + len(whole) // 3):
                stream.write(whole[start : start + 1 + len(whole) // 3])
                stream.flush()
                os.fsync(stream.fileno())
        (sim / "broken.sim").write_bytes(b"no simulation yet")
        watch.wait_for("broken.sim failed: not a simulation")
        ready[1].rename(sim / "renamed.sim")
        watch.wait_for("renamed.sim")
        shutil.copy(ready[2], sim / "broken.sim")
        watch.wait_for("broken.sim", 2)
        shutil.copy(ready[3], sim / "first.sim")
        watch.wait_for("4 files in the tables")
        assert watch.finish() == 0
    finally:
        watch.end()
    assert watch.count("broken.sim failed") == 1
    assert watch.count("unchanged") > 0, "what is known is not read again"
    found = tables(tmp_path)
    assert first_difference(expected_tables(config), found) is None


def test_a_file_that_stays_broken_is_told_once_and_the_status_tells(tmp_path: Path) -> None:
    make(tmp_path)
    write(tmp_path / "sim", "good", seed=1)
    (tmp_path / "sim" / "bad.sim").write_bytes(b"no simulation")
    watch = Watch(tmp_path, "--settle", "0.2s", "--until-idle", "4s")
    try:
        watch.wait_for("tables are up to date: 1 file")
        write(tmp_path / "sim", "more", seed=2)
        assert watch.finish() == 1
    finally:
        watch.end()
    assert watch.count("bad.sim failed") == 1
    assert watch.count("2 files in the tables, 1 not: bad.sim") == 1
    assert {"good_motions.csv", "more_motions.csv"} <= tables(tmp_path).keys()


@pytest.mark.skipif(sys.platform == "win32", reason="sends signals as POSIX has them")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_however_it_ends_nothing_is_left_running(tmp_path: Path, how: signal.Signals) -> None:
    import psutil

    make(tmp_path)
    for number in range(40):
        write(tmp_path / "sim", f"case_{number}", seed=number, faults=Faults(load_s=0.2))
    watch = Watch(tmp_path, "--settle", "0.1s")
    try:
        watch.wait_for("40 files to process")
        command.wait_for(lambda: list((tmp_path / "results").glob("*.csv")))
        below = watch.descendants()
        os.kill(watch.process.pid, how)
        status = watch.process.wait(120)
        command.wait_for(lambda: not any(map(psutil.pid_exists, below)))
    finally:
        watch.end()
    if how is not signal.SIGKILL:
        assert status == 130
        assert watch.count("interrupted; 0 files in the tables, 40 not") == 1
    assert not list((tmp_path / "results").glob("*_main.csv"))


def test_a_folder_may_be_empty_at_first(tmp_path: Path) -> None:
    config, sim = make(tmp_path), tmp_path / "sim"
    watch = Watch(tmp_path, "--settle", "0.5s")
    try:
        watch.wait_for("watching ")
        write(sim, "first", seed=9)
        watch.wait_for("tables are up to date: 1 file")
        os.kill(watch.process.pid, signal.SIGINT)
        assert watch.finish() == 130
    finally:
        watch.end()
    written = tables(tmp_path)
    assert not first_difference(expected_tables(config), written)


def test_a_batch_that_cannot_run_is_refused_at_once(tmp_path: Path) -> None:
    make(tmp_path, enabled=False)
    found = call(tmp_path, "watch", "dm_fsts.yml")
    assert found.returncode == 2
    assert "watch needs the plugins, which are off" in found.stderr
    literal = "{'orcaflex': {'parallel': {'enabled': True, 'threads': 'lots'}}}"
    found = call(tmp_path, "watch", "dm_fsts.yml", literal)
    assert found.returncode == 2
    assert "orcaflex.parallel.threads" in found.stderr


def test_without_the_library_it_says_what_to_install(tmp_path: Path) -> None:
    make(tmp_path)
    (tmp_path / "watchfiles.py").write_text("raise ImportError('not here')")
    found = call(tmp_path, "watch", "dm_fsts.yml", variables={"PYTHONPATH": str(tmp_path)})
    assert found.returncode == 2
    assert "pip install digitalmodel-optimizer[watch]" in found.stderr


@pytest.mark.parametrize("said", ["soon", "5", "-1s"])
def test_a_duration_that_nobody_can_read_is_a_usage_error(tmp_path: Path, said: str) -> None:
    found = call(tmp_path, "watch", f"--until-idle={said}", "dm_fsts.yml")
    assert found.returncode == 2
    assert "such as 30min" in " ".join(found.stderr.split())

"""A file is at every moment as it was or as it shall be, and some are never written."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest
from changes import OURS, choice

from digitalmodel_optimizer_migration import (
    RefusedError,
    Request,
    Tally,
    migrate,
    plan_file,
    write_plan,
    writing,
)

OLD = (OURS + "orcaflex: {parallel: {threads: 30}}\r\n").encode()
NEW = OLD.replace(b"30", b"15")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    folder = tmp_path / "folder"
    folder.mkdir()
    path = folder / "dm_fsts.yml"
    path.write_bytes(OLD)
    return path


def test_the_mode_is_kept_and_nothing_is_left_beside_it(path: Path) -> None:
    path.chmod(0o640)
    write_plan(plan_file(str(path), choice()))
    assert path.read_bytes() == NEW
    assert os.name == "nt" or stat.S_IMODE(path.stat().st_mode) == 0o640
    assert [item.name for item in path.parent.iterdir()] == [path.name]


@pytest.mark.skipif(os.name == "nt", reason="paths end sooner there")
def test_a_name_may_be_as_long_as_the_system_takes(path: Path) -> None:
    long = path.rename(path.with_name("x" * 251 + ".yml"))
    write_plan(plan_file(str(long), choice()))
    assert long.read_bytes() == NEW


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="root gives away")
def test_a_file_whose_owner_cannot_be_kept_is_refused(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(*_: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    os.chown(path, 1, 1)
    monkeypatch.setattr(writing.os, "chown", forbidden)
    with pytest.raises(RefusedError, match="owner and group could not be kept"):
        write_plan(plan_file(str(path), choice()))
    assert path.read_bytes() == OLD
    assert len(list(path.parent.iterdir())) == 1


def test_a_backup_is_the_file_as_it_was_and_replaces_none(path: Path) -> None:
    for _ in range(2):
        path.write_bytes(OLD)
        write_plan(plan_file(str(path), choice()), backup=True)
    names = sorted(item.name for item in path.parent.iterdir())
    assert names == ["dm_fsts.yml", "dm_fsts.yml.bak", "dm_fsts.yml.bak2"]
    assert path.with_name("dm_fsts.yml.bak2").read_bytes() == OLD


def test_a_backup_that_is_stopped_is_no_backup(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(writing.shutil, "copystat", stopped)
    with pytest.raises(KeyboardInterrupt):
        write_plan(plan_file(str(path), choice()), backup=True)
    assert [item.name for item in path.parent.iterdir()] == [path.name]
    assert path.read_bytes() == OLD


def test_a_file_that_changed_in_between_is_refused(path: Path) -> None:
    plan = plan_file(str(path), choice())
    path.write_bytes(OLD + b"# more\n")
    with pytest.raises(RefusedError, match="changed while it was looked at"):
        write_plan(plan)
    assert path.read_bytes() == OLD + b"# more\n"


def test_a_file_that_changes_while_it_is_written_is_refused(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = plan_file(str(path), choice())
    monkeypatch.setattr(writing.shutil, "copymode", lambda *_: path.write_bytes(OLD * 2))
    with pytest.raises(RefusedError, match="changed while it was being written"):
        write_plan(plan)
    assert path.read_bytes() == OLD * 2
    assert len(list(path.parent.iterdir())) == 1


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_full_disk_leaves_the_file_as_it_was(
    path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(writing.os, call, full)
    tally = Tally()
    request = Request(choice(), write=True, jobs=1)
    assert list(migrate([str(path)], request, tally)) == []
    assert tally.exit_status == 2
    assert "No space left on device" in tally.failures[0]
    assert path.read_bytes() == OLD
    assert len(list(path.parent.iterdir())) == 1


def refused(path: Path) -> str:
    """Why writing is refused, the same as is said beforehand."""
    said = []
    for write in (False, True):
        tally = Tally()
        (done,) = migrate([str(path)], Request(choice(), write=write, jobs=1), tally)
        assert done.state == "refused"
        assert tally.exit_status == 3
        said.append(done.plan.findings[-1].message)
    assert path.read_bytes() == OLD
    assert said[0] == said[1]
    return said[0]


def test_hard_links_are_refused(path: Path) -> None:
    os.link(path, path.with_name("other.txt"))
    assert "2 hard links" in refused(path)


def test_read_only_files_are_refused(path: Path) -> None:
    path.chmod(0o444)
    assert "read-only" in refused(path)


@pytest.mark.skipif(os.name == "nt", reason="symbolic links need a privilege there")
def test_a_symbolic_link_is_refused_and_its_target_named(path: Path) -> None:
    link = path.parent.parent / "link.yml"
    link.symlink_to(path)
    assert str(path) in refused(link)
    assert link.is_symlink()

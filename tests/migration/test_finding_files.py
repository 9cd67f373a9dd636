"""Which files are found in a tree, and which are skipped with a count."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from changes import OURS, choice

from digitalmodel_optimizer_migration import (
    Filters,
    MigrationError,
    Request,
    Tally,
    migrate,
    plan,
    walk,
)
from digitalmodel_optimizer_migration.data import Choice, Counts
from digitalmodel_optimizer_migration.pool import plans
from digitalmodel_optimizer_migration.walk import find_files

OLD = (OURS + "orcaflex: {parallel: {threads: 30}}\n").encode()


def tree(root: Path, *names: str, content: bytes = OLD) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def found(root: Path, **filters: tuple[str, ...]) -> list[str]:
    listed = find_files(str(root), Filters(**filters), Counts())
    return [os.path.relpath(path, root).replace(os.sep, "/") for path in listed]


def test_known_suffixes_in_one_order_on_every_machine(tmp_path: Path) -> None:
    tree(tmp_path, "b.yml", "a.YAML", "x/c.py", "x/d.sh", "a/z.md", "a/b/c.bat", "n.txt", "x/e.sim")
    assert found(tmp_path) == ["a.YAML", "b.yml", "a/z.md", "x/c.py", "x/d.sh", "a/b/c.bat"]


def test_gitignore_files_are_heeded_as_git_does(tmp_path: Path) -> None:
    tree(tmp_path, "a.yml", "out/b.yml", "keep/out/c.yml", "keep/d.yml", "x/e.yml", "x/f.yml")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "info").mkdir()
    (tmp_path / ".git" / "info" / "exclude").write_text("f.yml\n")
    (tmp_path / ".gitignore").write_text("/out/\n*.yml\n!a.yml\n!keep/**\n!x/*.yml\n")
    (tmp_path / "x" / ".gitignore").write_text("e.yml\n")
    (tmp_path / "keep" / ".gitignore").write_text("out\n")
    assert found(tmp_path) == ["a.yml", "keep/d.yml", "x/f.yml"]
    # From a folder within, the files above it count too.
    assert found(tmp_path / "keep") == ["d.yml"]


@pytest.mark.parametrize("line", ["!", "/", "a\\", "//", "[a-"])
def test_a_line_that_is_no_pattern_leaves_the_others(tmp_path: Path, line: str) -> None:
    tree(tmp_path, "a.yml", "b.yml", "c/b.yml")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".gitignore").write_text(f"# ours\n\n{line}\nb.yml\n")
    assert found(tmp_path) == ["a.yml"]


def test_a_filter_that_is_no_pattern_is_said(tmp_path: Path) -> None:
    for filters in (Filters(include=("*.yml", "!")), Filters(exclude=("!",))):
        with pytest.raises(MigrationError, match="'!' is no pattern"):
            list(find_files(str(tmp_path), filters, Counts()))


def test_what_git_ignores_elsewhere_is_ignored(
    repository: Callable[..., Path], git: Callable[..., str], tmp_path: Path
) -> None:
    (tmp_path / "users").write_text("users.yml\n")
    git(tmp_path, "config", "--global", "core.excludesFile", str(tmp_path / "users"))
    outer = repository(tmp_path / "outer", {"a.yml": "", "x/x.yml": ""})
    inner = repository(outer / "inner", {"x/x.yml": ""})
    git(inner, "worktree", "add", "--quiet", "../tree")
    for folder in (outer, inner, outer / "tree", outer / "out" / "x"):
        tree(folder, "users.yml", "own.yml", "x/y.yml")
    (outer / ".gitignore").write_bytes(b"\xef\xbb\xbfx/\nout/\n")
    (inner / ".git" / "info" / "exclude").write_text("own.yml\n")
    within = [f"{top}/x/{name}" for top in ("inner", "tree") for name in ("x.yml", "y.yml")]
    assert found(outer) == ["a.yml", "own.yml", *within]
    # A folder that is asked for by name is looked into though it is ignored.
    assert found(outer / "out" / "x") == ["own.yml", "users.yml", "x/y.yml"]


def test_what_is_installed_or_kept_by_tools_is_left_out(tmp_path: Path) -> None:
    tree(tmp_path, ".git/a.yml", "node_modules/a.yml", "lib/site-packages/a.yml", "env/b.yml")
    tree(tmp_path, "env/pyvenv.cfg", "c.yml")
    counts = Counts()
    assert len(list(find_files(str(tmp_path), Filters(), counts))) == 1
    assert counts.skipped == {"virtual environment": 1}


def test_include_and_exclude(tmp_path: Path) -> None:
    tree(tmp_path, "a.yml", "b.conf", "x/c.yml", "x/y/d.yml", "x/y/e.py")
    assert found(tmp_path, include=("*.conf", "d.yml")) == ["b.conf", "x/y/d.yml"]
    assert found(tmp_path, exclude=("y/", "/a.yml")) == ["x/c.yml"]
    assert found(tmp_path, include=("*.yml",), exclude=("x",)) == ["a.yml"]


@pytest.mark.skipif(os.name == "nt", reason="symbolic links need a privilege there")
def test_symbolic_links_are_not_followed(tmp_path: Path) -> None:
    tree(tmp_path, "outside/a.yml", "tree/b.yml", "tree/in/c.yml")
    (tmp_path / "tree" / "link.yml").symlink_to(tmp_path / "outside" / "a.yml")
    (tmp_path / "tree" / "folder").symlink_to(tmp_path / "outside")
    (tmp_path / "tree" / "circle").symlink_to(tmp_path / "tree")
    counts = Counts()
    assert len(list(find_files(str(tmp_path / "tree"), Filters(), counts))) == 2
    assert counts.skipped == {"symbolic link": 3}


def test_binary_huge_and_unreadable_files_are_skipped_with_a_count(tmp_path: Path) -> None:
    tree(tmp_path, "a.yml")
    tree(tmp_path, "nul.yml", content=b"\0" + OLD)
    tree(tmp_path, "utf32.yml", content=b"\xff\xfe\0\0" + OLD)
    tree(tmp_path, "huge.yml", content=OLD + b"#" * 3000)
    counts = Counts()
    wanted = Choice(choice().rules, max_bytes=2000)
    listed = find_files(str(tmp_path), Filters(), counts)
    (plan,) = plans([*listed, str(tmp_path / "gone.yml")], wanted, 1, counts)
    assert Path(plan.path).name == "a.yml"
    assert counts.files == 5
    assert {**counts.skipped} == {
        "binary": 2,
        "too large (over 0.002 MB)": 1,
        "unreadable: No such file or directory": 1,
    }


def test_what_may_not_be_read_is_a_failure_and_the_rest_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree(tmp_path, "a.yml", "closed/b.yml", "secret.yml")
    scan, read = os.scandir, open

    def scandir(path: str) -> object:
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied")
        return scan(path)

    def opened(path: str, mode: str) -> object:
        if str(path).endswith("secret.yml"):
            raise PermissionError(13, "Permission denied")
        return read(path, mode)

    monkeypatch.setattr(walk.os, "scandir", scandir)
    monkeypatch.setattr(plan, "open", opened, raising=False)
    tally = Tally()
    (done,) = migrate([str(tmp_path)], Request(choice(), jobs=1), tally)
    assert Path(done.plan.path).name == "a.yml"
    assert tally.exit_status == 2
    assert tally.failures == [
        f"{tmp_path / name} cannot be read: Permission denied" for name in ("closed", "secret.yml")
    ]


def test_what_vanishes_while_it_is_looked_for_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree(tmp_path, "a.yml", "b/c.yml", "d.yml")
    scan = os.scandir

    @contextlib.contextmanager
    def scandir(path: str) -> Iterator[Iterator[os.DirEntry[str]]]:
        with scan(path) as entries:
            listed = list(entries)
            (tmp_path / "a.yml").unlink(missing_ok=True)
            if (tmp_path / "b").exists():
                (tmp_path / "b" / "c.yml").unlink()
                (tmp_path / "b").rmdir()
            yield iter(listed)

    monkeypatch.setattr(walk.os, "scandir", scandir)
    tally = Tally()
    (done,) = migrate([str(tmp_path)], Request(choice(), jobs=1), tally)
    assert Path(done.plan.path).name == "d.yml"
    assert tally.exit_status == 1


def test_a_path_that_is_not_there_says_which_is_meant(tmp_path: Path) -> None:
    tree(tmp_path, "dm_fsts.yml")
    with pytest.raises(MigrationError, match=r"did you mean .*dm_fsts\.yml\?"):
        list(migrate([str(tmp_path / "dm_fst.yml")], Request(choice()), Tally()))


@pytest.mark.skipif(os.name == "nt", reason="there are no such files")
def test_what_is_neither_file_nor_folder_is_said(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yml")
    (tmp_path / "link.yml").symlink_to("gone.yml")
    for name, said in (("pipe.yml", "neither a file nor a folder"), ("link.yml", "leads nowhere")):
        with pytest.raises(MigrationError, match=said):
            list(migrate([str(tmp_path / name)], Request(choice()), Tally()))


def test_a_file_that_is_named_twice_counts_once(tmp_path: Path) -> None:
    tree(tmp_path, "a.yml")
    paths = [str(tmp_path), str(tmp_path / "a.yml")]
    if os.name != "nt":
        (tmp_path / "link").symlink_to(tmp_path)
        paths.append(str(tmp_path / "link"))
    assert len(list(migrate(paths, Request(choice()), Tally()))) == 1


def test_processes_give_the_same_in_the_same_order(tmp_path: Path) -> None:
    tree(tmp_path, *[f"{number % 7}/{number}.yml" for number in range(120)])
    tree(tmp_path, *[f"{number % 5}/x{number}.yml" for number in range(50)], content=b"a: 1\n")
    several, one = ([], [])
    for jobs, into in ((2, several), (1, one)):
        tally = Tally()
        into += list(migrate([str(tmp_path)], Request(choice(), jobs=jobs), tally))
        assert (tally.counts.files, tally.counts.candidates) == (170, 120)
    assert several == one
    assert len(one) == 120

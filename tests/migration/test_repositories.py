"""Repositories: clean trees only, one commit each, a list of them, a journal."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from changes import OURS, Migrate

Git = Callable[..., str]
Make = Callable[..., Path]
OLD = OURS + "orcaflex: {parallel: {threads: 30}}\n"
FILES = {"dm_fsts.yml": OLD, "sub/dir ä/dm fsts.yml": OLD, "other.yml": "threads: 30\n"}


def test_one_commit_holds_exactly_the_changed_files(
    repository: Make, git: Git, migrate: Migrate, tmp_path: Path
) -> None:
    top = repository(tmp_path / "repo", FILES)
    (top / "untracked.txt").write_text("x")
    done = migrate("--write", "--commit", "--message", "New defaults", str(top))
    assert done.returncode == 0, done.stderr
    assert b"committed in" in done.stderr
    log = git(top, "-c", "core.quotepath=off", "log", "--name-only", "--format=%s")
    assert log.split("\n\n")[0] == "New defaults"
    assert sorted(log.splitlines()[2:4]) == ["dm_fsts.yml", "sub/dir ä/dm fsts.yml"]
    assert git(top, "status", "--porcelain") == "?? untracked.txt\n"
    assert migrate("--write", "--commit", str(top)).returncode == 0
    assert git(top, "rev-list", "--count", "HEAD") == "2\n"


@pytest.mark.parametrize("fault", ["modified", "staged", "untracked"])
def test_a_dirty_tree_is_refused_unless_told(
    repository: Make, git: Git, migrate: Migrate, tmp_path: Path, fault: str
) -> None:
    top = repository(tmp_path / "repo", FILES)
    if fault == "untracked":
        (top / "new.yml").write_text(OLD)
    else:
        (top / "other.yml").write_text("a: 1\n")
        if fault == "staged":
            git(top, "add", ".")
    done = migrate(
        "--write", str(top / "sub"), str(top / "new.yml" if fault == "untracked" else top)
    )
    assert done.returncode == 3
    assert b"--allow-dirty" in done.stdout
    assert (top / "dm_fsts.yml").read_text() == OLD
    done = migrate("--write", "--commit", "--allow-dirty", str(top))
    assert done.returncode == 0
    if fault != "untracked":  # what was staged before is not in our commit
        assert "other.yml" in git(top, "status", "--porcelain")


def test_each_repository_below_a_folder_is_judged_for_itself(
    repository: Make, git: Git, migrate: Migrate, tmp_path: Path
) -> None:
    clean, dirty = (repository(tmp_path / "all" / name, FILES) for name in ("clean", "dirty"))
    (dirty / "other.yml").write_text("a: 1\n")
    (tmp_path / "all" / "loose.yml").write_text(OLD)
    assert migrate("--write", "all").returncode == 3
    assert "30" not in (clean / "dm_fsts.yml").read_text()
    assert "30" in (dirty / "dm_fsts.yml").read_text()
    assert "30" not in (tmp_path / "all" / "loose.yml").read_text()


def test_a_list_of_repositories_one_of_them_bad(
    repository: Make, migrate: Migrate, tmp_path: Path
) -> None:
    for name in ("one", "two"):
        repository(tmp_path / name, FILES)
    (tmp_path / "repos.txt").write_text("# ours\none\n\nmissing\ntwo\n")
    done = migrate("--write", "--repos-from", "repos.txt")
    assert done.returncode == 2
    assert b"missing: there is no such folder" in done.stderr
    assert b"3 repositories" in done.stderr
    for name in ("one", "two"):
        assert (tmp_path / name / "dm_fsts.yml").read_text() == OLD.replace("30", "15")


def test_a_failing_commit_hook_does_not_stop_the_others(
    repository: Make, git: Git, migrate: Migrate, tmp_path: Path
) -> None:
    for name in ("one", "two"):
        repository(tmp_path / name, FILES)
    hook = tmp_path / "one" / ".git" / "hooks" / "pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho no >&2\nexit 1\n")
    hook.chmod(0o755)
    (tmp_path / "repos.txt").write_text("one\ntwo\n./two\n")
    words = ("--write", "--commit", "--repos-from", "repos.txt")
    done = migrate(*words)
    assert done.returncode == 2
    assert b"git commit failed" in done.stderr
    assert b"files written there, not committed: 2" in done.stderr
    assert b"two: " in done.stderr
    hook.unlink()
    assert b"one: " in migrate(*words).stderr
    assert git(tmp_path / "one", "status", "--porcelain") == ""


def test_a_commit_takes_up_what_a_stopped_run_wrote_and_nothing_else(
    repository: Make, git: Git, migrate: Migrate, tmp_path: Path
) -> None:
    top = repository(tmp_path / "repo", FILES)
    assert migrate("--write", str(top / "dm_fsts.yml")).returncode == 0
    done = migrate("--write", "--commit", str(top / "sub"))
    assert done.returncode == 3  # what was not asked for is somebody's work
    assert b"uncommitted changes (dm_fsts.yml)" in done.stdout
    (top / "other.yml").write_text("a: 1\n")
    assert b"uncommitted changes (other.yml)" in migrate("--write", "--commit", str(top)).stdout
    git(top, "checkout", "other.yml")
    done = migrate("--write", "--commit", str(top))
    assert b"files: 2" in done.stderr
    assert git(top, "status", "--porcelain") == ""


def test_what_a_stopped_run_wrote_does_not_make_a_tree_dirty(
    repository: Make, migrate: Migrate, tmp_path: Path
) -> None:
    top = repository(tmp_path / "repo", FILES)
    assert migrate("--write", str(top / "dm_fsts.yml")).returncode == 0
    assert migrate("--write", "--set", "orcaflex.parallel.threads=9", str(top)).returncode == 3
    assert migrate("--write", str(top)).returncode == 0
    assert (top / "sub/dir ä/dm fsts.yml").read_text() == OLD.replace("30", "15")


def test_where_a_commit_cannot_be_made_nothing_is_written(
    repository: Make, git: Git, migrate: Migrate, tmp_path: Path
) -> None:
    top = repository(tmp_path / "repo", FILES)
    git(top, "config", "--global", "--remove-section", "user")
    git(top, "config", "user.useConfigOnly", "true")
    (tmp_path / "loose.yml").write_text(OLD)
    done = migrate("--write", "--commit", str(top), "loose.yml")
    assert done.returncode == 2
    assert b"identity unknown" in done.stderr
    assert b"loose.yml is in no repository" in done.stderr
    assert "30" in (top / "dm_fsts.yml").read_text()
    assert "30" in (tmp_path / "loose.yml").read_text()


def test_a_repository_that_git_cannot_read_does_not_stop_the_others(
    repository: Make, git: Git, migrate: Migrate, tmp_path: Path
) -> None:
    repository(tmp_path / "good", FILES)
    (tmp_path / "bad" / ".git").mkdir(parents=True)
    (tmp_path / "bad" / "a.yml").write_text(OLD)
    git(tmp_path, "clone", "--quiet", "--bare", "good", "bare")
    (tmp_path / "repos.txt").write_text("bad\nbare\ngood\n")
    for words in (("--repos-from", "repos.txt"), (".",)):
        done = migrate("--write", *words)
        assert done.returncode == 2
        assert b"git status failed in" in done.stderr
    assert "30" not in (tmp_path / "good" / "dm_fsts.yml").read_text()
    assert b"bare: a bare repository has no files" in migrate("--repos-from", "repos.txt").stderr


def test_worktrees_and_submodules_are_repositories_of_their_own(
    repository: Make, git: Git, migrate: Migrate, tmp_path: Path
) -> None:
    repository(tmp_path / "inner", FILES)
    top = repository(tmp_path / "outer", {"z/z/z.yml": OLD})
    allow = ("-c", "protocol.file.allow=always")
    git(top, *allow, "submodule", "--quiet", "add", str(tmp_path / "inner"), "a")
    git(top, "commit", "--quiet", "--message", "a")
    git(top, "worktree", "add", "--quiet", str(tmp_path / "tree"))
    done = migrate("--write", "--commit", "outer", "tree")
    assert done.returncode == 0, done.stdout
    assert done.stderr.count(b"committed in") == 3


def test_a_journal_lets_a_stopped_run_go_on(
    repository: Make, migrate: Migrate, tmp_path: Path
) -> None:
    for name in ("one", "two", "three"):
        repository(tmp_path / name, FILES)
    (tmp_path / "repos.txt").write_text("one\ntwo\nthree\n")
    words = ("--write", "--repos-from", "repos.txt", "--journal", "journal.jsonl")
    assert migrate(*words).returncode == 0
    journal = tmp_path / "journal.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    assert [json.loads(line).get("changed") for line in lines] == [None, 2, 2, 2]

    journal.write_bytes(b"".join(lines[:2]) + lines[2][:9])  # stopped while writing a line
    (tmp_path / "one" / "dm_fsts.yml").write_text(OLD)
    (tmp_path / "two" / "dm_fsts.yml").write_text(OLD + "# mine\n")
    done = migrate(*words, "--allow-dirty")
    assert done.returncode == 2  # other options, another run
    assert b"other options" in done.stderr
    done = migrate(*words)
    assert b"done before, as the journal says: 1 repository" in done.stderr
    assert (tmp_path / "one" / "dm_fsts.yml").read_text() == OLD  # as the journal says
    assert done.returncode == 3  # two is dirty now
    assert len(journal.read_bytes().splitlines()) == 4
    (tmp_path / "two" / "dm_fsts.yml").write_text(OLD)
    done = migrate(*words)
    assert done.returncode == 0  # what was refused is looked into again
    assert b"done before, as the journal says: 2 repositories" in done.stderr
    assert (tmp_path / "two" / "dm_fsts.yml").read_text() == OLD.replace("30", "15")

    journal.write_text("something else\n")
    done = migrate(*words)
    assert done.returncode == 2
    assert b"is no journal of this command" in done.stderr
    assert journal.read_text() == "something else\n"

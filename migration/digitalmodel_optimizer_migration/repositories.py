"""Git's part: which repository a file is in, what it ignores, what is changed, one commit."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Sequence

from digitalmodel_optimizer_migration.data import MigrationError

MESSAGE = "Migrate worker settings to the new defaults"
_PATHS_AT_ONCE = 200  # a command line of Windows holds 32 kB
# What git tells its hooks; a repository that we name is found by its name alone.
_HOOKS = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX")


def top_of(path: str) -> str | None:
    """The top folder of the repository that ``path`` is in; None outside of any."""
    folder = os.path.realpath(path)
    if not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    while not os.path.exists(os.path.join(folder, ".git")):
        above = os.path.dirname(folder)
        if above == folder:
            return None
        folder = above
    return folder


def is_bare(folder: str) -> bool:
    """Whether ``folder`` is a repository without a work tree."""
    return all(os.path.exists(os.path.join(folder, name)) for name in ("HEAD", "objects", "refs"))


def excludes(top: str) -> list[str]:
    """Files that say what to ignore beside ``.gitignore``: the user's own, then the repository's.

    Where git cannot say, they are looked for in their usual places.
    """
    home = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    users, own = os.path.join(home, "git", "ignore"), os.path.join(".git", "info", "exclude")
    try:
        words = ("--type=path", "--default", users, "--get", "core.excludesFile")
        users = _git(top, "config", *words).rstrip("\n")
        own = _git(top, "rev-parse", "--git-path", "info/exclude").rstrip("\n")
    except MigrationError:
        pass
    return [os.path.join(top, users), os.path.join(top, own)]


def changed(top: str) -> list[str]:
    """Names of the files that git keeps and that differ from its last commit, submodules aside."""
    words = ("--porcelain", "--untracked-files=no", "--ignore-submodules=all", "--no-renames", "-z")
    return [entry[3:] for entry in _git(top, "status", *words).split("\0") if entry]


def committed(top: str, name: str) -> bytes:
    """What a checkout of the last commit would write for ``name``.

    :raises MigrationError: the last commit does not hold it.
    """
    return _git_bytes(top, "cat-file", "--filters", f"HEAD:{name}")


def not_kept(top: str, paths: Iterable[str]) -> str:
    """The first of ``paths`` that git does not keep; empty if it keeps all."""
    tracked: set[str] = set()
    relative = [_inside(top, path) for path in paths]
    for start in range(0, len(relative), _PATHS_AT_ONCE):
        chunk = relative[start : start + _PATHS_AT_ONCE]
        listed = _git(top, "--literal-pathspecs", "ls-files", "-z", "--", *chunk)
        tracked.update(listed.split("\0"))
    return next((name for name in relative if name not in tracked), "")


def hold_committer(top: str) -> None:
    """Hold that git knows who commits.

    :raises MigrationError: it does not, and a commit would fail.
    """
    _git(top, "var", "GIT_COMMITTER_IDENT")


def commit(top: str, paths: Sequence[str], message: str) -> str:
    """Commit exactly ``paths``, whatever else is staged, and give the commit's short name."""
    listed = "\0".join(_inside(top, path) for path in paths)
    named = ("--pathspec-from-file=-", "--pathspec-file-nul")
    _git(top, "--literal-pathspecs", "add", *named, given=listed)
    words = ("commit", "--quiet", "--only", "--message", message)
    _git(top, "--literal-pathspecs", *words, *named, given=listed)
    return _git(top, "rev-parse", "--short", "HEAD").strip()


def _inside(top: str, path: str) -> str:
    real = os.path.join(os.path.realpath(os.path.dirname(path) or "."), os.path.basename(path))
    return os.path.relpath(real, os.path.realpath(top)).replace(os.sep, "/")


def _git(top: str, *words: str, given: str = "") -> str:
    return _git_bytes(top, *words, given=given).decode("utf-8", "surrogateescape")


def _git_bytes(top: str, *words: str, given: str = "") -> bytes:
    try:
        done = subprocess.run(  # noqa: S603 - a list, so no shell reads it
            ["git", "-C", top, *words],  # noqa: S607 - the git that the user types
            capture_output=True,
            input=given.encode("utf-8", "surrogateescape"),
            env={name: value for name, value in os.environ.items() if name not in _HOOKS},
            check=False,
        )
    except OSError as error:
        raise MigrationError(f"git cannot be run: {error.strerror}") from error
    if done.returncode:
        said = " ".join((done.stderr or done.stdout).decode("utf-8", "replace").split())
        command = next(word for word in words if not word.startswith("-"))
        raise MigrationError(
            f"git {command} failed in {top}: {said or f'exit status {done.returncode}'}"
        )
    return done.stdout

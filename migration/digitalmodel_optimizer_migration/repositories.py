"""Git's part: which repository a file is in, whether its tree is clean, one commit for all."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Sequence

from digitalmodel_optimizer_migration.data import MigrationError

MESSAGE = "Migrate worker settings to the new defaults"
_PATHS_AT_ONCE = 200  # a command line of Windows holds 32 kB


def top_of(path: str) -> str | None:
    """The top folder of the repository that ``path`` is in; None outside of any."""
    folder = os.path.abspath(path)
    if not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    while not os.path.exists(os.path.join(folder, ".git")):
        above = os.path.dirname(folder)
        if above == folder:
            return None
        folder = above
    return folder


def why_dirty(top: str, paths: Iterable[str]) -> str:
    """Why writing ``paths`` would mix with work that git could not bring back; empty if clean."""
    changed = _git(top, "status", "--porcelain", "--untracked-files=no", "-z")
    names = [entry[3:] for entry in changed.split("\0") if entry]
    if names:
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        return f"uncommitted changes ({names[0]}{more})"
    tracked: set[str] = set()
    relative = [_inside(top, path) for path in paths]
    for chunk in _chunks(relative):
        listed = _git(top, "--literal-pathspecs", "ls-files", "-z", "--", *chunk)
        tracked.update(listed.split("\0"))
    unknown = [name for name in relative if name not in tracked]
    if unknown:
        return f"git does not keep {unknown[0]}, and could not bring it back"
    return ""


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


def _chunks(names: Sequence[str]) -> Iterable[Sequence[str]]:
    for start in range(0, len(names), _PATHS_AT_ONCE):
        yield names[start : start + _PATHS_AT_ONCE]


def _git(top: str, *words: str, given: str = "") -> str:
    try:
        done = subprocess.run(
            ["git", "-C", top, *words],
            capture_output=True,
            input=given,
            encoding="utf-8",
            errors="surrogateescape",
            check=False,
        )
    except OSError as error:
        raise MigrationError(f"git cannot be run: {error.strerror}") from error
    if done.returncode:
        said = " ".join((done.stderr or done.stdout).split())
        command = next(word for word in words if not word.startswith("-"))
        raise MigrationError(f"git {command} failed in {top}: {said}")
    return done.stdout

"""Whether a repository may be written into, and what an earlier run wrote there."""

from __future__ import annotations

import os
from collections.abc import Sequence

from digitalmodel_optimizer_migration import repositories
from digitalmodel_optimizer_migration.data import Choice, MigrationError
from digitalmodel_optimizer_migration.plan import kind_of, plan_bytes
from digitalmodel_optimizer_migration.splice import splice


def before_writing(
    top: str | None,
    paths: Sequence[str],
    roots: Sequence[str],
    choice: Choice,
    *,
    commit: bool,
    allow_dirty: bool,
) -> tuple[list[str], str]:
    """What an earlier run wrote and nobody committed, and why nothing may be written, if so.

    What an earlier run wrote is no reason: the last commit and ``choice`` bring it back.

    :param top: the repository; None outside of any.
    :param paths: what is to be written there.
    :param roots: what the run was asked for; what lies elsewhere is not committed.
    :raises MigrationError: git fails, or does not know who commits.
    """
    if top is None or (allow_dirty and not commit):
        return [], ""
    changed = [os.path.join(top, name) for name in repositories.changed(top)]
    left = [path for path in changed if _is_left(top, path, roots, choice)]
    if commit and (paths or left):
        repositories.hold_committer(top)
    if allow_dirty:
        return left, ""
    written = set(left)
    others = [path for path in changed if path not in written]
    if others:
        more = f" and {len(others) - 1} more" if len(others) > 1 else ""
        reason = f"uncommitted changes ({os.path.relpath(others[0], top)}{more})"
    elif unkept := repositories.not_kept(top, paths):
        reason = f"git does not keep {unkept}, and could not bring it back"
    else:
        return left, ""
    return left, f"{reason} in {top}; commit them first, or use --allow-dirty"


def _is_left(top: str, path: str, roots: Sequence[str], choice: Choice) -> bool:
    """Whether an uncommitted change is just what ``choice`` makes of the last commit."""
    if os.path.islink(path) or not any(_is_in(path, os.path.realpath(root)) for root in roots):
        return False
    try:
        before = repositories.committed(top, os.path.relpath(path, top).replace(os.sep, "/"))
        with open(path, "rb") as stream:
            now = stream.read()
    except (MigrationError, OSError):
        return False
    _, edits = plan_bytes(before, kind_of(path), choice)
    return bool(edits) and splice(before, edits) == now


def _is_in(path: str, root: str) -> bool:
    return path == root or path.startswith(root.rstrip(os.sep) + os.sep)

"""A whole run: paths or repositories in, one ``Done`` for each file that has anything to say."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from digitalmodel_optimizer_migration import repositories
from digitalmodel_optimizer_migration.data import (
    CHANGE,
    REFUSED,
    Choice,
    FilePlan,
    Finding,
    MigrationError,
    RefusedError,
)
from digitalmodel_optimizer_migration.git_state import before_writing
from digitalmodel_optimizer_migration.journal import Journal
from digitalmodel_optimizer_migration.naming import names_of, real_path, top_of
from digitalmodel_optimizer_migration.outcome import (
    CHANGED,
    LEFT,
    NOTED,
    WOULD_CHANGE,
    Done,
    Tally,
)
from digitalmodel_optimizer_migration.pool import default_jobs, plans
from digitalmodel_optimizer_migration.walk import Filters, find_files
from digitalmodel_optimizer_migration.writing import why_not_writable, write_plan


@dataclass(frozen=True)
class Request:
    """What a run is asked for.

    :param write: change files; else only say what would change.
    :param backup: keep each file as it was beside it.
    :param commit: one commit a repository, with ``message``.
    :param allow_dirty: write though a repository holds uncommitted changes.
    :param jobs: processes that parse; 0 chooses.
    """

    choice: Choice
    filters: Filters = field(default_factory=Filters)
    write: bool = False
    backup: bool = False
    commit: bool = False
    message: str = repositories.MESSAGE
    allow_dirty: bool = False
    jobs: int = 0


def migrate(paths: Iterable[str], request: Request, tally: Tally) -> Iterator[Done]:
    """Look into ``paths``, files or folders, and yield each file that has anything to say.

    :raises MigrationError: a path is not there, or git fails.
    """
    roots = list(dict.fromkeys(paths))
    for root in roots:
        if not os.path.exists(root):
            near = "; the link leads nowhere" if os.path.islink(root) else _near(root)
            raise MigrationError(f"there is no file or folder {root}{near}")
    to_write: dict[str | None, list[Done]] = {}
    if request.commit:  # a stopped run may have written there, and not committed
        to_write = {top: [] for root in roots if (top := repositories.top_of(root))}
    seen: set[str] = set()
    for root in roots:
        for done in _planned(root, request, tally):
            real = real_path(done.plan.path)
            if real in seen:
                continue
            seen.add(real)
            if request.write and done.state == WOULD_CHANGE:
                top = top_of(os.path.dirname(real))
                to_write.setdefault(top, []).append(done)
            else:
                tally.add(done)
                yield done
    for top, waiting in to_write.items():
        try:
            for done in _written(top, waiting, roots, request, tally):
                tally.add(done)
                yield done
        except MigrationError as error:
            tally.failures.append(str(error))


def migrate_repositories(
    listed: Iterable[str], request: Request, tally: Tally, journal: str | None = None
) -> Iterator[Done]:
    """Migrate one repository after the other; a bad one is a failure of its own.

    :param journal: a file that notes what is done; repositories that it holds are left out.
    """
    ways = {
        name: getattr(request, name) for name in ("write", "backup", "commit", "allow_dirty")
    } | {"include": request.filters.include, "exclude": request.filters.exclude}
    if journal is None:
        for repository in listed:
            yield from _one_repository(repository, request, tally)
        return
    with Journal(journal, request.choice, ways) as notes:
        for repository in listed:
            name = os.path.abspath(repository)
            if name in notes.done:
                tally.repositories_done_before += 1
                continue
            before = replace(tally.counts, skipped={})
            failures = len(tally.failures)
            yield from _one_repository(repository, request, tally)
            if len(tally.failures) == failures:
                notes.note(
                    name,
                    {
                        "files": tally.counts.files - before.files,
                        "changed": tally.counts.changed - before.changed,
                        "refused": tally.counts.refused - before.refused,
                    },
                )


def read_repositories(path: str) -> list[str]:
    """Folders listed in a file, one a line; ``#`` begins a comment.

    Relative ones are relative to that file.

    :raises MigrationError: the file cannot be read.
    """
    try:
        with open(path, encoding="utf-8-sig") as stream:
            lines = [line.strip() for line in stream]
    except (OSError, UnicodeDecodeError) as error:
        said = getattr(error, "strerror", None) or "it is not UTF-8"
        raise MigrationError(f"the list {path} cannot be read: {said}") from error
    base = os.path.dirname(os.path.abspath(path))
    listed = (os.path.expanduser(line) for line in lines if line and not line.startswith("#"))
    return list(dict.fromkeys(os.path.normpath(os.path.join(base, line)) for line in listed))


def _one_repository(repository: str, request: Request, tally: Tally) -> Iterator[Done]:
    tally.repositories += 1
    try:
        if not os.path.isdir(repository):
            raise MigrationError("there is no such folder")
        if repositories.is_bare(repository):
            raise MigrationError("a bare repository has no files; clone it first")
        yield from migrate([repository], request, tally)
    except (MigrationError, OSError) as error:
        tally.failures.append(f"{repository}: {error}")


def _planned(root: str, request: Request, tally: Tally) -> Iterator[Done]:
    found = find_files(root, request.filters, tally.counts)
    for made in plans(found, request.choice, request.jobs or default_jobs(), tally.counts):
        plan = made
        if plan.edits:
            reason = why_not_writable(plan.path)
            plan = _refused(plan, "file", reason) if reason else plan
        state = LEFT if plan.refused else WOULD_CHANGE if plan.edits else NOTED
        yield Done(*names_of(plan.path, root), plan, state)
    tally.failures += tally.counts.faults
    tally.counts.faults.clear()


def _written(
    top: str | None, waiting: list[Done], roots: list[str], request: Request, tally: Tally
) -> Iterator[Done]:
    """Write what is planned for one repository, if its tree is clean, and commit it.

    :raises MigrationError: git fails.
    """
    paths = [done.plan.path for done in waiting]
    if request.commit and top is None:
        raise MigrationError(f"{paths[0]} is in no repository, so nothing is written there")
    written, reason = before_writing(
        top, paths, roots, request.choice, commit=request.commit, allow_dirty=request.allow_dirty
    )
    if reason and written and not waiting:
        raise MigrationError(reason)
    for done in waiting:
        try:
            if reason:
                raise RefusedError(reason)
            write_plan(done.plan, backup=request.backup)
        except RefusedError as error:
            plan = _refused(done.plan, "git" if reason else "file", error.reason)
            yield replace(done, plan=plan, state=LEFT)
        except OSError as error:
            tally.failures.append(f"{done.plan.path} cannot be written: {error.strerror or error}")
        else:
            written.append(done.plan.path)
            yield replace(done, state=CHANGED)
    if request.commit and top and written and not reason:
        try:
            name = repositories.commit(top, written, request.message)
        except MigrationError as error:
            raise MigrationError(
                f"{error}; files written there, not committed: {len(written)}; "
                "the same command goes on"
            ) from error
        tally.commits.append(f"{top}: {name}, files: {len(written)}")


def _refused(plan: FilePlan, rule: str, reason: str) -> FilePlan:
    """``plan`` without its edits: the file is left as it is."""
    first = next(item for item in plan.findings if item.level == CHANGE)
    kept = tuple(item for item in plan.findings if item.level != CHANGE)
    finding = Finding(rule, REFUSED, "", first.line, first.column, f"would change, but {reason}")
    return replace(plan, findings=(*kept, finding), edits=(), diff=b"")


def _near(root: str) -> str:
    import difflib

    folder, name = os.path.split(root)
    try:
        near = difflib.get_close_matches(name, os.listdir(folder or "."), n=1)
    except OSError:
        return ""
    return f"; did you mean {os.path.join(folder, near[0])}?" if near else ""

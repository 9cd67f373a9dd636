"""Finding files: folders level by level, each level in parallel, in one order on every machine."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from pathspec import GitIgnoreSpec

from digitalmodel_optimizer_migration.data import FORBIDDEN, LINK, Counts, MigrationError
from digitalmodel_optimizer_migration.plan import KINDS
from digitalmodel_optimizer_migration.repositories import excludes

THREADS = 8  # scanning a folder waits for the disk or the network, hardly for the CPU
# Never ours: what version control keeps, and what package managers install.
_LEFT_OUT = frozenset({".git", ".hg", ".svn", "__pycache__", "node_modules", "site-packages"})
_ENVIRONMENT = "pyvenv.cfg"  # marks a virtual environment


@dataclass(frozen=True)
class Filters:
    """Patterns as in .gitignore, relative to the folder that is walked."""

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()


Ignores = tuple[tuple[str, GitIgnoreSpec], ...]  # folders with their patterns, outermost first


@dataclass(frozen=True)
class _Folder:
    path: str
    ignores: Ignores  # of the folders above, and of the repository


@dataclass(frozen=True)
class _Listing:
    files: tuple[str, ...]
    folders: tuple[_Folder, ...]
    links: int
    skipped: str


def find_files(root: str, filters: Filters, counts: Counts) -> Iterator[str]:
    """Files under ``root`` that could hold a setting; ``root`` may be one file.

    Symbolic links are not followed: what lies in the tree is found where it lies, what lies
    outside is not ours to touch. Folders that cannot be listed are faults of ``counts``.

    :raises MigrationError: ``root`` is neither, or a filter is no pattern.
    """
    if os.path.isfile(root):
        yield root
        return
    if not os.path.isdir(root):
        raise MigrationError(f"{root} is neither a file nor a folder")
    include = _filter(filters.include) if filters.include else None
    exclude = _filter(filters.exclude)
    level = [_Folder(root, _ignores_above(root))]
    with ThreadPoolExecutor(THREADS, "migration-walk") as threads:
        while level:
            below: list[_Folder] = []
            for folder, listing in zip(level, threads.map(_list, level), strict=True):
                below += [
                    inner
                    for inner in listing.folders
                    if not exclude.match_file(_relative(inner.path, root) + "/")
                ]
                if listing.links:
                    counts.skip(LINK, listing.links)
                if listing.skipped:
                    counts.pass_over(folder.path, listing.skipped)
                for path in listing.files:
                    name = _relative(path, root)
                    if exclude.match_file(name):
                        continue
                    if include.match_file(name) if include else _has_known_suffix(path):
                        yield path
            level = below


def _filter(patterns: Iterable[str]) -> GitIgnoreSpec:
    for pattern in patterns:
        if not _pattern(pattern):
            raise MigrationError(f"{pattern!r} is no pattern as in .gitignore")
    return GitIgnoreSpec.from_lines(patterns)


def _pattern(line: str) -> list[Any]:
    """The pattern of one line; none if git, too, would take it for no pattern."""
    try:
        return list(GitIgnoreSpec.from_lines([line]).patterns)
    except ValueError:
        return []


def _has_known_suffix(path: str) -> bool:
    return os.path.splitext(path)[1].lower() in KINDS


def _relative(path: str, root: str) -> str:
    return os.path.relpath(path, root).replace(os.sep, "/")


def _list(folder: _Folder) -> _Listing:
    """What is in a folder, sorted, without what .gitignore files leave out."""
    try:
        with os.scandir(folder.path) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
    except FileNotFoundError:  # it was there when the folder above it was listed
        return _Listing((), (), 0, "")
    except OSError as error:
        return _Listing((), (), 0, f"{FORBIDDEN}: {error.strerror}")
    if any(entry.name == _ENVIRONMENT for entry in found):
        return _Listing((), (), 0, "virtual environment")
    ignores = folder.ignores
    names = {entry.name for entry in found}
    if ".git" in names:  # what the repositories around it ignore is no matter of this one
        ignores = _ignores_of(folder.path)
    if ".gitignore" in names:
        ignores = ignores + _spec(folder.path, os.path.join(folder.path, ".gitignore"))
    files: list[str] = []
    folders: list[_Folder] = []
    links = 0
    for entry in found:
        if entry.is_symlink() or _is_junction(entry):
            links += 1
        elif entry.is_dir(follow_symlinks=False):
            if entry.name not in _LEFT_OUT and not _is_ignored(entry.path, True, ignores):
                folders.append(_Folder(entry.path, ignores))
        elif entry.is_file(follow_symlinks=False) and not _is_ignored(entry.path, False, ignores):
            files.append(entry.path)
    return _Listing(tuple(files), tuple(folders), links, "")


def _is_junction(entry: os.DirEntry[str]) -> bool:
    """A directory junction, Windows' other kind of link."""
    if os.name != "nt":  # there are none, and a file may be gone when it is asked
        return False
    attributes = getattr(entry.stat(follow_symlinks=False), "st_file_attributes", 0)
    return bool(attributes & getattr(stat, "FILE_ATTRIBUTE_REPARSE_POINT", 0))


def _is_ignored(path: str, folder: bool, ignores: Ignores) -> bool:
    for base, spec in reversed(ignores):  # the nearest .gitignore that says anything decides
        name = _relative(path, base) + ("/" if folder else "")
        said = spec.check_file(name).include
        if said is not None:
            return said
    return False


def _ignores_above(root: str) -> Ignores:
    """What the repository around ``root`` ignores; nothing if ``root`` itself is ignored."""
    root = top = os.path.abspath(root)
    between = []
    while not os.path.exists(os.path.join(top, ".git")):
        above = os.path.dirname(top)
        if above == top:
            return ()
        between.append(above)
        top = above
    if not between:  # what a top folder ignores is read when it is listed
        return ()
    found = _ignores_of(top)
    for folder in reversed(between):
        found += _spec(folder, os.path.join(folder, ".gitignore"))
    return () if _is_ignored(root, True, found) else found


def _ignores_of(top: str) -> Ignores:
    """What a repository ignores beside its ``.gitignore`` files."""
    return tuple(spec for path in excludes(top) for spec in _spec(top, path))


def _spec(base: str, path: str) -> Ignores:
    try:
        with open(path, encoding="utf-8-sig", errors="surrogateescape") as stream:
            lines = stream.read().splitlines()
    except OSError:
        return ()
    return ((base, GitIgnoreSpec([part for line in lines for part in _pattern(line)])),)

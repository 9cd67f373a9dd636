"""What a file is called: in what people and machines read, and in a patch."""

from __future__ import annotations

import os
from functools import lru_cache

from digitalmodel_optimizer_migration import repositories


def names_of(path: str, root: str) -> tuple[str, str]:
    """The path to show, and the one in a patch; ``path`` was found under ``root``.

    ``git apply`` takes names from the top of the repository in which it is run, whatever the
    folder, and silently passes over others; outside of repositories, from the folder itself. So a
    patch's names begin at the top of the repository around the working folder, else at the working
    folder; where a file lies in neither, at the top of its own repository, else at ``root``.
    """
    here = os.getcwd()
    shown = _below(path, here) or path.replace(os.sep, "/")
    real = real_path(path)
    base = root if os.path.isdir(root) else os.path.dirname(root)
    for folder in (top_of(here), here, top_of(os.path.dirname(real)), base):
        if folder is not None and (name := _below(real, _real_folder(folder))):
            return shown, name
    return shown, shown


def real_path(path: str) -> str:
    """``path`` without links to folders; a file that is a link itself stays one."""
    folder, name = os.path.split(os.path.abspath(path))
    return os.path.join(_real_folder(folder), name)


@lru_cache(maxsize=4096)
def top_of(folder: str) -> str | None:
    """As ``repositories.top_of``, of a folder; asked once."""
    return repositories.top_of(folder)


@lru_cache(maxsize=4096)
def _real_folder(folder: str) -> str:
    return os.path.realpath(folder)


def _below(path: str, base: str) -> str:
    """``path`` from ``base`` on, with forward slashes; empty if it does not lie there."""
    try:
        name = os.path.relpath(path, base)
    except ValueError:  # another drive
        return ""
    outside = name == os.pardir or name.startswith(os.pardir + os.sep)
    return "" if outside else name.replace(os.sep, "/")

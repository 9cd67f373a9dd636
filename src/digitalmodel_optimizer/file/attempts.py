"""The folders in which single attempts at a file stage their outputs: named here, read here."""

from __future__ import annotations

import ntpath
import os
import re
import zlib

from digitalmodel_optimizer.plugin import SimulationFile

_NAME = re.compile(r"\d+-\d+-([0-9a-f]{8})")
# Windows takes files of 259 characters and folders of 247; names in an attempt's folder are short.
_LONGEST_FOLDER = 230
_IS_WINDOWS = os.name == "nt"


def attempt_folder(staging: str, file: SimulationFile, attempt: int) -> str:
    """Where a file's outputs stand until it is done; it is there for as long as that takes.

    The name is short, since outputs have long ones; it is the file's by its path, since an index
    is another file's once the list has changed.
    """
    folder = os.path.join(staging, f"{file.index}-{attempt}-{path_key(file)}")
    return extended(folder) if _IS_WINDOWS else folder


def attempted(staging: str) -> dict[str, str]:
    """The folders of attempts that are there: name to key of the file's path."""
    names = map(_NAME.fullmatch, os.listdir(staging))
    return {name.group(): name.group(1) for name in names if name}


def path_key(file: SimulationFile) -> str:
    """A few letters for the file's path."""
    return f"{zlib.crc32(file.path.encode('utf-8', 'surrogatepass')):08x}"


def extended(folder: str) -> str:
    r"""``folder`` as Windows takes it at any length (``\\?\C:\...``), if it is a long one."""
    path = ntpath.abspath(folder)
    if len(path) <= _LONGEST_FOLDER or path.startswith("\\\\?\\"):
        return folder
    return f"\\\\?\\UNC{path[1:]}" if path.startswith("\\\\") else f"\\\\?\\{path}"

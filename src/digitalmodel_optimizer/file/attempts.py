"""The folders in which single attempts at a file stage their outputs: named here, read here."""

from __future__ import annotations

import os
import re

_NAME = re.compile(r"(\d+)-\d+")


def attempt_folder(staging: str, index: int, attempt: int) -> str:
    """Where a file's outputs stand until it is done; it is there for as long as that takes."""
    return os.path.join(staging, f"{index}-{attempt}")


def attempted(staging: str) -> frozenset[int]:
    """Indices of the files of which an attempt's folder is there."""
    names = map(_NAME.fullmatch, os.listdir(staging))
    return frozenset(int(name.group(1)) for name in names if name)

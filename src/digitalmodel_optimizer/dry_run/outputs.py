"""What would be written, over what, and whether there is room and permission; nothing is made."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from digitalmodel_optimizer.batch.staging import not_writable
from digitalmodel_optimizer.dry_run.plan import FAILS, REFUSED, Disk, Output, Problem
from digitalmodel_optimizer.host.config import HostConfig
from digitalmodel_optimizer.plugin import BYTES_PER_MB, FileResult, SimulationFile
from digitalmodel_optimizer.tables.publish import leaves


def outputs_of(cfg: Any, folder: str, files: Sequence[SimulationFile]) -> Iterator[Output]:
    """Tables of the batch, of each of ``files``, and what the host itself writes."""
    config = HostConfig(cfg)
    stems = [file.stem for file in files]
    tables = config.expected_outputs(folder, stems) if files else ()
    for path in dict.fromkeys((*tables, *config.own_outputs())):
        yield Output(path, _size(path))


def _size(path: str) -> int | None:
    try:
        return os.stat(path).st_size
    except OSError:
        return None


def problems_of_folder(folder: str) -> Iterator[Problem]:
    """A results folder that cannot be made or written to, as far as its permissions tell."""
    there = nearest(folder)
    if not there.is_dir():
        reason = f"{there} is a file"
    elif not os.access(there, os.W_OK | os.X_OK):
        reason = f"no permission to write in {there}"
    else:
        return
    yield Problem(REFUSED, "results_folder", not_writable(folder, reason), folder)


def problems_of_outputs(outputs: Sequence[Output], folder: str) -> Iterator[Problem]:
    """Names that cannot be given to a table."""
    for output in outputs:
        path = output.path
        if output.size_bytes is None and not path.endswith(".csv"):
            continue
        if path.endswith(".csv") and leaves(folder, path):
            said = "is outside of the results folder, so it is not written; rename the group"
        elif os.path.isdir(path):
            said = "cannot be replaced: it is a folder"
        elif os.name == "nt" and output.size_bytes is not None and _is_open_elsewhere(path):
            said = "cannot be replaced: it is open in another program"
        else:
            continue
        yield Problem(FAILS, "output", f"{path} {said}", path)


def _is_open_elsewhere(path: str) -> bool:
    """On Windows whoever has a file open keeps others from writing to it, and replacing it."""
    try:
        os.close(os.open(path, os.O_RDWR | getattr(os, "O_BINARY", 0)))
    except OSError:
        return True
    return False


def nearest(folder: str) -> Path:
    """``folder``, or the first one above it that is there."""
    path = Path(folder).absolute()
    return next((place for place in (path, *path.parents) if place.exists()), path)


def room_for(
    outputs: Sequence[Output], folder: str, finished: Sequence[FileResult], workers: int
) -> Disk:
    """Room on the disk of ``folder``, and what the outputs need beyond those that they replace.

    A table is taken to be as large as those that are there or were written by an interrupted run.
    An output is written beside the one that it replaces: ``workers`` of them at a time.
    """
    known = [output.size_bytes for output in outputs if output.size_bytes]
    known += [item.size_bytes for result in finished for item in result.outputs]
    free_mb = shutil.disk_usage(nearest(folder)).free / BYTES_PER_MB
    if not known:
        return Disk(folder, free_mb, None, "no output of this batch is there to judge by")
    new = sum(output.size_bytes is None for output in outputs)
    mean = sum(known) / len(known)
    needed_mb = (new * mean + workers * max(known)) / BYTES_PER_MB
    return Disk(folder, free_mb, needed_mb, f"the mean of {len(known)} outputs that are there")


def problems_of_disk(disk: Disk) -> Iterator[Problem]:
    if disk.free_mb < max(disk.needed_mb or 0.0, 1.0):
        needed = f"{disk.needed_mb:.0f} MB are needed" if disk.needed_mb else "some MB are needed"
        yield Problem(
            REFUSED,
            "disk",
            f"the disk of {disk.folder} has {disk.free_mb:.0f} MB left, {needed} ({disk.basis}); "
            "the batch would stop there, and could be resumed",
            disk.folder,
        )

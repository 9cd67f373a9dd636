"""What other runs of a batch have left in its results folder, or do there now; only looked at."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from digitalmodel_optimizer.batch.folder_lock import FolderLock
from digitalmodel_optimizer.batch.journal import Journal
from digitalmodel_optimizer.batch.private import is_real_folder, not_ours
from digitalmodel_optimizer.batch.staging import (
    JOURNAL_NAME,
    in_use,
    indices_of,
    kept,
    staging_folder,
)
from digitalmodel_optimizer.file.attempts import attempted
from digitalmodel_optimizer.plugin import Batch, FileResult


@dataclass(frozen=True)
class LeftOver:
    """``finished``: results that a run now would resume, by index. ``broken_off``: indices of files
    that were being processed when a run ended. ``obstacle``: why a run now would be refused.
    """

    finished: Mapping[int, FileResult] = field(default_factory=dict)
    broken_off: frozenset[int] = frozenset()
    obstacle: str | None = None


def look_for_left_over(batch: Batch) -> LeftOver:
    """What :class:`~.staging.Staging` would find for ``batch``, which is not locked for it."""
    folder = staging_folder(batch.results_folder, batch.identifier)
    if not os.path.lexists(folder):
        return LeftOver()
    if not is_real_folder(folder):
        return LeftOver(obstacle=not_ours(folder, "is a link or a file, not a folder"))
    lock = FolderLock(folder)
    if lock.is_held():
        return LeftOver(obstacle=in_use(batch.results_folder, lock))
    return LeftOver(
        finished=kept(
            Journal(os.path.join(folder, JOURNAL_NAME)), batch.results_folder, batch.files
        ),
        broken_off=indices_of(batch.files, attempted(folder).values()),
    )

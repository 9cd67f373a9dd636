"""What other runs of a batch have left in its results folder, or do there now; only looked at."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from digitalmodel_optimizer.batch.adoption import Adoption
from digitalmodel_optimizer.batch.folder_lock import FolderLock
from digitalmodel_optimizer.batch.staging import (
    JOURNAL_NAME,
    in_use,
    indices_of,
    staging_folder,
)
from digitalmodel_optimizer.file.attempts import attempted
from digitalmodel_optimizer.plugin import Batch, FileResult
from digitalmodel_optimizer.plugin.journal import Journal
from digitalmodel_optimizer.plugin.private import is_real_folder, not_ours


@dataclass(frozen=True)
class LeftOver:
    """``resumed``: results that a run now would resume, by index. ``broken_off``: indices of files
    that were being processed when a run ended. ``obstacle``: why a run now would be refused.
    """

    resumed: Mapping[int, FileResult] = field(default_factory=dict)
    broken_off: frozenset[int] = frozenset()
    obstacle: str | None = None


def look_for_left_over(batch: Batch, adoption: Adoption) -> LeftOver:
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
        resumed=adoption.noted(Journal(os.path.join(folder, JOURNAL_NAME)), batch.files),
        broken_off=indices_of(batch.files, attempted(folder).values()),
    )

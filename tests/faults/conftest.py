"""Batches of the faults' tests: one of each size, with the host's own tables, for all tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from fault_batches import Batch
    from host_process import HostProcess


@pytest.fixture(scope="session")
def batch_of(
    plain_host: HostProcess, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[int], Batch]:
    """The batch of so many files; its results folder is emptied for each run."""
    from fault_batches import Batch

    known: dict[int, Batch] = {}

    def batch(files: int) -> Batch:
        if files not in known:
            known[files] = Batch.written(
                tmp_path_factory.mktemp(f"batch_of_{files}_"), files, plain_host
            )
        return known[files]

    return batch

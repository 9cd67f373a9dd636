"""What a batch will cost, for those who ask before the run: memory, and what it all rests on."""

from __future__ import annotations

import heapq
from collections.abc import Sequence

from digitalmodel_optimizer.plugin import Measured, SimulationFile

_NOT_IN_IT = "without the host's own start and memory, and the saving of summaries"


def in_flight_mb(
    files: Sequence[SimulationFile], workers: int, factor: float, worker_mb: float
) -> float:
    """Memory of ``workers`` that have the largest files at once."""
    largest_mb = heapq.nlargest(workers, (file.size_mb for file in files))
    return factor * sum(largest_mb) + worker_mb * len(largest_mb)


def basis(measured: Measured, assumed_mb_per_s: float) -> str:
    """What an expected time rests on, in words."""
    if measured.files:
        said = "file of this batch" if measured.files == 1 else "files of this batch"
        return (
            f"measured: {measured.files} {said} took {measured.seconds:.1f} s of one worker; "
            f"{_NOT_IN_IT}"
        )
    return (
        f"assumed: {assumed_mb_per_s:g} MB/s per worker (assumed_mb_per_s), since no file of this "
        f"batch has been measured; {_NOT_IN_IT}"
    )

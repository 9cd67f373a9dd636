"""Results of benchmarks that nobody ran, for tests of what is made of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from digitalmodel_optimizer.bench.counters import Counts
from digitalmodel_optimizer.bench.results import SCHEMA, Measured, Result, Round, SuiteResult

MACHINE = {"processor": "a", "logical_cpus": 2, "platform": "linux"}
VERSIONS = {"python": "3.11.7"}
COUNTS = Counts({"C_LoadSimulationW": 4}, 4, 8, 9, 1000)


def measured(
    name: str, times: Sequence[float], counts: Counts | None = COUNTS, same: bool = True
) -> Measured:
    """Rounds with the loop times ``times``, the first of them cold."""
    rounds = tuple(
        Round(n, n == 0, t, t + 4.0, t, 250.0, 240.0, 1, 10.0, 1.0, None, same)
        for n, t in enumerate(times)
    )
    differences = () if same else ("a.csv: from byte 3 on",)
    return Measured(name, f"words of {name}", rounds, counts, (), differences)


def result(
    times: Mapping[str, Sequence[float]],
    counts: Mapping[str, Counts] | None = None,
    machine: Mapping[str, object] = MACHINE,
    versions: Mapping[str, str] = VERSIONS,
    files: int = 4,
) -> Result:
    items = tuple(
        measured(name, values, (counts or {}).get(name, COUNTS)) for name, values in times.items()
    )
    suite = SuiteResult("guard", "tiny", files, 2.8, 0.7, 0.7, "engine", items, {"x": "too small"})
    return Result(SCHEMA, "digitalmodel-optimizer bench", machine, versions, True, (suite,))

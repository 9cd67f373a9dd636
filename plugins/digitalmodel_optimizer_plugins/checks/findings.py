"""From what was observed of each file to findings: what is not as it should be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from digitalmodel_optimizer.plugin import SimulationFile
from digitalmodel_optimizer_plugins.checks.limits import Limit, judge

KINDS = ("incomplete", "unstable", "outside", "nan", "flat", "version", "limit")
_TOLERANCE = 1e-6
Data = Mapping[SimulationFile, Mapping[str, Any]]


@dataclass(frozen=True)
class Finding:
    """One thing found in one file; ``detail`` says what. ``value`` and ``limit`` are a limit's."""

    file: SimulationFile
    kind: str
    detail: str
    column: str = ""
    value: float | None = None
    limit: str = ""


def find(data: Data, limits: Sequence[Limit], *, skip: Collection[str] = ()) -> list[Finding]:
    """All findings, file by file in the host's order."""
    usual = _usual_version(data)
    return [
        finding
        for file, known in data.items()
        for finding in (*_of_model(file, known, usual), *_of_columns(file, known, limits))
        if finding.kind not in skip
    ]


def _of_model(
    file: SimulationFile, known: Mapping[str, Any], usual: str | None
) -> Iterator[Finding]:
    state, start_s = known.get("state"), known.get("start_s")
    current_s, stop_s = known.get("current_s"), known.get("stop_s")
    if state is not None and "unstable" in state.lower():
        at = "" if current_s is None else f" at {current_s:g} s"
        yield Finding(file, "unstable", f"the simulation became unstable{at}")
    if current_s is not None and stop_s is not None:
        slack_s = _TOLERANCE * max(1.0, abs(stop_s))
        if current_s < stop_s - slack_s:
            of = "" if start_s is None else f" (from {start_s:g} s)"
            detail = f"{current_s:g} s of {stop_s:g} s{of} were simulated"
            yield Finding(file, "incomplete", detail)
    version = known.get("version")
    if version is not None and usual is not None and version != usual:
        detail = f"made by OrcaFlex {version}, most others by {usual}"
        yield Finding(file, "version", detail)


def _of_columns(
    file: SimulationFile, known: Mapping[str, Any], limits: Sequence[Limit]
) -> Iterator[Finding]:
    for kind in ("outside", "nan", "flat"):
        for column, detail in known.get(kind, ()):
            yield Finding(file, kind, detail, column)
    for item in judge(known.get("values", ()), limits):
        if not item.passes:
            bound = f"{item.bound} {item.limit:g}"
            detail = "there is no value" if item.value is None else f"beyond its {item.bound}"
            yield Finding(file, "limit", detail, item.column, item.value, bound)


def _usual_version(data: Data) -> str | None:
    """The version that made most files; of as many the first. None where no file tells."""
    versions = Counter(known["version"] for known in data.values() if known.get("version"))
    return versions.most_common(1)[0][0] if versions else None

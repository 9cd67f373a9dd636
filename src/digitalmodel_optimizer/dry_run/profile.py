"""The sizes of a batch's files, and what the plugins would make of them; nothing is opened."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from digitalmodel_optimizer.batch.loading import load_plugins
from digitalmodel_optimizer.batch.machine import measure_machine
from digitalmodel_optimizer.config.configuration import merge, read_configuration
from digitalmodel_optimizer.dry_run.decisions import decide
from digitalmodel_optimizer.dry_run.plan import Decisions
from digitalmodel_optimizer.host.files import simulation_files
from digitalmodel_optimizer.host.preview import preview
from digitalmodel_optimizer.plugin import BYTES_PER_MB, Machine, OptimizerError, SimulationFile

SCHEMA = "digitalmodel-optimizer-profile/1"
_SUFFIX = ".sim"
# Bins of the histogram to each power of ten.
_BINS_PER_DECADE = 4
_QUANTILES = (0.0, 0.25, 0.5, 0.75, 0.95, 1.0)


@dataclass(frozen=True)
class Described:
    """A machine that need not be this one; None is what this one has."""

    cpus: int | None = None
    memory_mb: float | None = None
    licences: int | None = None

    def machine(self) -> Machine:
        here = measure_machine()
        memory_mb = self.memory_mb
        return Machine(
            self.cpus or here.logical_cpus,
            here.memory_total_mb if memory_mb is None else memory_mb,
            here.memory_available_mb if memory_mb is None else memory_mb,
            here.platform,
        )

    def settings(self) -> dict[str, Any]:
        """What is laid over the batch's configuration."""
        if self.licences is None:
            return {}
        allocation = {"licences": self.licences}
        return {"orcaflex": {"parallel": {"plugins": {"thread-allocation": allocation}}}}


@dataclass(frozen=True)
class Profile:
    """A batch: its name, sizes in MB in rising order, and what would be decided for it.

    ``decisions`` None: there are no files.
    """

    name: str
    sizes_mb: tuple[float, ...]
    machine: Machine
    decisions: Decisions | None

    @property
    def total_mb(self) -> float:
        return sum(self.sizes_mb)

    def quantile(self, share: float) -> float:
        """The size below which ``share`` of the files are; 0 without files."""
        if not self.sizes_mb:
            return 0.0
        return self.sizes_mb[min(len(self.sizes_mb) - 1, int(share * len(self.sizes_mb)))]


def profile_of(what: str, described: Described) -> Profile:
    """The profile of a batch.

    :param what: a folder, with all .sim files in it and below, or the batch's own YAML file.
    :raises OptimizerError: it is neither, or its settings cannot be used.
    """
    if os.path.isdir(what):
        cfg: Mapping[str, Any] = {"orcaflex": {"parallel": {"enabled": True}}}
        files: Sequence[SimulationFile] = tuple(files_below(what))
    elif os.path.isfile(what):
        cfg = preview(read_configuration(Path(what)))
        _, files = simulation_files(cfg)
    else:
        raise OptimizerError(f"{what} is neither a folder nor a configuration")
    manager, _, settings = load_plugins(merge(dict(cfg), described.settings()))
    manager.ask("optimizer_configure", settings=settings)
    machine = described.machine()
    decisions = decide(manager, settings, files, {}, (), machine)
    sizes_mb = tuple(sorted(file.size_mb for file in files))
    return Profile(what, sizes_mb, machine, decisions)


def files_below(folder: str) -> Iterator[SimulationFile]:
    """All simulation files in ``folder`` and below it, by name; what cannot be entered aside."""
    found = []
    for root, folders, _ in os.walk(folder):
        folders.sort()
        with os.scandir(root) as entries:
            found += [
                (entry.path, entry.stat().st_size)
                for entry in sorted(entries, key=lambda entry: entry.name)
                if entry.name.lower().endswith(_SUFFIX) and entry.is_file()
            ]
    for index, (path, size) in enumerate(found):
        yield SimulationFile(index, path, size)


def histogram(sizes_mb: Sequence[float]) -> list[tuple[float, float, int]]:
    """From, up to, and number of files: bins of equal width on a logarithmic scale."""
    positive = [max(size, 1 / BYTES_PER_MB) for size in sizes_mb]
    if not positive:
        return []
    first = math.floor(math.log10(min(positive)) * _BINS_PER_DECADE + 1e-9)
    last = math.floor(math.log10(max(positive)) * _BINS_PER_DECADE + 1e-9)
    numbers = [0] * (last - first + 1)
    for size in positive:
        place = math.floor(math.log10(size) * _BINS_PER_DECADE + 1e-9) - first
        numbers[min(max(place, 0), last - first)] += 1
    return [
        (10 ** (n / _BINS_PER_DECADE), 10 ** ((n + 1) / _BINS_PER_DECADE), numbers[n - first])
        for n in range(first, last + 1)
    ]


def as_dict(profile: Profile) -> dict[str, Any]:
    """The profile as plain data for JSON; keys carry their units."""
    from dataclasses import asdict

    from digitalmodel_optimizer.report.facts import group_as_dict

    decisions = profile.decisions
    expected = decisions.expected if decisions else None
    return {
        "schema": SCHEMA,
        "name": profile.name,
        "files": len(profile.sizes_mb),
        "size_mb": profile.total_mb,
        "quantiles_mb": {f"{share:g}": profile.quantile(share) for share in _QUANTILES},
        "histogram": [
            {"from_mb": low, "below_mb": high, "files": number}
            for low, high, number in histogram(profile.sizes_mb)
        ],
        "machine": asdict(profile.machine),
        "groups": [group_as_dict(item) for item in decisions.schedule.assignments]
        if decisions
        else [],
        "backend": decisions.executor.name if decisions and decisions.executor else None,
        "expected": asdict(expected) if expected else None,
    }

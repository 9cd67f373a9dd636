"""The suites: made-up batches, each of which asks another question."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

from digitalmodel_optimizer.demo.study import (
    Study,
    configuration,
    describe_file,
    history_column,
    series_column,
)
from digitalmodel_optimizer.plugin import OptimizerError
from simulated_orcaflex import SimulationDescription, write_simulation

__all__ = ["SUITES", "Suite", "chosen_suites", "write_simulation"]

_VESSEL = "FST1"  # of the demo's models


@dataclass(frozen=True)
class Suite:
    """A batch to make: its models, the size of each file in decimal MB, columns beyond the usual.

    ``further_columns`` asks every model for so many more results, half of them as columns of a
    summary and half as time series. ``each_nth`` above 1 asks for each nth column only, all kinds
    of them still.
    """

    name: str
    words: str
    sizes_mb: tuple[float, ...]
    duration_s: float = 600.0
    line_types: int = 60
    lines: int = 8
    further_columns: int = 0
    each_nth: int = 1

    @property
    def study(self) -> Study:
        """The models; ``files`` and ``file_mb`` of it are not used."""
        return Study(
            self.name,
            files=len(self.sizes_mb),
            file_mb=max(self.sizes_mb),
            duration_s=self.duration_s,
            mooring_lines=self.lines,
            line_types=self.line_types,
        )

    def description(self) -> dict[str, Any]:
        """Everything that the files depend on, as plain data."""
        return asdict(self)

    def simulations(self) -> Iterator[tuple[str, SimulationDescription]]:
        """File name and content of each simulation."""
        study = self.study
        for number, size_mb in enumerate(self.sizes_mb, start=1):
            sized = replace(study, file_mb=size_mb)
            yield f"{self.name}_lc{number:05d}.sim", describe_file(sized, number)

    def configuration(self, folder: str) -> dict[str, Any]:
        """The batch's own YAML file, for simulations in ``folder``."""
        cfg = configuration(self.study, enabled=True, files=folder)
        for part in ("summary_settings", "time_series_settings"):
            for group in cfg[part]["groups"]:
                group["Columns"] = group["Columns"][:: self.each_nth]
        if self.further_columns:
            half = self.further_columns // 2
            columns = list(self._columns(self.further_columns))
            cfg["summary_settings"]["groups"].append({"Label": "wide", "Columns": columns[:half]})
            cfg["time_series_settings"]["groups"].append(
                {"Label": "wide", "Columns": [_as_series(column) for column in columns[half:]]}
            )
        return cfg

    def _columns(self, number: int) -> Iterator[dict[str, Any]]:
        """The heave of a vessel at many points of it, which all differ.

        Points of a line would be nearer to practice, but of those the host knows only the ends: it
        hands a place along the line to OrcFxAPI's ``oeLine`` as the kind of point, a whole number.
        """
        for place in range(number):
            column = history_column(_VESSEL, "Z", "Max")
            forward_m = -100.0 + 200.0 * place / number
            yield {
                **column,
                "Label": f"{column['Label']}_{place}",
                "Position": [round(forward_m, 3), 0.0, 0.0],
            }


def _as_series(column: dict[str, Any]) -> dict[str, Any]:
    series = series_column(column["ObjectName"], column["Variable"])
    return {**series, "Label": column["Label"], "Position": column["Position"]}


SUITES = (
    Suite("small", "hundreds of files, megabytes each", (4.0,) * 200, duration_s=300.0),
    Suite("large", "few files, hundreds of megabytes each", (520.0,) * 12, duration_s=3600.0),
    Suite("mixed", "sizes 1 to 100", (*(4.0,) * 40, *(40.0,) * 4, 400.0), duration_s=300.0),
    Suite("single", "one file", (6.7,)),
    Suite("wide", "thousands of columns", (6.0,) * 4, duration_s=100.0, further_columns=2000),
    Suite("objects", "thousands of objects in each model", (6.7,) * 3, line_types=2000),
    Suite(
        "growing", "a study whose load cases are simulated again", (4.0,) * 500, duration_s=300.0
    ),
    Suite("guard", "tiny files, for counts that do not depend on the machine", (0.7,) * 4, 20.0),
)
# What the build-up of a simulation and the names of its objects take, however short it is.
_LEAST_MB = 1.0
_BY_NAME = {suite.name: suite for suite in SUITES}
DEFAULT = "small,large,mixed,single,wide,objects"


def chosen_suites(text: str, files: int | None = None, scale: float = 1.0) -> tuple[Suite, ...]:
    """The suites named in ``text``, separated by commas.

    ``all`` are those that one machine runs in reasonable time (:data:`DEFAULT`).

    :param files: at most so many files of each suite, evenly taken from its sizes.
    :param scale: makes every file so many times as large, but never less than what it must hold.
    :raises OptimizerError: a name is unknown.
    """
    words = [part.strip() for part in text.split(",") if part.strip()]
    names = [name for word in words for name in (DEFAULT.split(",") if word == "all" else [word])]
    unknown = next((name for name in names if name not in _BY_NAME), None)
    if unknown is not None or not names:
        near = difflib.get_close_matches(unknown or "", _BY_NAME, n=1)
        hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(_BY_NAME)}"
        raise OptimizerError(f"--suite: there is no suite {unknown or text!r}; {hint}")
    return tuple(_resized(_BY_NAME[name], files, scale) for name in dict.fromkeys(names))


def _resized(suite: Suite, files: int | None, scale: float) -> Suite:
    """Fewer files, or smaller ones: shorter simulations, as OrcaFlex's own files grow with time."""
    sizes = suite.sizes_mb
    if files is not None and files < len(sizes):
        sizes = tuple(sizes[place * len(sizes) // files] for place in range(files))
        sizes = (*sizes[:-1], suite.sizes_mb[-1])
    if scale != 1.0:
        sizes = tuple(max(size * scale, min(size, _LEAST_MB)) for size in sizes)
    return replace(suite, sizes_mb=sizes, duration_s=suite.duration_s * min(1.0, scale))

"""Counting a run: what to add to its environment, and what its processes counted."""

from __future__ import annotations

import os
import struct
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from digitalmodel_optimizer.measuring.compare import without_start_time

FOLDER = Path(__file__).with_name("counting")
FOLDER_VARIABLE = "DIGITALMODEL_OPTIMIZER_BENCH_COUNTS"
WATCHED_VARIABLE = "DIGITALMODEL_OPTIMIZER_BENCH_WATCHED"
_NATIVE = "native "
# OrcFxAPI asks for the library's version as it is imported: this counts processes, and how many of
# a pool come to a file before none is left is a matter of time.
_BY_PROCESS = "C_GetDLLVersionW"


@dataclass(frozen=True)
class Counts:
    """What does not depend on the machine, over all processes of a run.

    ``native_calls`` is by OrcaFlex's function, calls of the licence check included; the question
    for the library's version is left out, which OrcFxAPI's import asks once more in each process.
    ``tables_opened`` is how often a table was opened to be written. ``output_bytes`` is the
    size of all outputs, with the paths of the batch's own folders and the start time left out.
    """

    native_calls: Mapping[str, int] = field(default_factory=dict)
    simulations_opened: int = 0
    tables_opened: int = 0
    output_files: int = 0
    output_bytes: int = 0

    @property
    def native_total(self) -> int:
        return sum(self.native_calls.values())


def counting_environment(
    environment: Mapping[str, str], folder: Path, inputs: Sequence[Path], work: Path
) -> dict[str, str]:
    """``environment`` for a run whose processes leave their counts in ``folder``.

    :param inputs: the folders of the simulation files.
    """
    inherited = environment.get("PYTHONPATH", os.environ.get("PYTHONPATH"))
    places = [str(FOLDER), *([inherited] if inherited else [])]
    return {
        **environment,
        "PYTHONPATH": os.pathsep.join(places),
        FOLDER_VARIABLE: str(folder),
        WATCHED_VARIABLE: "\n".join(map(str, (work, *inputs))),
    }


def read_counts(folder: Path, results: Path, inputs: Sequence[Path]) -> Counts:
    """The counts that processes left in ``folder``, and those of the outputs in ``results``."""
    sums: Counter[str] = Counter()
    for names in sorted(folder.glob("*.names")):
        numbers = names.with_suffix(".counts").read_bytes()
        for slot, name in enumerate(names.read_text(encoding="utf-8").splitlines()):
            sums[name] += struct.unpack_from("<Q", numbers, 8 * slot)[0]
    outputs = [path for path in results.rglob("*") if path.is_file()]
    # Longer ones first, since one may lie in another.
    folders = sorted((results.parent, *inputs), key=lambda path: -len(str(path)))
    places = [str(path).encode() for path in folders]
    return Counts(
        native_calls={
            name.removeprefix(_NATIVE): count
            for name, count in sorted(sums.items())
            if name.startswith(_NATIVE) and name != _NATIVE + _BY_PROCESS
        },
        simulations_opened=sums["opened simulation files"],
        tables_opened=sums["opened tables to write"],
        output_files=len(outputs),
        output_bytes=sum(_size_without(path, places) for path in outputs),
    )


def _size_without(path: Path, places: list[bytes]) -> int:
    content = path.read_bytes()
    if path.suffix == ".yml":
        content = without_start_time(content)[0]
    for place in places:
        content = content.replace(place, b"").replace(place.replace(b"\\", b"/"), b"")
    return len(content)

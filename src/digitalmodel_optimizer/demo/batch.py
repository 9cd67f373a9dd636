"""A study made, run by the engine's own loop and by the plugins, and compared."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from digitalmodel_optimizer.contract import OptimizerError
from digitalmodel_optimizer.demo.compare import compare_outputs
from digitalmodel_optimizer.demo.measured import HostRun, run_host
from digitalmodel_optimizer.demo.study import DM_FSTS, DM_FSTS_LNGC, Study, write_configuration
from digitalmodel_optimizer.demo.study import write_files as write_simulations
from digitalmodel_optimizer.demo.tables import Outcome

# So many files that the demo ends in about a minute on two cores and takes less than 1 GB.
STUDIES = (replace(DM_FSTS, files=24), replace(DM_FSTS_LNGC, files=3))
_LAST_LINES = 25


class DemoError(OptimizerError):
    """The host could not be run, or did not get to its end."""

    exit_status = 1


def choose_studies(name: str, files: int | None, size_mb: float | None) -> tuple[Study, ...]:
    """The study called ``name``, or ``both``, with another number or size of files if given."""
    chosen = [study for study in STUDIES if name in (study.name, "both")]
    return tuple(_resized(study, files, size_mb) for study in chosen)


def _resized(study: Study, files: int | None, size_mb: float | None) -> Study:
    """Smaller files are shorter simulations; larger ones hold more that nobody reads."""
    size_mb = size_mb or study.file_mb
    share = min(1.0, size_mb / study.file_mb)
    return replace(
        study,
        files=files or study.files,
        file_mb=size_mb,
        duration_s=round(study.duration_s * share, 1),
    )


def host_arguments(backend: str | None) -> list[str]:
    """What stands behind ``dm_fsts.yml`` on the host's command line."""
    if backend is None:
        return []
    return [repr({"orcaflex": {"parallel": {"plugins": {"hybrid-executor": {"backend": backend}}}}})]


def run_study(
    study: Study, folder: Path, arguments: list[str], say: Callable[[str], None]
) -> Outcome:
    """Write the batch into ``folder``, run the host twice, compare every output.

    Both runs use the same files, the same configuration and the same paths; the engine's results
    are put aside as ``results-engine`` in between.

    :param say: told what is being done now, in a few words.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for left_over in ("results", "results-engine", "sim"):
        shutil.rmtree(folder / left_over, ignore_errors=True)
    for number, _ in enumerate(write_simulations(study, folder / "sim"), start=1):
        say(f"{study.name}: writing simulation files, {number} of {study.files}")
    config = write_configuration(folder, study, enabled=True).name
    say(f"{study.name}: the engine's own loop")
    engine = _successful(run_host(folder, config, arguments, plugins=False), study, folder)
    os.replace(folder / "results", folder / "results-engine")
    say(f"{study.name}: with the plugins")
    plugins = _successful(run_host(folder, config, arguments, plugins=True), study, folder)
    if plugins.report is None:
        raise DemoError(
            "the plugins did not take part in the second run; `digitalmodel-optimizer doctor` "
            "says what is in their way"
        )
    say(f"{study.name}: comparing the outputs")
    stems = frozenset(path.stem for path in (folder / "sim").iterdir())
    outputs = compare_outputs(folder / "results-engine", folder / "results", stems)
    return Outcome(study, engine, plugins, tuple(outputs))


def _successful(run: HostRun, study: Study, folder: Path) -> HostRun:
    if run.status == 0:
        return run
    last = "\n".join(run.said.splitlines()[-_LAST_LINES:])
    raise DemoError(
        f"python -m digitalmodel {study.name}.yml in {folder} ended with status {run.status}:\n{last}"
    )

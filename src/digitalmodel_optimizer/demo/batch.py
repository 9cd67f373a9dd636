"""A study made, run by the engine's own loop and by the plugins, and compared."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from digitalmodel_optimizer.demo.study import DM_FSTS, DM_FSTS_LNGC, Study, write_configuration
from digitalmodel_optimizer.demo.study import write_files as write_simulations
from digitalmodel_optimizer.demo.tables import Outcome
from digitalmodel_optimizer.measuring.compare import compare_outputs
from digitalmodel_optimizer.measuring.host_runs import HostRun, run_host
from digitalmodel_optimizer.measuring.warm_up import bytecode_environment, start_warm_up
from digitalmodel_optimizer.plugin import OptimizerError

# So many files that the demo ends in about a minute on two cores and takes less than 1 GB.
STUDIES = (replace(DM_FSTS, files=16), replace(DM_FSTS_LNGC, files=3))
_LAST_LINES = 25
_MARK = ".made-by-demo"


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
    return [
        repr({"orcaflex": {"parallel": {"plugins": {"hybrid-executor": {"backend": backend}}}}})
    ]


def _make_own(folder: Path) -> None:
    """Make ``folder``, or find it as an earlier demo left it; real studies have its name, too.

    :raises DemoError: something is in it that no demo has made, and that would be overwritten.
    """
    mark = folder / _MARK
    try:
        if folder.exists() and not mark.exists() and any(folder.iterdir()):
            raise DemoError(
                f"{folder} is there already and was not made by the demo, which would overwrite "
                "it; choose another folder with --keep"
            )
        folder.mkdir(exist_ok=True)
        mark.touch()
    except OSError as error:
        raise DemoError(f"{folder} cannot be used: {error.strerror}") from error


class Demo:
    """A folder with studies, and what their runs have in common.

    :param arguments: what stands behind ``dm_fsts.yml`` on the host's command line.
    :param say: told what is being done now, in a few words.
    """

    def __init__(self, folder: Path, arguments: list[str], say: Callable[[str], None]) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DemoError(f"{folder} cannot be made: {error.strerror}") from error
        self.folder = folder
        self._arguments = arguments
        self._say = say
        self._environment = {**bytecode_environment(folder), "SIMULATED_ORCAFLEX": "1"}
        self._warm_up = start_warm_up(folder, self._environment)

    def __enter__(self) -> Demo:
        return self

    def __exit__(self, *_: object) -> None:
        self._warm_up.kill()
        self._warm_up.wait()

    def run(self, study: Study) -> Outcome:
        """Write the batch, run the host on it twice, compare every output.

        Both runs use the same files, the same configuration and the same paths; the engine's
        results are put aside as ``results-engine`` in between.
        """
        folder = self.folder / study.name
        _make_own(folder)
        for left_over in ("results", "results-engine", "sim"):
            shutil.rmtree(folder / left_over, ignore_errors=True)
        self._write_simulations(study, folder / "sim")
        write_configuration(folder, study, enabled=True)
        self._say(f"{study.name}: starting Python and the host for the first time")
        self._warm_up.wait()
        self._say(f"{study.name}: the engine's own loop")
        engine = self._host(study, folder, plugins=False)
        os.replace(folder / "results", folder / "results-engine")
        self._say(f"{study.name}: with the plugins")
        plugins = self._host(study, folder, plugins=True)
        if plugins.report is None:
            raise DemoError(
                "the plugins did not take part in the second run; `digitalmodel-optimizer "
                "doctor` says what is in their way"
            )
        self._say(f"{study.name}: comparing the outputs")
        stems = frozenset(path.stem for path in (folder / "sim").iterdir())
        outputs = compare_outputs(folder / "results-engine", folder / "results", stems)
        return Outcome(study, engine, plugins, tuple(outputs))

    def _write_simulations(self, study: Study, folder: Path) -> None:
        try:
            for number, _ in enumerate(write_simulations(study, folder), start=1):
                self._say(f"{study.name}: writing simulation files, {number} of {study.files}")
        except (ValueError, OSError) as error:
            raise DemoError(f"the simulation files cannot be written: {error}") from error

    def _host(self, study: Study, folder: Path, *, plugins: bool) -> HostRun:
        config = f"{study.name}.yml"
        run = run_host(folder, config, self._arguments, self._environment, plugins=plugins)
        if run.status == 0:
            return run
        last = "\n".join(run.said.splitlines()[-_LAST_LINES:])
        raise DemoError(
            f"python -m digitalmodel {config} in {folder} ended with status {run.status}:\n{last}"
        )

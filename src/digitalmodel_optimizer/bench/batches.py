"""The batches that are run: made ones, which are kept, and a user's own, which are only read."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from digitalmodel_optimizer.bench.suites import Suite, write_simulation
from digitalmodel_optimizer.bench.users_files import Choose, inputs, layered, other_work
from digitalmodel_optimizer.config.configuration import (
    TEST_DATA,
    given_by,
    merge,
    read_configuration,
)
from digitalmodel_optimizer.demo.study import BASENAME, base_configuration
from digitalmodel_optimizer.plugin import BYTES_PER_MB, OptimizerError

_COMPLETE = "complete.json"
# Raise it when files of the same description come out differently.
_FORMAT = 1
# The engine puts the time into the names of its outputs unless told to overwrite older ones.
_OVERWRITE: dict[str, Any] = {"default": {"config": {"overwrite": {"output": True}}}}


class BenchError(OptimizerError):
    """A batch cannot be made, or does not run."""

    exit_status = 2


@dataclass(frozen=True)
class Batch:
    """A batch to run: its simulation files, and its configuration.

    ``config`` is the text of the YAML file that the host is given, ``others`` what else has to
    stand beside it, by relative path. ``overrides`` is laid over the configuration on the host's
    command line. ``stand_in`` says whether the files are the stand-in's.
    """

    name: str
    words: str
    files: tuple[Path, ...]
    config: bytes
    others: Mapping[str, bytes] = field(default_factory=dict)
    overrides: Mapping[str, Any] = field(default_factory=dict)
    stand_in: bool = True

    @property
    def sizes_mb(self) -> tuple[float, ...]:
        return tuple(path.stat().st_size / BYTES_PER_MB for path in self.files)

    @property
    def folders(self) -> tuple[Path, ...]:
        """Where the simulation files are."""
        return tuple(dict.fromkeys(path.parent for path in self.files))

    @property
    def stems(self) -> frozenset[str]:
        return frozenset(path.stem for path in self.files)

    def lay_out(self, work: Path) -> str:
        """Write the configuration into the folder ``work``; its name there."""
        name = f"{self.name}.yml"
        for relative, content in {name: self.config, **self.others}.items():
            path = work / relative
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        return name

    def state(self) -> dict[str, tuple[int, int, int] | None]:
        """Size, time and number of each simulation file, to see that none was touched."""
        return {str(path): _state(path) for path in self.files}


def _state(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns, found.st_ino


def default_folder() -> Path:
    """Where made batches are kept from one run to the next: the user's cache folder."""
    from platformdirs import user_cache_path

    return Path(user_cache_path("digitalmodel-optimizer", appauthor=False)) / "bench"


def made_batch(suite: Suite, folder: Path, say: Callable[[str], None]) -> Batch:
    """The batch of ``suite``, written below ``folder`` unless it stands there already.

    The folder's name holds a digest of the description: other files go elsewhere.

    :raises BenchError: the files cannot be written, for want of space for example.
    """
    told = json.dumps([_FORMAT, suite.description()], sort_keys=True)
    kept = folder / f"{suite.name}-{hashlib.sha256(told.encode()).hexdigest()[:12]}"
    simulations = kept / "sim"
    if not _is_complete(kept, suite):
        _write(suite, kept, simulations, say)
    others = {str(TEST_DATA / f"{BASENAME}.yml"): _yaml(base_configuration())}
    return Batch(
        name=suite.name,
        words=suite.words,
        files=tuple(sorted(simulations.glob("*.sim"))),
        config=_yaml(suite.configuration(str(simulations))),
        others=others,
        overrides=_OVERWRITE,
    )


def _is_complete(kept: Path, suite: Suite) -> bool:
    """Whether all files stand there in their sizes; a run that broke off leaves no mark."""
    if not (kept / _COMPLETE).is_file():
        return False
    sizes = sorted(path.stat().st_size for path in (kept / "sim").glob("*.sim"))
    return sizes == sorted(round(size * BYTES_PER_MB) for size in suite.sizes_mb)


def _write(suite: Suite, kept: Path, simulations: Path, say: Callable[[str], None]) -> None:
    shutil.rmtree(kept, ignore_errors=True)
    total_mb = sum(suite.sizes_mb)
    try:
        simulations.mkdir(parents=True)
        free_mb = shutil.disk_usage(simulations).free / BYTES_PER_MB
        if free_mb < 1.1 * total_mb:
            raise BenchError(
                f"suite {suite.name} needs {total_mb:.0f} MB in {kept.parent}, where "
                f"{free_mb:.0f} MB are free; --folder names another place, --scale makes it smaller"
            )
        count = len(suite.sizes_mb)
        for number, (name, description) in enumerate(suite.simulations(), start=1):
            say(f"{suite.name}: writing simulation files, {number} of {count}")
            write_simulation(simulations / name, description)
        (kept / _COMPLETE).write_text(json.dumps(suite.description(), indent=1), encoding="utf-8")
    except (OSError, ValueError) as error:
        raise BenchError(f"suite {suite.name} cannot be made in {kept}: {error}") from error


def _yaml(content: Mapping[str, Any]) -> bytes:
    import io

    from ruamel.yaml import YAML

    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    stream = io.BytesIO()
    yaml.dump(dict(content), stream)
    return stream.getvalue()


def users_batch(
    config: Path,
    folder: Path | None,
    *,
    arguments: Sequence[str] = (),
    choose: Choose | None = None,
) -> Batch:
    """A user's own batch, its outputs turned away from where the user has them.

    The configuration is copied as it is; what has to differ (where the inputs are, where outputs
    go) is laid over it on the host's command line. Nothing is written in the user's folders.

    :param folder: simulation files in place of those that the configuration names.
    :param arguments: what stands behind the file on the host's command line.
    :param choose: which of them to take.
    :raises OptimizerError: the configuration cannot be read, names no simulation files, or asks
        for more than post-processing.
    """
    read = read_configuration(config, arguments)
    layers, base = [read.merged], read.base
    others = {
        str(file): content
        for file, content in read.texts[-1].files[1:]  # the one that it names as default_yaml
        if not file.is_absolute() and ".." not in file.parts
    }
    more = ", ".join(other_work(layers))
    if more:
        raise BenchError(
            f"{config.name} asks for more than post-processing: {more}; switch that off in a copy, "
            "since simulation files are only read here"
        )
    managed = layered(layers, "file_management")
    sims, override = inputs(config, managed, folder, choose)
    if not sims:
        where = folder or managed.get("input_directory") or config.parent
        raise BenchError(f"there are no .sim files for {config.name} in {where}")
    if base is None:
        raise BenchError(
            f"{config.name}: from this folder the host finds no base configuration for "
            f"{read.basename}; start this in the folder where you start python -m digitalmodel"
        )
    others[str(TEST_DATA / base.name)] = base.read_bytes()
    return Batch(
        name=config.stem,
        words=f"{config.name} as it is",
        files=tuple(sims),
        config=config.read_bytes(),
        others=others,
        overrides=merge(given_by(arguments), {"file_management": override, **_OVERWRITE}),
        stand_in=os.environ.get("SIMULATED_ORCAFLEX") == "1",
    )


def as_argument(overrides: Mapping[str, Any]) -> str:
    """``overrides`` as the Python dict literal that the host takes behind its YAML file."""
    text = repr(_plain(overrides))
    assert ast.literal_eval(text) == _plain(overrides)
    return text


def _plain(value: Any) -> Any:
    return {k: _plain(v) for k, v in value.items()} if isinstance(value, Mapping) else value

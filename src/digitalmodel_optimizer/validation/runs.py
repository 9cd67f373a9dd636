"""Running the host's own loop and the plugins on one batch, each into a folder of its own."""

from __future__ import annotations

import os
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from digitalmodel_optimizer.bench.batches import Batch, as_argument, users_batch
from digitalmodel_optimizer.config.configuration import merge
from digitalmodel_optimizer.measuring.host_runs import HostRun, run_host
from digitalmodel_optimizer.measuring.warm_up import bytecode_environment
from digitalmodel_optimizer.plugin import OptimizerError

HOST = "host"
PLUGINS = "plugins"
_WHO = {HOST: "the host's own loop", PLUGINS: "the plugins"}
_LAST_LINES = 25
_SHARE = re.compile(r"(\d+(?:\.\d+)?)\s*%")
# Where the host writes while it runs, so that both sides have the same paths in their outputs.
_RESULTS = "results"
_ENABLED: dict[str, Any] = {
    "orcaflex": {"parallel": {"enabled": True, "progress": False, "cache": False}}
}
"""Every file is to be read: results that are kept, of an earlier run, would prove nothing."""


class NotComparedError(OptimizerError):
    """There is nothing to compare, since one side could not be had."""

    exit_status = 2


@dataclass(frozen=True)
class Sample:
    """A part of the input files, drawn by ``seed``: ``share`` of them (0 to 1), or ``number``."""

    text: str
    seed: int
    share: float | None = None
    number: int | None = None

    @classmethod
    def of(cls, text: str, seed: int) -> Sample:
        """
        :param text: ``5%``, or a number of files.
        :raises NotComparedError: it is neither.
        """
        share = _SHARE.fullmatch(text.strip())
        if share and 0 < float(share[1]) <= 100:
            return cls(text, seed, share=float(share[1]) / 100)
        if text.strip().isdigit() and int(text) > 0:
            return cls(text, seed, number=int(text))
        raise NotComparedError(f"--sample must be a share (5%) or a number of files (got {text!r})")

    def draw(self, files: Sequence[Path]) -> list[Path]:
        """At least one of ``files``, in their order; the same ones for the same seed."""
        wanted = self.number if self.share is None else round(self.share * len(files))
        number = max(1, min(len(files), wanted or 0))
        draw = random.Random(self.seed)  # noqa: S311 - to be drawn again
        places = sorted(draw.sample(range(len(files)), number))
        return [files[place] for place in places]


@dataclass(frozen=True)
class BothRuns:
    """Two runs of one batch, and the folders with what they wrote."""

    batch: Batch
    host: HostRun
    plugins: HostRun
    left: Path
    right: Path


def run_both(
    config: Path,
    arguments: Sequence[str],
    work: Path,
    sample: Sample | None,
    say: Callable[[str], None],
) -> BothRuns:
    """Run the batch of ``config`` without and with the plugins, below the folder ``work``.

    Nothing of the user's is written to: the configuration is copied, the simulation files are read
    where they are, outputs stay in ``work``.

    :param arguments: what stands behind the file on the host's command line.
    :raises OptimizerError: the configuration cannot be used, or one of the runs failed.
    """
    batch = users_batch(
        config, None, arguments=arguments, choose=None if sample is None else sample.draw
    )
    before = batch.state()
    name = batch.lay_out(work)
    argument = as_argument(merge(batch.overrides, _ENABLED))
    environment = bytecode_environment(work)
    runs = {}
    for side in (HOST, PLUGINS):
        say(f"{config.name}: {_WHO[side]}")
        run = run_host(work, name, [argument], environment, plugins=side == PLUGINS)
        _demand_success(config, side, run)
        if batch.state() != before:
            raise NotComparedError(
                f"simulation files of {config.name} have changed since the comparison began; "
                "run it again once they are complete"
            )
        os.replace(work / _RESULTS, work / side)
        runs[side] = run
    return BothRuns(batch, runs[HOST], runs[PLUGINS], work / HOST, work / PLUGINS)


def _demand_success(config: Path, side: str, run: HostRun) -> None:
    if run.status != 0:
        last = "\n".join(run.said.splitlines()[-_LAST_LINES:])
        raise NotComparedError(
            f"{config.name} could not be compared: the run of {_WHO[side]} ended with status "
            f"{run.status}:\n{last}"
        )
    if run.loop_s is None:
        raise NotComparedError(
            f"{config.name} asks for no post-processing, so nothing was compared"
        )
    if side == PLUGINS and run.report is None:
        raise NotComparedError(
            "the plugins did not take part; `digitalmodel-optimizer doctor` says what is in their "
            "way"
        )

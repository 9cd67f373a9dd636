"""Named ways to run a batch: who runs it, with which settings, and on which files it makes sense.

Names with a number behind them (``workers_4``, ``plain_joblib_30``) can be asked for with any
number.
"""

from __future__ import annotations

import difflib
import enum
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from digitalmodel_optimizer.bench.probe import NAME as PROBE
from digitalmodel_optimizer.plugin import OptimizerError
from digitalmodel_optimizer.plugin.manager import BUILT_IN

KEPT_FOLDER = "kept-results"
"""Where results are kept, in the folder of the batch's own file."""


class Runner(enum.Enum):
    """Who does the work."""

    ENGINE = "the engine's own loop"
    PLUGINS = "the engine through the plugins"
    JOBLIB = "plain joblib around the engine's loop"
    FLOOR = "the least work that gives the same numbers"


@dataclass(frozen=True)
class Configuration:
    """One way to run a batch.

    ``parallel`` is laid over ``orcaflex.parallel`` of the batch's own file. ``workers`` is the
    number that is asked for; 0 leaves it to the plugins. ``below_mb`` and ``from_mb`` bound the
    size of a batch's files for which the configuration was meant. ``probe`` needs the
    benchmarks' own plugin (:mod:`~digitalmodel_optimizer.bench.probe`). ``again``: the batch has
    been run before, results are kept, and so many of its files have to be read again.
    """

    name: str
    runner: Runner
    words: str
    parallel: Mapping[str, Any] = field(default_factory=dict)
    workers: int = 0
    below_mb: float | None = None
    from_mb: float | None = None
    probe: bool = False
    again: int | None = None

    def applies_to(self, sizes_mb: Iterable[float]) -> bool:
        sizes = list(sizes_mb)
        too_large = self.below_mb is not None and max(sizes, default=0.0) >= self.below_mb
        too_small = self.from_mb is not None and min(sizes, default=0.0) < self.from_mb
        return not too_large and not too_small


def _fixed(
    name: str,
    workers: int,
    words: str,
    *,
    below_mb: float | None = None,
    from_mb: float | None = None,
) -> Configuration:
    """As many worker processes as asked for, if cores, memory and files allow as many."""
    plugins = {
        "thread-allocation": {"size_classes": str(workers), "worker_start_s": 0.0},
        "hybrid-executor": {"backend": "loky"},
    }
    parallel = {"threads": workers, "plugins": plugins}
    return Configuration(name, Runner.PLUGINS, words, parallel, workers, below_mb, from_mb)


def _switched(names: Iterable[str], on: bool) -> dict[str, Any]:
    return {name: {"enabled": on} for name in names}


def _alone(plugin: str) -> Configuration:
    others = [name for name in BUILT_IN if name != plugin]
    return Configuration(
        f"only_{plugin}", Runner.PLUGINS, f"{plugin} alone", {"plugins": _switched(others, False)}
    )


def _left_out(plugin: str) -> Configuration:
    return Configuration(
        f"without_{plugin}",
        Runner.PLUGINS,
        f"all plugins but {plugin}",
        {"plugins": _switched([plugin], False)},
    )


def to_be_counted(item: Configuration) -> Configuration:
    """``item`` without reading ahead: how many files that opens is a matter of timing."""
    if item.runner is not Runner.PLUGINS:
        return item
    plugins = dict(item.parallel.get("plugins", {}))
    plugins["io-buffering"] = {**plugins.get("io-buffering", {}), "read_ahead_files": 0}
    return replace(item, parallel={**item.parallel, "plugins": plugins})


ENGINE = Configuration("engine", Runner.ENGINE, "the engine's own loop, one file after the other")
FLOOR = Configuration(
    "floor", Runner.FLOOR, "each file loaded once, one read per model and period, one process"
)
FULL = Configuration("dynamic_auto", Runner.PLUGINS, "all plugins, threads: auto")
ALIASES = {"full": FULL.name, "plain_joblib": "plain_joblib_2"}

FOUNDING = (
    _fixed("baseline_30", 30, "the habit: 30 workers, whatever the files"),
    _fixed("small_files_45", 45, "45 workers for files below 100 MB", below_mb=100.0),
    _fixed("large_files_15", 15, "15 workers for files from 500 MB on", from_mb=500.0),
    FULL,
    Configuration(
        "hybrid_model",
        Runner.PLUGINS,
        "processes with threads inside",
        {
            "plugins": {
                "hybrid-executor": {"backend": "hybrid"},
                "thread-allocation": {"worker_start_s": 0.0},
            }
        },
    ),
)
"""The configurations that the project was founded on."""
WORTH = (*(_alone(plugin) for plugin in BUILT_IN), *(_left_out(plugin) for plugin in BUILT_IN))
"""Each plugin alone, and left out."""


BACKENDS = tuple(
    Configuration(
        f"backend_{name}",
        Runner.PLUGINS,
        f"all plugins, on the backend {name}",
        {
            "plugins": {
                "hybrid-executor": {"backend": name},
                "thread-allocation": {"worker_start_s": 0.0},
            }
        },
    )
    for name in ("serial", "threading", "loky", "hybrid")
)
"""Each backend of hybrid-executor, whatever the plugins would choose."""


def floor(processes: int) -> Configuration:
    return Configuration(
        f"{FLOOR.name}_{processes}",
        Runner.FLOOR,
        f"the floor's work in {processes} processes that are ready before the clock starts",
        workers=processes,
    )


def plain_joblib(workers: int) -> Configuration:
    return Configuration(
        f"plain_joblib_{workers}",
        Runner.JOBLIB,
        f"joblib.Parallel(n_jobs={workers}) around the engine's loop, one task a file",
        workers=workers,
    )


def fixed_workers(workers: int) -> Configuration:
    """Exactly so many worker processes, beyond the cores too: the probe allocates, not a budget."""
    return Configuration(
        f"workers_{workers}",
        Runner.PLUGINS,
        f"all plugins, exactly {workers} worker process{'' if workers == 1 else 'es'}",
        {"plugins": {PROBE: {"workers": workers}, "hybrid-executor": {"backend": "loky"}}},
        workers=workers,
        probe=True,
    )


def kept(again: int) -> Configuration:
    """A run after another one that has kept its results."""
    files = "no file" if again == 0 else f"{again} file{'' if again == 1 else 's'}"
    return Configuration(
        f"kept_{again}",
        Runner.PLUGINS,
        f"results kept by a run before, {files} to be read again",
        {"cache": True, "plugins": {"result-cache": {"folder": KEPT_FOLDER}}},
        again=again,
    )


_NUMBERED = {"kept": kept, "floor": floor, "plain_joblib": plain_joblib, "workers": fixed_workers}
UNCHANGED = kept(0)
_AGAINST = (ENGINE, plain_joblib(2), FLOOR, floor(2))
KNOWN = {item.name: item for item in (*_AGAINST, *FOUNDING, *BACKENDS, *WORTH, UNCHANGED)}
GROUPS = {
    "default": tuple(item.name for item in (*_AGAINST, *FOUNDING)),
    "founding": tuple(item.name for item in FOUNDING),
    "backends": (ENGINE.name, *(item.name for item in BACKENDS)),
    "worth": (ENGINE.name, FULL.name, *(item.name for item in WORTH)),
    "kept": (ENGINE.name, FULL.name, UNCHANGED.name, "kept_20"),
    "counts": (ENGINE.name, FLOOR.name, "plain_joblib_2", "workers_1", "workers_2"),
    "all": tuple(KNOWN),
}


def chosen(text: str) -> tuple[Configuration, ...]:
    """The configurations and groups named in ``text``, separated by commas, each once.

    :raises OptimizerError: a name is unknown.
    """
    found: dict[str, Configuration] = {}
    for word in filter(None, (part.strip() for part in text.split(","))):
        for name in GROUPS.get(word, (word,)):
            item = _named(name)
            found[item.name] = item
    if not found:
        raise OptimizerError("no configuration is named; try --configurations default")
    return tuple(found.values())


def _named(name: str) -> Configuration:
    name = ALIASES.get(name, name)
    if name in KNOWN:
        return KNOWN[name]
    numbered = re.fullmatch(r"([a-z_]+)_([1-9]\d{0,2})", name)
    if numbered and numbered[1] in _NUMBERED:
        return _NUMBERED[numbered[1]](int(numbered[2]))
    every = list(_names())
    near = difflib.get_close_matches(name, every, n=1)
    hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(every)}"
    raise OptimizerError(f"--configurations: there is no configuration {name!r}; {hint}")


def _names() -> Iterator[str]:
    yield from GROUPS
    yield from KNOWN
    yield from ALIASES
    yield from (f"{stem}_N" for stem in _NUMBERED)

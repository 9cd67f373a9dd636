"""Keys that people write where nobody reads them: what is known of them, as data.

A key that would change what runs, were it read, is a fault: the batch does not start. A key that
nobody would miss, or that another reader of the same file may take, is a warning.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from digitalmodel_optimizer.config.configuration import MISSING, look_up
from digitalmodel_optimizer.config.enabling import BLOCK, HOSTS_PARALLEL
from digitalmodel_optimizer.config.user_yaml import Key
from digitalmodel_optimizer.plugin.options import AUTO

PLUGINS = (*BLOCK, "plugins")

SYNONYMS = {
    "licenses": "licences",
    "num_threads": "threads",
    "workers": "threads",
    "max_workers": "threads",
    "n_jobs": "threads",
    "timeout": "timeout_per_file",
}
"""What others call our options."""
WITHOUT_EFFECT = {"chunk_size": "workers get one file at a time"}
"""Keys of others that say nothing to us, and why they can go."""
_OURS_ANYWHERE = ("licences", "licenses", "num_threads", "timeout_per_file", "use_processes")
_OURS_IN_THE_HOSTS = (
    *_OURS_ANYWHERE,
    *("threads", "workers", "max_workers", "timeout", "read_block_mb", "plugins", "chunk_size"),
)


@dataclass(frozen=True)
class Level:
    """A mapping in which our keys are written by mistake.

    ``names`` mean nothing but ours there. Another reader of the host takes those in ``others``, so
    they can be right as they are. ``plugins``: the plugins' names are looked for as well.
    """

    path: Key
    names: tuple[str, ...]
    others: tuple[str, ...] = ()
    plugins: bool = False


LEVELS = (
    Level((), _OURS_ANYWHERE),
    Level(("orcaflex",), _OURS_IN_THE_HOSTS, plugins=True),
    Level(
        ("parallel",),
        _OURS_IN_THE_HOSTS,
        others=HOSTS_PARALLEL,
    ),
    Level(
        ("parallel_processing",),
        ("licences", "licenses", "num_threads", "threads", "timeout", "use_processes", "plugins"),
    ),
    Level(BLOCK, (*SYNONYMS, *WITHOUT_EFFECT), plugins=True),
)
"""The host reads ``enabled``, ``threads`` and ``use_processes`` of the block, ``workers`` and
``max_workers`` of ``parallel_processing`` and of the command line, and a model of the host's own
takes ``num_threads``, ``use_processes`` and ``chunk_size`` in a block ``parallel``."""


class Misplaced(NamedTuple):
    """``fatal``: were it read, something else would run."""

    key: Key
    said: str
    fatal: bool


class RightPlaces:
    """Where each option belongs, those of the installed plugins among them.

    :param options: names of the block's own options.
    :param plugins: names of each plugin's options.
    """

    def __init__(self, options: Iterable[str], plugins: Mapping[str, Iterable[str]]) -> None:
        self._plugins = frozenset(plugins)
        self._places: dict[str, list[Key]] = {name: [BLOCK] for name in (*options, PLUGINS[-1])}
        self._block = frozenset(self._places)
        for plugin, names in plugins.items():
            self._places.setdefault(plugin, [PLUGINS])
            for name in names:
                self._places.setdefault(name, []).append((*PLUGINS, plugin))

    def of(self, name: Any) -> tuple[str, list[Key]]:
        """The option that ``name`` means, and under which keys it may stand; none if unknown."""
        right = SYNONYMS.get(name, name)
        return right, self._places.get(right, [])

    def near(self, name: Any) -> str | None:
        """A name that differs from ``name`` by a slip of the hand."""
        known = [*self._places, *SYNONYMS]
        found = difflib.get_close_matches(str(name), known, n=1, cutoff=0.8)
        return found[0] if found else None

    def advice(self, name: Any, value: Any) -> str:
        """What to write instead of ``name`` where it stands; empty if that is unknown."""
        right, places = self.of(name)
        if not places:
            return ""
        shown = f"  {right}: {value}  " if _is_short(value) else f" {right} "
        return f"write{shown}under {' or '.join('.'.join(place) for place in places)}"

    def misplaced(self, cfg: Any) -> Iterator[Misplaced]:
        """Every key of ``cfg`` that means one of ours and stands where nobody reads it."""
        for level in LEVELS:
            found = look_up(cfg, level.path)
            if not isinstance(found, Mapping):
                continue
            names = {*level.names, *(self._plugins if level.plugins else ())}
            if level.path == BLOCK:
                names |= self._places.keys() - self._block
            for name, value in found.items():
                if name in names and value is not None:
                    yield self._judged(cfg, level, name, value)

    def _judged(self, cfg: Any, level: Level, name: str, value: Any) -> Misplaced:
        key = (*level.path, name)
        if name in WITHOUT_EFFECT:
            return Misplaced(key, f"has no effect: {WITHOUT_EFFECT[name]}; remove it", False)
        right, places = self.of(name)
        for place in places:
            if look_up(cfg, (*place, right)) not in (MISSING, None, AUTO):
                return Misplaced(key, f"has no effect: {'.'.join((*place, right))} counts", False)
        advice = self.advice(name, value) or "remove it"
        return Misplaced(key, f"is not read; {advice}", name not in level.others)


def _is_short(value: Any) -> bool:
    return isinstance(value, (bool, int, float, str)) and len(str(value)) < 20

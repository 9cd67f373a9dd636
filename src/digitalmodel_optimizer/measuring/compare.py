"""Comparing what two runs of the host wrote, byte by byte."""

from __future__ import annotations

import contextlib
import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from digitalmodel_optimizer.plugin.manager import build_manager, installed_plugins

IDENTICAL = "identical"
DIFFERENT = "DIFFERENT"
_START_TIME = re.compile(rb"(?m)^  start_time: \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.?\d*\r?\n")
# The plugins' own settings in a saved configuration, which runs that are compared may differ in.
_SETTINGS = re.compile(rb"(?m)^  parallel:.*\n(?:    .*\n)*")
_BLOCK = 1 << 20


@dataclass(frozen=True)
class Comparison:
    """One output file of a batch; ``why`` says how a difference shows, or what was left out."""

    name: str
    same: bool
    why: str = ""

    @property
    def word(self) -> str:
        return IDENTICAL if self.same else DIFFERENT


def compare_outputs(
    engine: Path,
    plugins: Path,
    stems: frozenset[str],
    *,
    settings: bool = True,
    own_outputs: Sequence[str] = (),
) -> Iterator[Comparison]:
    """Every file under either folder, summaries first and the time series of ``stems`` last.

    All are compared as they are, but for the configuration that the engine saves at its end: the
    line with the run's start time is left out.

    :param settings: False leaves out the block ``orcaflex.parallel`` as well, for runs that were
        made with different ones.
    :param own_outputs: patterns of what plugins write of their own accord; the engine need not have
        written it.
    """
    names = {_name(path, folder) for folder in (engine, plugins) for path in _files(folder)}

    def place(name: str) -> tuple[bool, str]:
        return (any(name.startswith(f"{stem}_") for stem in stems), name)

    for name in sorted(names, key=place):
        own = any(fnmatchcase(PurePosixPath(name).name, pattern) for pattern in own_outputs)
        if own and not (engine / name).is_file():
            yield Comparison(name, True, "written by a plugin of its own accord")
        else:
            yield _compare(engine / name, plugins / name, name, settings)


def installed_own_outputs() -> list[str]:
    """What the installed plugins say that they write of their own accord, as patterns."""
    patterns: list[str] = []
    for reference in installed_plugins():
        with contextlib.suppress(Exception), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for declared in build_manager([reference]).options().values():
                patterns += declared.own_outputs
    return patterns


def without_start_time(saved: bytes) -> tuple[bytes, int]:
    """A saved configuration without the line of its run's start time; how many lines that were."""
    return _START_TIME.subn(b"", saved)


def without_run_details(left: bytes, right: bytes, *, settings: bool) -> tuple[bytes, bytes]:
    """Two saved configurations without what differs in every run; both whole if they are none.

    :param settings: False leaves out the plugins' settings as well.
    """
    one, number = without_start_time(left)
    other, number_of_other = without_start_time(right)
    if not number == number_of_other == 1:
        return left, right
    if not settings:
        one, other = _SETTINGS.sub(b"", one), _SETTINGS.sub(b"", other)
    return one, other


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())


def _name(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix()


def _compare(engine: Path, plugins: Path, name: str, settings: bool) -> Comparison:
    for path, who in ((engine, "the engine's own loop"), (plugins, "the plugins")):
        if not path.is_file():
            return Comparison(name, False, f"not written by {who}")
    if name.endswith(".yml"):
        whole = engine.read_bytes(), plugins.read_bytes()
        left, right = without_run_details(*whole, settings=settings)
        if (left, right) != whole:
            what = "the line with the run's start time"
            if not settings:
                what += " and the plugins' settings"
            return Comparison(name, left == right, f"all but {what}")
    if engine.stat().st_size != plugins.stat().st_size:
        sizes = f"{engine.stat().st_size} and {plugins.stat().st_size} bytes"
        return Comparison(name, False, f"of different length: {sizes}")
    place = _first_difference(engine, plugins)
    return Comparison(name, place is None, "" if place is None else f"from byte {place} on")


def _first_difference(one: Path, other: Path) -> int | None:
    start = 0
    with one.open("rb") as left, other.open("rb") as right:
        while True:
            a, b = left.read(_BLOCK), right.read(_BLOCK)
            if a != b:
                pairs = zip(a, b, strict=False)
                return start + next(
                    (i for i, (x, y) in enumerate(pairs) if x != y), min(len(a), len(b))
                )
            if not a:
                return None
            start += len(a)

"""What one file leaves behind in the engine's configuration for the next.

The engine's loop writes into its ``cfg`` while it works: an open ``SimulationPeriod`` keeps the
first file's stop time, ``GetData`` on the Environment gets an index appended, the list of
time-series records is begun by the first file and filled by the others (HOST facts, "state
leaks"). To get the engine's answers, a file must be processed with what the files before it have
left. Such a state is a tuple of :class:`Change`; an empty one is the configuration as it was read.
"""

from __future__ import annotations

import contextlib
import copy
import pickle
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from digitalmodel_optimizer.host.config import PER_RUN, SERIES_RECORDS, HostConfig

_ABSENT = "<absent>"


@dataclass(frozen=True)
class Change:
    """The value at ``path`` became ``new``; ``filled`` if it was None before.

    ``removed``: there is nothing at ``path`` any more.
    """

    path: tuple[Any, ...]
    new: Any
    filled: bool = False
    removed: bool = False


State = tuple[Change, ...]


@dataclass(frozen=True)
class EngineState:
    """What a file starts from: changes, and the records that earlier files have begun.

    ``records`` is the engine's ``cfg[<basename>]`` with its lists emptied: {} for the first file.
    """

    changes: State = ()
    records: tuple[str, ...] = ()


FIRST = EngineState()


def predict(cfg: Any) -> EngineState:
    """What the first file will leave behind, as far as the configuration alone can tell.

    A file that runs before the first one is done starts from this; if the guess proves wrong, the
    file is processed again (see :func:`same_answer`), so a host that behaves otherwise costs time
    and never a wrong number.
    """
    config = HostConfig(cfg)
    return EngineState(
        tuple(Change(path, variable) for path, variable in config.appended_indices()),
        (SERIES_RECORDS,) if config.begins_series_records() else (),
    )


def differences(before: Any, after: Any, path: tuple[Any, ...] = ()) -> Iterator[Change]:
    """What has to be written into ``before`` to make it equal to ``after``.

    Lists that keep their length are compared item by item, others are replaced as a whole.
    """
    if isinstance(before, dict) and isinstance(after, dict):
        for key, value in after.items():
            if key not in before:
                yield Change((*path, key), copy.deepcopy(value))
            elif before[key] is not value:
                yield from differences(before[key], value, (*path, key))
        for key in before.keys() - after.keys():
            yield Change((*path, key), None, removed=True)
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for place, (old, new) in enumerate(zip(before, after, strict=True)):
            yield from differences(old, new, (*path, place))
    elif not _equal(before, after):
        yield Change(path, copy.deepcopy(after), filled=before is None)


def _equal(before: Any, after: Any) -> bool:
    """Not by ``==`` alone: not-a-number is itself, arrays compare item by item."""
    if type(before) is not type(after):
        return False
    with contextlib.suppress(Exception):
        if before == after:
            return True
    return pickle.dumps(before) == pickle.dumps(after)


def apply(cfg: Any, state: State) -> None:
    """Write ``state`` into ``cfg``, in place, so that shared lists stay shared."""
    for change in state:
        owner = cfg
        for key in change.path[:-1]:
            owner = owner[key]
        last = change.path[-1]
        if change.removed:
            owner.pop(last, None)
            continue
        present = owner.get(last, _ABSENT) if isinstance(owner, dict) else owner[last]
        if isinstance(present, list) and isinstance(change.new, list):
            present[:] = copy.deepcopy(change.new)
        else:
            owner[last] = copy.deepcopy(change.new)


def merge(state: State, later: State) -> State:
    """``state`` followed by ``later``; a path that both name has the later value."""
    by_path = {change.path: change for change in state}
    by_path.update({change.path: change for change in later})
    return tuple(by_path.values())


def same_answer(used: State, left: State, expected: State) -> bool:
    """Whether a file that ran with ``used`` and left ``left`` is as if it had had ``expected``.

    It is when both are the same, or when the only difference is an open value that the file
    itself filled with what it would have found filled already.
    """
    have = {change.path: (change.new, change.removed) for change in used}
    want = {change.path: (change.new, change.removed) for change in expected}
    if any(path not in want or not _equal(want[path], value) for path, value in have.items()):
        return False
    own = {change.path: (change.new, change.removed) for change in left if change.filled}
    return all(_equal(own.get(path), want[path]) for path in want.keys() - have.keys())


def _with_attributes(cfg: Any) -> Any:
    """The host's dictionary gives its items as attributes too, by being its own ``__dict__``;
    pickling makes two of one, and this one again.
    """
    attributes = getattr(cfg, "__dict__", None)
    if isinstance(cfg, dict) and attributes is not None and attributes.keys() == cfg.keys():
        cfg.__dict__ = cfg
    return cfg


class WorkingCfg:
    """A configuration that files are processed with, one after the other, on one thread.

    It is made from its pickled original when it has to be, and used again as long as the engine
    left nothing behind in it.
    """

    def __init__(self, original: bytes, records_key: str) -> None:
        self._original = original
        self._ignored = (*PER_RUN, records_key)
        self._cfg: Any = None
        self._state: State | None = None
        self._image = b""

    def with_state(self, state: State) -> Any:
        if self._cfg is None or self._state != state:
            original = pickle.loads(self._original)  # noqa: S301 - of the parent, by its pipe
            self._cfg = _with_attributes(original)
            apply(self._cfg, state)
            self._state = state
            self._image = self._watched_image()
        return self._cfg

    def changes(self) -> State:
        """What the engine has left behind since :meth:`with_state`, but for its records."""
        if self._watched_image() == self._image:
            return ()
        before = pickle.loads(self._image)  # noqa: S301 - made in this process
        left = tuple(differences(before, self._watched()))
        self._cfg = None
        return left

    def discard(self) -> None:
        """Do not use this copy again: a file has failed half-way."""
        self._cfg = None

    def _watched(self) -> dict[Any, Any]:
        return {key: value for key, value in self._cfg.items() if key not in self._ignored}

    def _watched_image(self) -> bytes:
        return pickle.dumps(self._watched(), protocol=pickle.HIGHEST_PROTOCOL)

"""Which key enables the plugins, and the ways of writing it that do not: as data."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from digitalmodel_optimizer.config.configuration import MISSING, look_up
from digitalmodel_optimizer.config.user_yaml import Key

BLOCK = ("orcaflex", "parallel")
ENABLED = "enabled"
HOSTS_PARALLEL = ("threads", "num_threads", "use_processes", "chunk_size")
"""What the host's own documents have in a block ``parallel`` at the top of a file."""
_TRUE_WORDS = ("true", "yes", "on")
_FALSE_WORDS = ("false", "no", "off", "")


def is_enabled(cfg: Any) -> bool:
    """Whether this configuration asks for the plugins at all; never raises."""
    return means_true(look_up(cfg, (*BLOCK, ENABLED)))


class Enabling(NamedTuple):
    """``fatal``: plugins were meant to be on, beyond doubt."""

    key: Key
    said: str
    fatal: bool = True


# Where ``enabled`` lands by a wrong indentation; the first two only beside an empty or unfinished
# ``orcaflex.parallel``, since they may mean anything.
_MISINDENTED = (
    (ENABLED,),
    ("orcaflex", ENABLED),
    ("parallel", ENABLED),
    ("orcaflex", "postprocess", "parallel", ENABLED),
    ("orcaflex", "postprocess", ENABLED),
    (*BLOCK, "plugins", ENABLED),
)
_NEED_THE_BLOCK = ((ENABLED,), ("orcaflex", ENABLED), ("orcaflex", "postprocess", ENABLED))
_RIGHT_FORM = "write  orcaflex: {parallel: {enabled: True}}"


def means_true(value: Any) -> bool:
    """Whether a value of ``enabled`` switches the plugins on."""
    if isinstance(value, str):
        return value.strip().lower() in _TRUE_WORDS
    return value is not MISSING and bool(value)


def wrong_enabling(cfg: Any) -> Enabling | None:
    """What in a configuration that is not enabled was meant to enable it; never raises."""
    root = look_up(cfg, BLOCK[:1])
    block = look_up(cfg, BLOCK)
    value = look_up(cfg, (*BLOCK, ENABLED))
    if value is not MISSING:
        return _wrong_value(value)
    if block not in (MISSING, None) and not isinstance(block, Mapping):
        if block is False or str(block).strip().lower() in ("0", *_FALSE_WORDS):
            return None
        threads = f", threads: {block}" if type(block) is int and block > 1 else ""
        said = f"must hold keys (got {block!r}); write  parallel: {{enabled: True{threads}}}"
        return Enabling(BLOCK, said)
    for key in _MISINDENTED:
        if key in _NEED_THE_BLOCK and block is MISSING:
            continue
        if key[0] == BLOCK[1] and block is not MISSING:
            continue
        if means_true(look_up(cfg, key)):
            beside = look_up(cfg, key[:-1])
            others = key[:-1] == BLOCK[1:] and {ENABLED, *HOSTS_PARALLEL}.issuperset(beside)
            return Enabling(key, f"is not read there; {_RIGHT_FORM}", fatal=not others)
    if isinstance(block, Mapping):
        return _misspelled(BLOCK, ENABLED, {name: means_true(block[name]) for name in block})
    if isinstance(root, Mapping):
        meant = {name: means_true(look_up(root, (name, ENABLED))) for name in root}
        return _misspelled(BLOCK[:1], BLOCK[1], meant)
    return None


def _wrong_value(value: Any) -> Enabling | None:
    key = (*BLOCK, ENABLED)
    if value is None:
        return Enabling(key, "is empty; write True or False", fatal=False)
    if isinstance(value, str) and value.strip().lower() not in (*_TRUE_WORDS, *_FALSE_WORDS):
        return Enabling(key, f"must be True or False (got {value!r})")
    return None


def _misspelled(above: Key, wanted: str, meant: Mapping[Any, bool]) -> Enabling | None:
    """A key like ``wanted``, among those that would enable the plugins if they were it."""
    near = near_key(wanted, (name for name, enables in meant.items() if enables))
    return (
        None
        if near is None
        else Enabling((*above, near), f"is an unknown key; did you mean {wanted}?")
    )


def near_key(wanted: str, keys: Iterable[Any]) -> str | None:
    """The one of ``keys`` that is ``wanted`` but for a slip of the hand."""
    by_text = {str(key).lower(): str(key) for key in keys}
    found = difflib.get_close_matches(wanted, list(by_text), n=1, cutoff=0.8)
    return by_text[found[0]] if found else None

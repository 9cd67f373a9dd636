"""A batch that was meant to be enabled and is not, since a key is misspelled: said in one line.

Nobody else says so: the host reads none of these keys, and what is not enabled is not ours.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from digitalmodel_optimizer.config.settings import BLOCK, ENABLED_WORDS
from digitalmodel_optimizer.config.user_yaml import Key, YamlText, read_yaml
from digitalmodel_optimizer.plugin import OptimizerError
from digitalmodel_optimizer.startup.command_line import host_arguments

_KEYS = re.compile(rb"([A-Za-z_]+)[\"']?\s*:")
_CLOSE = 0.8
_ENABLED = "enabled"


def typo_on_command_line() -> str | None:
    """:func:`find_typo` for the file that the host's command names."""
    arguments = host_arguments()
    return find_typo(Path(arguments[0])) if arguments else None


def find_typo(path: Path) -> str | None:
    """What in ``path`` looks like ``orcaflex.parallel.enabled`` and is not, as a sentence."""
    try:
        text = read_yaml(path)
        found = _find(text.content) if _worth_parsing(text) else None
    except OptimizerError:
        return None
    if found is None:
        return None
    key, said = found
    place = text.place_of(key)
    line = f" (line {place.line})" if place else ""
    return f"{path}: {'.'.join(key)}{line} {said}"


def _find(cfg: Mapping[Any, Any]) -> tuple[Key, str] | None:
    root, name = BLOCK
    parent = cfg.get(root)
    if not isinstance(parent, Mapping):
        return None
    if name not in parent:
        near = _near(name, (key for key, value in parent.items() if _would_enable(value)))
        return None if near is None else ((root, near), _unknown(name))
    block = parent[name]
    if not isinstance(block, Mapping):
        return None
    if _ENABLED not in block:
        near = _near(_ENABLED, block)
        return None if near is None else ((*BLOCK, near), _unknown(_ENABLED))
    value = block[_ENABLED]
    if isinstance(value, str) and value.strip().lower() not in ENABLED_WORDS:
        return (*BLOCK, _ENABLED), f"must be True or False (got {value!r})"
    return None


def _worth_parsing(text: YamlText) -> bool:
    """Whether any key is like one of ours; a look at the text, since most files have none."""
    ((_, content),) = text.files
    if BLOCK[0].encode() not in content:
        return False
    keys = {key.decode("ascii") for key in _KEYS.findall(content)}
    return BLOCK[1] in keys or _near(BLOCK[1], keys) is not None


def _near(wanted: str, keys: Iterable[Any]) -> str | None:
    found = difflib.get_close_matches(wanted, [str(key) for key in keys], n=1, cutoff=_CLOSE)
    return found[0] if found else None


def _would_enable(value: Any) -> bool:
    return isinstance(value, Mapping) and bool(value.get(_ENABLED))


def _unknown(wanted: str) -> str:
    return f"is an unknown key; did you mean {wanted}?"

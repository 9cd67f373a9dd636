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
from digitalmodel_optimizer.startup.command_line import host_arguments, parsed_file

_KEYS = re.compile(rb"([A-Za-z_]+)[\"']?\s*:")
_CLOSE = 0.8
_ENABLED = "enabled"


def slip_on_the_command_line() -> str | None:
    """:func:`slip_in` for the file that the host's command names."""
    arguments = host_arguments()
    return slip_in(Path(arguments[0])) if arguments else None


def slip_in(path: Path) -> str | None:
    """What in ``path`` looks like ``orcaflex.parallel.enabled`` and is not, as a sentence."""
    found = _find(path)
    if found is None:
        return None
    from digitalmodel_optimizer.config.yaml_lines import line_of

    key, said = found
    return f"{path}: {'.'.join(key)} (line {line_of(str(path), key)}) {said}"


def _find(path: Path) -> tuple[tuple[str, ...], str] | None:
    root, name = BLOCK
    if not _worth_parsing(path):
        return None
    cfg = parsed_file(path)
    engine = cfg.get(root) if isinstance(cfg, Mapping) else None
    if not isinstance(engine, Mapping):
        return None
    if name not in engine:
        near = _near(name, (key for key, value in engine.items() if _would_enable(value)))
        return None if near is None else ((root, near), _unread(name))
    block = engine[name]
    if not isinstance(block, Mapping):
        return None
    if _ENABLED not in block:
        near = _near(_ENABLED, block)
        return None if near is None else ((*BLOCK, near), _unread(_ENABLED))
    value = block[_ENABLED]
    if isinstance(value, str) and value.strip().lower() not in ENABLED_WORDS:
        return (*BLOCK, _ENABLED), f"takes True or False, not {value!r}"
    return None


def _worth_parsing(path: Path) -> bool:
    """Whether any key is like one of ours; a look at the text, since most files have none."""
    try:
        content = path.read_bytes()
    except OSError:
        return False
    if BLOCK[0].encode() not in content:
        return False
    keys = {key.decode("ascii") for key in _KEYS.findall(content)}
    return BLOCK[1] in keys or _near(BLOCK[1], keys) is not None


def _near(wanted: str, keys: Iterable[Any]) -> str | None:
    found = difflib.get_close_matches(wanted, [str(key) for key in keys], n=1, cutoff=_CLOSE)
    return found[0] if found else None


def _would_enable(value: Any) -> bool:
    return isinstance(value, Mapping) and bool(value.get(_ENABLED))


def _unread(wanted: str) -> str:
    return f"is not read by anyone; did you mean {wanted}?"

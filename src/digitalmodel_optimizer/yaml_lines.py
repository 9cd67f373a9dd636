"""Finding the line of a key in the user's YAML file, for messages only."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def line_of(source: str, path: tuple[str, ...]) -> int | None:
    """The line, from 1, at which the last key of ``path`` that exists stands; None if unknown."""
    from ruamel.yaml import YAML

    try:
        with open(source, encoding="utf-8-sig", newline="") as stream:
            node: Any = YAML(typ="rt", pure=True).compose(stream)
    except Exception:  # the message must come out even if the file has meanwhile gone
        return None
    line = None
    for key in path:
        found = next((pair for pair in getattr(node, "value", ()) if _is_key(pair, key)), None)
        if found is None:
            break
        line = found[0].start_mark.line + 1
        node = found[1]
    return line


def _is_key(pair: Any, key: str) -> bool:
    return isinstance(pair, tuple) and getattr(pair[0], "value", None) == key


def with_lines(faults: Iterable[tuple[tuple[str, ...], str]], source: str | None) -> list[str]:
    """Each fault as one sentence: key path, line where it is known, what is wrong."""
    sentences = []
    for path, fault in faults:
        line = line_of(source, path) if source else None
        where = f" (line {line})" if line else ""
        sentences.append(f"{'.'.join(path)}{where} {fault}")
    return sentences

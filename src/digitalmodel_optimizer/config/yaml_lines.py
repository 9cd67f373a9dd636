"""Where a key stands in a user's YAML file, as the host reads it; for messages only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

Key = tuple[str, ...]
_MERGE = "tag:yaml.org,2002:merge"


def line_of(source: str, path: Key) -> int | None:
    """The line, from 1, at which the last key of ``path`` that exists stands; None if unknown."""
    node, line = _node(source), None
    for key in path:
        pair = _pair(node, key)
        if pair is None:
            break
        line, node = pair[0].start_mark.line + 1, pair[1]
    return line


def holds(source: str, path: Key, value: Any) -> bool:
    """Whether ``source`` has ``value`` at ``path``; of a mapping, whether it has one there."""
    content = _content(source)
    for key in path:
        if not isinstance(content, Mapping):
            return False
        found = [item for item in content if str(item) == key]
        if not found:
            return False
        content = content[found[0]]
    both_mappings = isinstance(value, Mapping) and isinstance(content, Mapping)
    return both_mappings or bool(content == value)


def readable(source: str) -> bool:
    """Whether anything can be said of ``source``: there, and one document of YAML."""
    return _node(source) is not None


def repeated(source: str, path: Key) -> Iterator[tuple[Key, list[int]]]:
    """Keys on the way to ``path``, and below it, that stand more than once, with their lines."""
    node = _node(source)
    way: Key = ()
    for key in path:
        yield from _repeated_in(node, way, only=key)
        pair = _pair(node, key)
        if pair is None:
            return
        node, way = pair[1], (*way, key)
    yield from _repeated_below(node, way)


def _repeated_below(node: Any, way: Key) -> Iterator[tuple[Key, list[int]]]:
    yield from _repeated_in(node, way)
    for key, value in _pairs(node):
        yield from _repeated_below(value, (*way, str(key.value)))


def _repeated_in(node: Any, way: Key, only: str | None = None) -> Iterator[tuple[Key, list[int]]]:
    lines: dict[str, list[int]] = {}
    for key, _ in _pairs(node):
        lines.setdefault(str(key.value), []).append(key.start_mark.line + 1)
    for name, found in lines.items():
        if len(found) > 1 and only in (None, name):
            yield (*way, name), found


def _pairs(node: Any) -> list[Any]:
    """Keys and values of a mapping's node; none of any other."""
    value = getattr(node, "value", None)
    return [pair for pair in value if isinstance(pair, tuple)] if isinstance(value, list) else []


def _pair(node: Any, key: str) -> Any:
    """The last pair with this key, as YAML's reader has it; else one that ``<<`` brings."""
    pairs = _pairs(node)
    found = [pair for pair in pairs if pair[0].value == key]
    if found:
        return found[-1]
    for name, merged in pairs:
        if name.tag == _MERGE:
            nodes = merged.value if merged.id == "sequence" else [merged]
            brought = next((pair for one in nodes if (pair := _pair(one, key))), None)
            if brought is not None:
                return brought
    return None


def _node(source: str) -> Any:
    return _read(source, "compose")


def _content(source: str) -> Any:
    return _read(source, "load")


def _read(source: str, how: str) -> Any:
    """None of a file that has meanwhile gone: the message must come out."""
    try:
        return _read_bytes(Path(source).read_bytes(), how)
    except Exception:
        return None


@lru_cache(maxsize=8)
def _read_bytes(content: bytes, how: str) -> Any:
    import yaml  # the host's own reader, so that both see the same

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return getattr(yaml, how)(content, Loader=loader)

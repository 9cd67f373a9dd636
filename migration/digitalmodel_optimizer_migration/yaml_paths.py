"""Where a path of keys leads in a document, with duplicate keys, merge keys and aliases.

As for PyYAML: of a key that stands twice the last one counts; what a merge key (``<<``) brings in
counts where the mapping itself has no such key. Of several mappings in one merge key PyYAML
takes the first up to 6.0.3 and the last from 6.0.4 on, so what each of them has counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from digitalmodel_optimizer_migration.data import RefusedError
from digitalmodel_optimizer_migration.yaml_nodes import MAPPING, MERGE, SCALAR, SEQUENCE, Node

_MOST_ROUTES = 64
Path = tuple[str, ...]


@dataclass(frozen=True)
class Place:
    """A value at the end of a path; ``counts`` is False if a later duplicate key hides it."""

    key: Node
    value: Node
    counts: bool


@dataclass(frozen=True)
class Route:
    """A way from the root to a node; ``written`` is the one on which no alias stands."""

    path: Path
    written: bool


def places(root: Node | None, path: Path) -> list[Place]:
    """Every value that stands at ``path``: those that count, and hidden duplicates of theirs."""
    found = [Place(root, root, counts=True)] if root is not None else []
    for key in path:
        found = [
            Place(place.key, place.value, place.counts and above.counts)
            for above in found
            if above.value.kind == MAPPING
            for place in _under(above.value, key)
        ]
    return found


def value_at(root: Node | None, path: Path) -> Node | None:
    """The value that counts at ``path``; the first, where PyYAML's version decides."""
    return next((place.value for place in places(root, path) if place.counts), None)


def _under(mapping: Node, name: str) -> Iterator[Place]:
    """The values of ``name``: the mapping's own, else those that a merge brings in."""
    waiting, seen = [mapping], set()
    while waiting:
        node = waiting.pop()
        if id(node) in seen:  # merged twice, or by itself
            continue
        seen.add(id(node))
        pairs = [pair for pair in node.content if _is_named(pair[0], name)]
        if pairs:
            hidden = pairs[:-1] if node is mapping else ()
            yield from (Place(key, value, counts=False) for key, value in hidden)
            key, value = pairs[-1]
            yield Place(key, value, counts=True)
            continue
        merges = _merges(node)
        while len(merges) > 1 and not _brings_in(merges[-1], name):
            merges.pop()  # of several merge keys that bring it in the last one counts
        waiting += [source for value in merges[-1:] for source in reversed(_sources(value))]


def _merges(mapping: Node) -> list[Node]:
    return [value for key, value in mapping.content if _is_merge(key)]


def _brings_in(merged: Node, name: str) -> bool:
    waiting, seen = _sources(merged), set()
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if any(_is_named(key, name) for key, _ in node.content):
            return True
        waiting += [source for value in _merges(node) for source in _sources(value)]
    return False


def _is_named(key: Node, name: str) -> bool:
    return key.kind == SCALAR and key.content == name


def _sources(value: Node) -> list[Node]:
    found = value.content if value.kind == SEQUENCE else [value]
    return [node for node in found if node.kind == MAPPING]


class Routes:
    """Every way on which nodes of one document are reached, over aliases and merge keys."""

    def __init__(self, root: Node) -> None:
        self.root = root
        self._edges = _edges(root)

    def to(self, target: Node) -> list[Route]:
        """The ways to ``target``.

        :raises RefusedError: there are too many.
        """
        ways = _climb(target, self._edges, self.root, (), target, frozenset())
        try:
            found = list(dict.fromkeys(ways))
        except RecursionError:
            found = []
        if not 0 < len(found) <= _MOST_ROUTES:
            raise RefusedError("the value is shared over too many aliases", target.start)
        return found


class _Edge(NamedTuple):
    parent: Node
    label: str  # empty for a merge
    written: bool


def _edges(root: Node) -> dict[int, list[_Edge]]:
    """The edges that lead to each node."""
    edges: dict[int, list[_Edge]] = {}
    seen: set[int] = set()
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if id(node) in seen or node.kind == SCALAR:
            continue
        seen.add(id(node))
        for child, label, written in _children(node):
            edges.setdefault(id(child), []).append(_Edge(node, label, written))
            waiting.append(child)
    return edges


def _children(node: Node) -> Iterator[tuple[Node, str, bool]]:
    """Each child with its label, and whether it is written there and not an alias."""
    if node.kind == SEQUENCE:
        for number, child in enumerate(node.content):
            yield child, f"[{number}]", number not in node.aliased
        return
    for number, (key, child) in enumerate(node.content):
        written = number not in node.aliased
        if _is_merge(key):
            among = child.kind == SEQUENCE
            for place, source in enumerate(_sources(child)):
                yield source, "", written and not (among and place in child.aliased)
        else:
            yield child, key.content if key.kind == SCALAR else "?", written


def _is_merge(key: Node) -> bool:
    return key.kind == SCALAR and key.content == "<<" and key.meaning == MERGE


def _climb(
    node: Node,
    edges: dict[int, list[_Edge]],
    root: Node,
    below: Path,
    target: Node,
    on_the_way: frozenset[int],
) -> Iterator[Route]:
    """Routes to ``target`` whose end is ``below``, which begins under ``node``."""
    if node is root:
        yield Route(below, written=True)
    if id(node) in on_the_way:
        yield Route(("...", *below), written=False)  # an alias leads in a circle
        return
    count = 0
    for edge in edges.get(id(node), ()):
        step = (edge.label, *below) if edge.label else below
        if not edge.label and not _is_merged(edge.parent, below, target):
            continue
        for route in _climb(edge.parent, edges, root, step, target, on_the_way | {id(node)}):
            yield Route(route.path, route.written and edge.written)
            count += 1
            if count > _MOST_ROUTES:
                return


def _is_merged(mapping: Node, below: Path, target: Node) -> bool:
    """Whether ``below`` leads from ``mapping``, which merges another one, to ``target``."""
    return any(place.counts and place.value is target for place in places(mapping, below))

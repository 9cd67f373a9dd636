"""Two checks before a change counts: another reader finds the place, the result reads right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import yaml

from digitalmodel_optimizer_migration.data import RefusedError
from digitalmodel_optimizer_migration.yaml_nodes import (
    SCALAR,
    Document,
    Node,
    Reading,
    read_with_pyyaml,
    read_with_ruamel,
)
from digitalmodel_optimizer_migration.yaml_paths import Path, places

# ruamel.yaml reads about 100 kB a second. It is given the one top-level entry of the setting, and
# the whole text where that cannot stand alone; larger ones rest on PyYAML's parser alone.
LARGEST_SECOND_READING = 200_000


def confirm(
    text: str, document: Document, path: Path, nodes: Sequence[Node], keep: frozenset[str]
) -> None:
    """Let ruamel.yaml find the values at ``path`` too, or where it cannot, PyYAML's own parser.

    Neither reads all that PyYAML's C parser reads (a tab before a comment); where both refuse the
    text, that one stands alone.

    :raises RefusedError: another reader finds a value elsewhere.
    """
    from ruamel.yaml.error import YAMLError

    for start, end in _parts(text, document, path):
        if end - start > LARGEST_SECOND_READING:
            continue
        try:
            reading = read_with_ruamel(text[start:end], keep)
        except (YAMLError, yaml.YAMLError, ValueError, AttributeError, AssertionError):
            continue
        if not _lost(reading, path, nodes, start):
            return
        break
    if len(text) > LARGEST_SECOND_READING:
        return
    try:
        reading = read_with_pyyaml(text, keep)
    except (yaml.YAMLError, ValueError):
        return
    if lost := _lost(reading, path, nodes, 0):
        raise RefusedError("two readers of YAML disagree on where this value stands", lost[0].start)


def _parts(text: str, document: Document, path: Path) -> list[tuple[int, int]]:
    """The top-level entry that ``path`` begins with, if it is a block of its own; the document."""
    parts = [(0, len(text))]
    root = document.root
    if root is None or root.style or document.shares:
        return parts
    starts = [key.start for key, _ in root.content]
    for number, (key, _) in enumerate(root.content):
        if key.content == path[0] and _begins_a_line(text, key.start):
            end = starts[number + 1] if number + 1 < len(starts) else document.end
            parts.insert(0, (key.start, max(end, key.end)))
    return parts


def _begins_a_line(text: str, index: int) -> bool:
    return index == 0 or text[index - 1] in "\r\n"


def _lost(reading: Reading, path: Path, nodes: Sequence[Node], shift: int) -> list[Node]:
    """Those of ``nodes`` that do not stand at ``path`` in another reading."""
    found = {
        (place.value.end + shift, place.value.content)
        for document in reading.documents
        for place in places(document.root, path)
        if place.value.kind == SCALAR
    }
    return [node for node in nodes if (node.end, node.content) not in found]


def compare(
    before: Reading,
    after: Reading,
    replaced: Sequence[int],
    inserted: Mapping[int, int],
) -> None:
    """Hold that ``after`` differs from ``before`` in the intended events and in nothing else.

    :param replaced: numbers of the events whose value was rewritten.
    :param inserted: how many events were put in before the event of that number.
    :raises RefusedError: there is another difference.
    """
    old, new = before.hashes, after.hashes
    expected = set(replaced)
    at = 0
    for number, value in enumerate(old):
        at += inserted.get(number, 0)
        if at >= len(new) or (new[at] == value) is (number in expected):
            raise RefusedError("the rewritten text would read otherwise than intended")
        at += 1
    if at != len(new):
        raise RefusedError("the rewritten text would read otherwise than intended")

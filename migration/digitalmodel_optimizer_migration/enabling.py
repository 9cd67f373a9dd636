"""The block that enables the optimizer plugins, in the style of the file that gets it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from digitalmodel_optimizer_migration.data import RefusedError
from digitalmodel_optimizer_migration.yaml_nodes import MAPPING, SCALAR, Document, Node
from digitalmodel_optimizer_migration.yaml_paths import Place, Routes, places, value_at

POST_PROCESS = "orcaflex_post_process"
_PATH = ("orcaflex", "parallel", "enabled")
_LINE_END = re.compile(r"\r\n|\n|\r")
_INDENTED = re.compile(r"(?:^|[\r\n])[^\s#-][^\r\n]*:[ \t]*(?:\r\n|\n|\r)( +)[^\s#-]")
_NULL = "tag:yaml.org,2002:null"
_OFF_WORDS = ("false", "no", "off", "0")


@dataclass(frozen=True)
class Insertion:
    """``text`` goes in at character ``index``, before the event ``before``, as ``events`` events.

    Without a text there is nothing to insert, and ``reason`` says why. ``keys`` are the characters
    at which the keys that it belongs to stand.
    """

    index: int
    text: str
    before: int
    events: int
    reason: str
    keys: tuple[int, ...] = ()


def enabling(
    text: str, documents: Sequence[Document], basenames: Sequence[str]
) -> Insertion | None:
    """What to insert so that ``orcaflex.parallel.enabled`` is True; None if it need not be.

    :param documents: of one configuration; the host lays them over each other.
    :raises RefusedError: there is no safe place for it.
    """
    roots = [each.root for each in documents if each.root is not None]
    if not roots or roots[0].kind != MAPPING or not _is_post_process(documents, basenames):
        return None
    for document in reversed(documents):
        if found := _counting(document, _PATH):
            return _present(found)
    for depth in (2, 1):
        for document in documents:
            if above := _counting(document, _PATH[:depth]):
                _hold_writable(above, document, _PATH[:depth])
                keys = [_counting(document, _PATH[:part]) for part in range(1, depth + 1)]
                into = _inside(text, above.value, _PATH[depth:])
                return replace(into, keys=tuple(key.key.start for key in keys if key))
    return _inside(text, roots[0], _PATH)


def _is_post_process(documents: Sequence[Document], basenames: Sequence[str]) -> bool:
    return POST_PROCESS in basenames or any(
        value_at(document.root, ("orcaflex", "postprocess")) is not None for document in documents
    )


def _counting(document: Document, path: tuple[str, ...]) -> Place | None:
    return next((place for place in places(document.root, path) if place.counts), None)


def _present(place: Place) -> Insertion | None:
    value = place.value
    if value.kind == SCALAR and value.meaning == _NULL:
        reason = "is there without a value, so the plugins stay off; write True"
    elif value.kind == SCALAR and str(value.content).lower() in _OFF_WORDS:
        reason = "says that the plugins stay off; somebody chose it, so it stays"
    else:
        return None
    return Insertion(value.start, "", 0, 0, reason, (place.key.start,))


def _hold_writable(place: Place, document: Document, path: tuple[str, ...]) -> None:
    name = ".".join(path)
    if place.value.kind != MAPPING:
        raise RefusedError(f"{name} holds no block to put enabled: True into", place.key.start)
    if document.shares and not place.key.start < place.value.start:
        raise RefusedError(f"{name} is an alias; write enabled: True by hand", place.key.start)
    if document.shares and place.value.anchor is not None:
        raise RefusedError(
            f"{name} may be shared by an alias; write enabled: True by hand", place.key.start
        )
    root = document.root
    if root is not None and document.shares and len(Routes(root).to(place.value)) > 1:
        raise RefusedError(
            f"{name} is shared by a merge key; write enabled: True by hand", place.key.start
        )


def _inside(text: str, mapping: Node, path: tuple[str, ...]) -> Insertion:
    """Insert ``path: True`` as the first entry of ``mapping``, or after the identity at the top."""
    reason = f"adds {'.'.join(_PATH)}: True"
    events = 2 * len(path) + len(path) - 1  # a key each, one value, start and end of each mapping
    if mapping.style:
        start = text.index("{", mapping.start) + 1
        as_json = bool(mapping.content) and mapping.content[0][0].style == '"'
        flow = "true" if as_json else "True"
        for name in reversed(path):
            flow = f'"{name}": {flow}' if as_json else f"{name}: {flow}"
            flow = f"{{{flow}}}" if name is not path[0] else flow
        more = ("," if text[start].isspace() else ", ") if mapping.content else ""
        return Insertion(start, flow + more, mapping.number + 1, events, reason)
    top = len(path) == len(_PATH)
    key = _successor(mapping) if top else mapping.content[0][0]
    margin = _margin(text, key)
    line = key.start - len(margin)
    if line and text[line - 1] not in "\r\n":
        raise RefusedError(
            "there is no line of its own to put the enabling block on; write it by hand", key.start
        )
    if not (top and key is mapping.content[0][0]):  # what stands above the first key is the head
        line = _above_comments(text, line, margin)
    block = _block(path, margin, _step(text, mapping), _line_end(text))
    return Insertion(line, block, key.number, events, reason)


def _successor(root: Node) -> Node:
    """The top-level key before which to insert: the first after those that say whose file it is."""
    keys: list[Node] = [key for key, _ in root.content]
    after = (key for key in keys if key.content not in ("meta", "basename", "library"))
    return next(after, keys[0])


def _margin(text: str, key: Node) -> str:
    start = max(text.rfind("\n", 0, key.start), text.rfind("\r", 0, key.start)) + 1
    margin = text[start : key.start]
    return margin if not margin.strip(" ") else ""


def _above_comments(text: str, index: int, margin: str) -> int:
    """The start of the comment lines that stand right above ``index``: they belong to the key."""
    line = _previous_line(text, index)
    while line is not None and text[line:index].startswith(f"{margin}#"):
        index = line
        line = _previous_line(text, index)
    return index


def _previous_line(text: str, index: int) -> int | None:
    if index == 0:
        return None
    end = index - 2 if text[index - 2 : index] == "\r\n" else index - 1
    return max(text.rfind("\n", 0, end), text.rfind("\r", 0, end)) + 1


def _line_end(text: str) -> str:
    found = _LINE_END.search(text)
    return found.group() if found else "\n"


def _step(text: str, mapping: Node) -> str:
    """One level of indentation, as this file has it."""
    waiting = [mapping]
    while waiting:
        node = waiting.pop(0)
        for key, value in node.content if node.kind == MAPPING else ():
            if value.kind == MAPPING and not value.style and value.content:
                width = len(_margin(text, value.content[0][0])) - len(_margin(text, key))
                if width > 0:
                    return " " * width
                waiting.append(value)
    found = _INDENTED.search(text)
    return found.group(1) if found else "  "


def _block(path: tuple[str, ...], margin: str, step: str, line_end: str) -> str:
    lines = [f"{margin}{step * depth}{name}:" for depth, name in enumerate(path)]
    lines[-1] += " True"
    return "".join(f"{line}{line_end}" for line in lines)

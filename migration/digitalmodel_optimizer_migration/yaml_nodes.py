"""A YAML text as nodes with exact character positions, read as the host's reader reads it.

The host reads with PyYAML's safe loader. Its C parser gives the same events, with the same marks
counted in characters, some twenty times sooner; where it refuses a text, PyYAML's own
parser has the last word. Nodes are built from events, not composed, for three reasons: duplicate
keys stay visible, subtrees that no rule can reach need not be kept, and two readings can be
compared event by event.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import yaml
from yaml.resolver import Resolver

from digitalmodel_optimizer_migration.data import RefusedError

SCALAR, SEQUENCE, MAPPING = "scalar", "sequence", "mapping"
MERGE = "tag:yaml.org,2002:merge"
_KNOWN_TAGS = frozenset(
    f"tag:yaml.org,2002:{name}"
    for name in (
        "binary",
        "bool",
        "float",
        "int",
        "map",
        "merge",
        "null",
        "omap",
        "pairs",
        "seq",
        "set",
        "str",
        "timestamp",
        "value",
    )
)
_KINDS = {
    "ScalarEvent": SCALAR,
    "SequenceStartEvent": SEQUENCE,
    "MappingStartEvent": MAPPING,
}
_NO_KEYS, _EXPECTS_KEY, _EXPECTS_VALUE = 0, 1, 2
_NONE: frozenset[int] = frozenset()  # most nodes hold no alias, and a file holds many nodes
_DEEPEST = 500  # PyYAML's composer calls itself twice a level, and Python ends that at 1000
# PyYAML's compiled parser where its wheel has it, else PyYAML's own.
_FAST: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_resolver: Any = Resolver()


class Node:
    """A scalar with its value, or a collection with its nodes; an alias is the node itself.

    ``start`` and ``end`` are characters of the text, properties (anchor, tag) included;
    ``number`` is the event's place in the reading. ``content`` of a mapping is a list of
    pairs, of a sequence a list, of a scalar its text; ``aliased`` are the places in that list
    which an alias fills. ``style`` of a plain scalar is empty.
    """

    __slots__ = (
        "_implicit",
        "aliased",
        "anchor",
        "content",
        "end",
        "kind",
        "number",
        "start",
        "style",
        "tag",
    )

    def __init__(self, kind: str, event: Any, number: int) -> None:
        self.kind = kind
        self.anchor = event.anchor
        self.start: int = event.start_mark.index
        self.end: int = event.end_mark.index
        self.number = number
        self.tag = event.tag
        self.style: Any = (event.style or "") if kind == SCALAR else event.flow_style
        self.content: Any = event.value if kind == SCALAR else []
        self.aliased: Any = _NONE
        self._implicit = event.implicit

    @property
    def meaning(self) -> str:
        """The tag that PyYAML resolves the node to."""
        if self.tag is not None and self.tag != "!":
            return str(self.tag)
        if self.kind != SCALAR:
            return f"tag:yaml.org,2002:{'seq' if self.kind == SEQUENCE else 'map'}"
        implicit = self._implicit
        if not isinstance(implicit, tuple):  # ruamel.yaml has one flag for both
            implicit = (implicit, not implicit)
        return str(_resolver.resolve(yaml.ScalarNode, self.content, implicit))


@dataclass
class Document:
    """``unreadable`` is the first place at which the host's reader could not make values of it."""

    root: Node | None = None
    start: int = 0
    end: int = 0
    shares: bool = False
    unreadable: tuple[int, str] | None = None


@dataclass
class Reading:
    """All documents of a text, and one hash for each event, to compare readings with."""

    documents: list[Document] = field(default_factory=list)
    hashes: array[int] = field(default_factory=lambda: array("q"))


def read(text: str, keep: frozenset[str]) -> Reading:
    """Read ``text``; below other top-level keys than ``keep``, only what aliases need is kept.

    :raises RefusedError: PyYAML cannot read the text.
    """
    loaders = [_FAST] if _FAST is yaml.SafeLoader else [_FAST, yaml.SafeLoader]
    for loader in loaders:
        try:
            return _Builder(text, keep).build(yaml.parse(text, Loader=loader))
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            last = error
    raise RefusedError(f"not YAML that PyYAML can read: {_said(last)}", _index(last))


def read_with_pyyaml(text: str, keep: frozenset[str]) -> Reading:
    """Read ``text`` with PyYAML's own parser, which is the host's."""
    return _Builder(text, keep).build(yaml.parse(text, Loader=yaml.SafeLoader))


def read_with_ruamel(text: str, keep: frozenset[str]) -> Reading:
    """Read ``text`` with ruamel.yaml, as YAML 1.2.

    :raises ruamel.yaml.error.YAMLError: ruamel.yaml cannot read it.
    """
    from ruamel.yaml import YAML

    return _Builder(text, keep).build(YAML(typ="safe", pure=True).parse(text))


def _said(error: Exception) -> str:
    if isinstance(error, yaml.MarkedYAMLError):
        return str(error.problem or error.context)
    if isinstance(error, RecursionError):
        return "nested too deeply"
    return " ".join(str(error).split())


def _index(error: Exception) -> int | None:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    if mark is not None:
        return int(mark.index)
    position = getattr(error, "position", None)
    return int(position) if isinstance(position, int) else None


class _Builder:
    def __init__(self, text: str, keep: frozenset[str]) -> None:
        self.text = text
        self.keep = keep
        self.forgets = "*" not in text  # without aliases, unreachable entries need no nodes
        self.reading = Reading()
        self.document = Document()
        self.anchors: dict[str, Node] = {}
        self.open: list[Node] = []
        self.keys: list[Node | None] = []  # of each open collection: the key without a value yet
        self.passing: list[int] = []  # collections of an entry that is passed over
        self.passed: Any = None

    def build(self, events: Iterable[Any]) -> Reading:
        add = self.reading.hashes.append
        for number, event in enumerate(events):
            name = type(event).__name__
            if name == "ScalarEvent":
                style = event.style or ""
                add(hash((event.value, event.anchor, event.tag, event.implicit, style)))
            else:
                add(_hash(name, event))
            if self.passing:
                self._pass(name, event)
            elif name in _KINDS:
                self._begin(_KINDS[name], event, number)
            elif name == "AliasEvent":
                self._alias(event)
            elif name in ("SequenceEndEvent", "MappingEndEvent"):
                node = self.open.pop()
                self.keys.pop()
                node.end = event.end_mark.index
            elif name == "DocumentStartEvent":
                self.document = Document(start=event.end_mark.index)
                self.anchors = {}
                self.reading.documents.append(self.document)
            elif name == "DocumentEndEvent":
                self.document.end = event.start_mark.index
        return self.reading

    def _begin(self, kind: str, event: Any, number: int) -> None:
        node = Node(kind, event, number)
        if node.anchor is not None:
            self.anchors[str(node.anchor)] = node
        self._check_tag(event)
        passed = kind != SCALAR and self.forgets and self._is_out_of_reach()
        self._place(node)
        if passed:
            self.passing.append(_EXPECTS_KEY if kind == MAPPING else _NO_KEYS)
            self.passed = node
        elif kind != SCALAR:
            self.open.append(node)
            self.keys.append(None)
            self._hold_depth(event)

    def _is_out_of_reach(self) -> bool:
        """Whether what comes now is the value of a top-level key that no rule looks at."""
        if len(self.open) != 1:
            return False
        key = self.keys[0]
        if self.open[0].kind == SEQUENCE:
            return True
        return key is not None and not (key.kind == SCALAR and key.content in self.keep)

    def _pass(self, name: str, event: Any) -> None:
        """Go on within an entry that is passed over: only what makes it unreadable counts."""
        inside = self.passing
        if name in ("SequenceEndEvent", "MappingEndEvent"):
            inside.pop()
            if not inside:
                self.passed.end = event.end_mark.index
                return
        else:
            self._check_tag(event)
            if name != "ScalarEvent":
                if inside[-1] == _EXPECTS_KEY:
                    self._collection_as_key(event.start_mark.index)
                inside.append(_EXPECTS_KEY if name == "MappingStartEvent" else _NO_KEYS)
                self._hold_depth(event)
                return
        if inside[-1] != _NO_KEYS:
            inside[-1] = _EXPECTS_VALUE if inside[-1] == _EXPECTS_KEY else _EXPECTS_KEY

    def _hold_depth(self, event: Any) -> None:
        if len(self.open) + len(self.passing) > _DEEPEST:
            reason = "nested too deeply for PyYAML to read"
            raise RefusedError(reason, event.start_mark.index)

    def _alias(self, event: Any) -> None:
        node = self.anchors.get(str(event.anchor))
        if node is None:
            raise yaml.composer.ComposerError(
                None, None, f"found undefined alias {event.anchor}", event.start_mark
            )
        self.document.shares = True
        is_key = bool(self.open) and self.open[-1].kind == MAPPING and self.keys[-1] is None
        self._place(node)
        if self.open and not is_key:
            parent = self.open[-1]
            parent.aliased = parent.aliased or set()
            parent.aliased.add(len(parent.content) - 1)

    def _place(self, node: Node) -> None:
        """Put a node where the events stand: root, item, key or value."""
        if not self.open:
            self.document.root = node
        elif (parent := self.open[-1]).kind == SEQUENCE:
            parent.content.append(node)
        elif self.keys[-1] is None:
            self.keys[-1] = node
            if node.kind != SCALAR:
                self._collection_as_key(node.start)
        else:
            parent.content.append((self.keys[-1], node))
            self.keys[-1] = None

    def _collection_as_key(self, index: int) -> None:
        if self.text.startswith("{{", index - 1):
            self._cannot_read(index - 1, "a template, {{ ... }}, has to be rendered first")
        else:
            self._cannot_read(index, "a collection stands as a key")

    def _check_tag(self, event: Any) -> None:
        tag = event.tag
        if tag is not None and tag != "!" and tag not in _KNOWN_TAGS:
            self._cannot_read(
                event.start_mark.index, f"the tag {tag} is not known to PyYAML's safe loader"
            )

    def _cannot_read(self, index: int, why: str) -> None:
        if self.document.unreadable is None:
            self.document.unreadable = (index, why)


def _hash(name: str, event: Any) -> int:
    """What an event says, without where it says it; equal events of one process hash equally."""
    return hash(
        (
            name,
            getattr(event, "anchor", None),
            getattr(event, "tag", None),
            getattr(event, "implicit", None),
            getattr(event, "flow_style", None),
            getattr(event, "version", None),
        )
    )

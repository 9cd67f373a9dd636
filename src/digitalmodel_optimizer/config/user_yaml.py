"""A user's YAML file, read as the host reads it, with the line of each key."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from digitalmodel_optimizer.plugin import OptimizerError

Key = tuple[Any, ...]
"""The way to a value: a key, and those inside its value."""
_MERGE = "tag:yaml.org,2002:merge"


class Place(NamedTuple):
    """``line`` counts from 1."""

    file: Path
    line: int


class Repeated(NamedTuple):
    """A key that stands more than once; YAML takes the last. ``differs``: their values do."""

    key: Key
    places: tuple[Place, ...]
    differs: bool


@dataclass(frozen=True)
class YamlText:
    """One document of YAML; the host may have joined the texts of several files to make it."""

    files: tuple[tuple[Path, bytes], ...]

    @property
    def content(self) -> dict[Any, Any]:
        """The document's mapping; shared with other readers, so never to be changed.

        :raises OptimizerError: it cannot be read; the text says where.
        """
        import yaml

        try:
            content = self._parsed("load")
        except yaml.MarkedYAMLError as error:
            raise OptimizerError(self._complaint(error)) from error
        except Exception as error:  # an impossible date, for one, is a ValueError
            said = " ".join(str(error).split())
            raise OptimizerError(f"{self.files[0][0]} is not YAML: {said}") from error
        if not isinstance(content, dict):
            raise OptimizerError(f"{self.files[0][0]} is not a settings file: it has no keys")
        return content

    def place_of(self, key: Key) -> Place | None:
        """Where ``key`` stands; None if it does not. Of repeated keys, the last one counts."""
        pair, node = None, self._parsed("compose")
        for name in key:
            pair = _pair(node, str(name))
            if pair is None:
                return None
            node = pair[1]
        return None if pair is None else self._place(pair[0].start_mark)

    def repeated(self, key: Key) -> Iterator[Repeated]:
        """Keys on the way to ``key``, and below it, that stand more than once."""
        node = self._parsed("compose")
        for depth, name in enumerate(key):
            yield from self._repeated_in(node, key[:depth], only=name)
            pair = _pair(node, name)
            if pair is None:
                return
            node = pair[1]
        yield from self._repeated_below(node, key)

    def all_values(self, key: Key) -> Iterator[tuple[Any, Place]]:
        """Every value that stands at ``key``, those that a repeated key hides among them."""
        pairs = [(None, self._parsed("compose"))]
        for name in key:
            pairs = [pair for _, node in pairs for pair in _pairs(node) if pair[0].value == name]
        for found, node in pairs:
            if found is not None:
                yield _constructed(node), self._place(found.start_mark)

    def _repeated_below(self, node: Any, way: Key) -> Iterator[Repeated]:
        yield from self._repeated_in(node, way)
        for name, value in _pairs(node):
            yield from self._repeated_below(value, (*way, name.value))

    def _repeated_in(self, node: Any, way: Key, only: str | None = None) -> Iterator[Repeated]:
        found: dict[str, list[Any]] = {}
        for pair in _pairs(node):
            if pair[0].tag != _MERGE:  # of which all count
                found.setdefault(str(pair[0].value), []).append(pair)
        for name, pairs in found.items():
            if len(pairs) > 1 and only in (None, name):
                places = tuple(self._place(key.start_mark) for key, _ in pairs)
                differs = len({_plain(value) for _, value in pairs}) > 1
                yield Repeated((*way, name), places, differs)

    def _parsed(self, how: str) -> Any:
        return _parse(b"\n".join(content for _, content in self.files), how)

    def _place(self, mark: Any) -> Place:
        line = mark.line + 1
        for file, content in self.files[:-1]:
            lines = content.count(b"\n") + 1
            if line <= lines:
                return Place(file, line)
            line -= lines
        return Place(self.files[-1][0], line)

    def _complaint(self, error: Any) -> str:
        """What is wrong and where, in one sentence of the reader's own words."""
        mark = error.problem_mark or error.context_mark
        said = error.problem or " ".join(str(error).split())
        if mark is None:
            return f"{self.files[0][0]} is not YAML: {said}"
        place = self._place(mark)
        if said == "but found another document":
            return (
                f"{place.file} has a second document on line {place.line}; the host reads files "
                "with one only"
            )
        if self._is_tab(place, mark.column):
            said = "a tab; YAML takes spaces only"
        return f"{place.file} is not YAML: line {place.line}, column {mark.column + 1}: {said}"

    def _is_tab(self, place: Place, column: int) -> bool:
        lines = dict(self.files)[place.file].decode().splitlines()[place.line - 1 : place.line]
        return any(line[column : column + 1] == "\t" for line in lines)


def read_yaml(*paths: Path) -> YamlText:
    """The texts of ``paths``, joined as the host joins them.

    :raises OptimizerError: one of them cannot be read.
    """
    files = []
    for path in paths:
        try:
            content = path.read_bytes()
            content.decode("utf-8")
        except OSError as error:
            raise OptimizerError(f"{path} cannot be read: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise OptimizerError(f"{path} is not UTF-8, as the host reads it: {error}") from error
        files.append((path, content))
    return YamlText(tuple(files))


@lru_cache(maxsize=8)
def _parse(content: bytes, how: str) -> Any:
    import yaml  # the host's own reader, so that both see the same

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return getattr(yaml, how)(content, Loader=loader)


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


def _plain(node: Any, above: tuple[int, ...] = ()) -> Any:
    """What a node says, to be compared."""
    if id(node) in above:  # it holds itself
        return None
    value, inside = node.value, (*above, id(node))
    if isinstance(value, list):
        value = tuple(
            tuple(_plain(part, inside) for part in (item if isinstance(item, tuple) else (item,)))
            for item in value
        )
    return node.tag, value


def _constructed(node: Any) -> Any:
    import yaml

    return yaml.SafeLoader("").construct_document(node)

"""What is to be done to one Python file: LibCST finds the place, Python's own parser checks."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import Any

from digitalmodel_optimizer_migration.data import (
    CHANGE,
    NOTE,
    PYTHON,
    REFUSED,
    Choice,
    Edit,
    Finding,
)
from digitalmodel_optimizer_migration.decoding import Text, decode_leniently
from digitalmodel_optimizer_migration.ignores import Ignores
from digitalmodel_optimizer_migration.rule import Rule
from digitalmodel_optimizer_migration.rules import BY_NAME, RULES
from digitalmodel_optimizer_migration.splice import splice

HOSTS = ("digitalmodel", "OrcFxAPI")
_NAMES = "|".join(rule.path[0] for rule in RULES if rule.kind == PYTHON)
_ASSIGNED = re.compile(rf"\b(?:{_NAMES})\s*(?::[^=\n]*)?=\s*[0-9(]".encode())
_IMPORTED = re.compile(
    rf"^[ \t]*(?:from|import)\b.*\b(?:{'|'.join(HOSTS)})\b".encode(), re.MULTILINE
)
_BOM = b"\xef\xbb\xbf"


def is_candidate(raw: bytes) -> bool:
    """A cheap look: whether there is anything to parse for."""
    return _ASSIGNED.search(raw) is not None and _IMPORTED.search(raw) is not None


def plan_python(raw: bytes, choice: Choice) -> tuple[list[Finding], list[Edit]]:
    """Findings and edits of a Python file that holds ``raw``; no edits if anything is refused."""
    rules = {rule.path[0]: rule for name in choice.rules if (rule := BY_NAME[name]).kind == PYTHON}
    if not rules:
        return [], []
    source = decode_leniently(raw)
    try:
        tree = ast.parse(raw)
        hits = list(_numbers(raw, rules))
    except Exception as error:  # a syntax error, of either parser, or bytes that are no text
        return _unreadable(error, source), []
    if not _imports_a_host(tree):
        return [], []
    ignores = Ignores(source.text, noqa=True)
    findings, edits = [], []
    for name, value, start, end in sorted(hits, key=lambda hit: hit[2]):
        rule = rules[name]
        line, column = _place(raw, start)
        if (rule.name, line) in ignores:
            continue
        finding, edit = _decide(rule, value, raw, start, end, choice)
        if finding is not None:
            findings.append(Finding(rule.name, finding[0], rule.key, line, column, *finding[1:]))
        edits += [edit] if edit else []
    if edits and not _only_intended(tree, splice(raw, edits), edits):
        line = findings[0].line
        reason = "the rewritten file would read otherwise than intended"
        return [*findings, Finding("all rules", REFUSED, "", line, 1, reason)], []
    return findings, edits


def _decide(
    rule: Rule, value: int, raw: bytes, start: int, end: int, choice: Choice
) -> tuple[tuple[str, ...] | None, Edit | None]:
    new = dict(choice.values).get(rule.name, rule.new)
    if str(value) == new:
        return None, None
    if value not in {*rule.old, *choice.also}:
        stays = f"{value} is not the old default: somebody chose it, so it stays"
        return (NOTE, stays), None
    old = raw[start:end]
    word = old.decode()
    return (CHANGE, f"{word} becomes {new}", word, new), Edit(start, end, old, new.encode())


def _numbers(raw: bytes, rules: dict[str, Rule]) -> Iterator[tuple[str, int, int, int]]:
    """Name, number and bytes of each whole number that a name of ``rules`` is given."""
    import libcst
    from libcst.metadata import ByteSpanPositionProvider, MetadataWrapper

    wrapper = MetadataWrapper(libcst.parse_module(raw), unsafe_skip_copy=True)
    spans: Any = wrapper.resolve(ByteSpanPositionProvider)
    shift = len(_BOM) if raw.startswith(_BOM) else 0
    waiting: list[Any] = [wrapper.module]
    while waiting:
        node = waiting.pop()
        waiting.extend(node.children)
        for name, value in _pairs(node):
            if name in rules and isinstance(value, libcst.Integer):
                start = spans[value].start + shift
                end = start + len(value.value)
                if raw[start:end] != value.value.encode():
                    raise ValueError("its numbers cannot be found again in its bytes")
                yield name, value.evaluated_value, start, end


def _pairs(node: Any) -> Iterator[tuple[str, Any]]:
    """Keyword arguments, parameter defaults, plain and annotated assignments."""
    import libcst

    if isinstance(node, libcst.Arg) and node.keyword is not None:
        yield node.keyword.value, node.value
    elif isinstance(node, libcst.Param) and node.default is not None:
        yield node.name.value, node.default
    elif isinstance(node, libcst.Assign):
        for target in node.targets:
            yield _name(target.target), node.value
    elif isinstance(node, libcst.AnnAssign) and node.value is not None:
        yield _name(node.target), node.value


def _name(target: Any) -> str:
    """``x`` of ``x = ...`` and of ``self.x = ...``."""
    import libcst

    if isinstance(target, libcst.Name):
        return target.value
    if (
        isinstance(target, libcst.Attribute)
        and isinstance(target.value, libcst.Name)
        and target.value.value in ("self", "cls")
    ):
        return target.attr.value
    return ""


def _imports_a_host(tree: ast.AST) -> bool:
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names = [node.module or ""]
        if any(name.split(".")[0] in HOSTS for name in names):
            return True
    return False


def _only_intended(before: ast.AST, rewritten: bytes, edits: Sequence[Edit]) -> bool:
    """Whether the rewritten file differs in as many numbers as there are edits, and in no more."""
    try:
        after = ast.parse(rewritten)
    except (SyntaxError, ValueError):
        return False
    differences = []
    for old, new in zip_longest(ast.walk(before), ast.walk(after)):
        if type(old) is not type(new):
            return False
        if (
            isinstance(old, ast.Constant)
            and isinstance(new, ast.Constant)
            and old.value != new.value
        ):
            differences.append((old.value, new.value))
    numbers = [(int(edit.old.decode(), 0), int(edit.new)) for edit in edits]
    same = ast.dump(_without_numbers(before)) == ast.dump(_without_numbers(after))
    return same and sorted(map(str, differences)) == sorted(map(str, numbers))


def _without_numbers(tree: ast.AST) -> ast.AST:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and type(node.value) is int:
            node.value = 0
    return tree


def _place(raw: bytes, index: int) -> tuple[int, int]:
    before = Text(raw[:index].decode("utf-8", "replace").removeprefix("\ufeff"), "utf-8", b"")
    return before.place(len(before.text))


def _unreadable(error: Exception, source: Text) -> list[Finding]:
    line = getattr(error, "lineno", None) or getattr(error, "raw_line", None) or 1
    column = getattr(error, "offset", None) or getattr(error, "raw_column", None) or 1
    said = getattr(error, "msg", None) or getattr(error, "message", None) or str(error)
    reason = f"not Python that can be read: {' '.join(str(said).split())}"
    last = source.text.count("\n") + 1
    return [Finding("all rules", REFUSED, "", min(int(line), last), int(column), reason)]

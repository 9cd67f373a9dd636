"""What is to be done to one Python file: LibCST finds the place, Python's own parser checks."""

from __future__ import annotations

import ast
import io
import re
import sys
import tokenize
import warnings
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
# As a name, or as an option of a command line.
_NAMES = "|".join(rule.path[0].replace("_", "[_-]") for rule in RULES if rule.kind == PYTHON)
_NAMED = re.compile(rf"\b(?:{_NAMES})\b".encode())
_IMPORTED = re.compile(rf"\b(?:from|import)\b(?:\\\r?\n|[^\n])*?\b(?:{'|'.join(HOSTS)})\b".encode())
_BOM = b"\xef\xbb\xbf"
# What LibCST's parser, which is written in Rust, raises where it meets what it has not foreseen:
# an exception that is none of Exception's.
_PANIC = "PanicException"
# Calls that take a default for a name that is given as a text.
_ASKED = frozenset({"get", "pop", "setdefault", "getattr", "getint"})


def is_candidate(raw: bytes) -> bool:
    """A cheap look: whether there is anything to parse for."""
    return _NAMED.search(raw) is not None and _IMPORTED.search(raw) is not None


def plan_python(raw: bytes, choice: Choice) -> tuple[list[Finding], list[Edit]]:
    """Findings and edits of a Python file that holds ``raw``; no edits if anything is refused."""
    rules = {rule.path[0]: rule for name in choice.rules if (rule := BY_NAME[name]).kind == PYTHON}
    if not rules:
        return [], []
    try:
        tree = _parsed(raw)
        if not _imports_a_host(tree):
            return [], []
        source = _decoded(raw)
        hits = list(_numbers(source, rules))
    except BaseException as error:  # a syntax error, of either parser, or bytes that are no text
        if not isinstance(error, Exception) and type(error).__name__ != _PANIC:
            raise
        return _unreadable(error, decode_leniently(raw)), []
    ignores = Ignores(source.text, noqa=True)
    findings, edits = [], []
    for name, value, index, word in hits:
        rule = rules[name]
        line, column = source.place(index)
        if (rule.name, line) in ignores:
            continue
        said = _decide(rule, value, word, choice)
        if said is None:
            continue
        level, message, new = said
        old = word if new else ""
        findings.append(Finding(rule.name, level, rule.key, line, column, message, old, new))
        if new:
            start = source.offset(index)
            edits.append(Edit(start, start + len(word), word.encode(), new.encode()))
    if edits and (misspelled := ignores.refusals()):
        return [*findings, *misspelled], []
    if edits and not _only_intended(tree, raw, edits):
        line = findings[0].line
        reason = "the rewritten file would read otherwise than intended"
        return [*findings, Finding("all rules", REFUSED, "", line, 1, reason)], []
    return findings, edits


def _decide(rule: Rule, value: int, word: str, choice: Choice) -> tuple[str, str, str] | None:
    """Level, message, and the new number if there is to be one."""
    new = dict(choice.values).get(rule.name, rule.new)
    if str(value) == new:
        return None
    if value not in {*rule.old, *choice.also}:
        return NOTE, f"{value} is not the old default: somebody chose it, so it stays", ""
    return CHANGE, f"{word} becomes {new}", new


def _parsed(raw: bytes) -> ast.AST:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the user's code: '\d', 1if x
        return ast.parse(raw)


def _decoded(raw: bytes) -> Text:
    """The text in the encoding that the file declares."""
    encoding, _ = tokenize.detect_encoding(io.BytesIO(raw).readline)
    mark = _BOM if raw.startswith(_BOM) else b""
    encoding = "utf-8" if mark else encoding
    return Text(raw[len(mark) :].decode(encoding), encoding, mark)


def _numbers(source: Text, rules: dict[str, Rule]) -> Iterator[tuple[str, int, int, str]]:
    """Name, number, character and spelling of each whole number that a name of ``rules`` gets.

    In the order of the text; of ``a = b = 30``, which is one number, with the first name.
    """
    import libcst
    from libcst.metadata import ByteSpanPositionProvider, MetadataWrapper

    wrapper = MetadataWrapper(libcst.parse_module(source.text), unsafe_skip_copy=True)
    spans: Any = wrapper.resolve(ByteSpanPositionProvider)
    found: dict[int, tuple[str, Any]] = {}
    waiting: list[Any] = [wrapper.module]
    while waiting:
        node = waiting.pop()
        waiting.extend(node.children)
        for name, value in _pairs(node):
            if name in rules and isinstance(value, libcst.Integer):
                found.setdefault(spans[value].start, (name, value))
    as_utf8 = source.text.encode()  # what LibCST counts in, whatever the file declares
    start = before = 0
    for place, (name, value) in sorted(found.items()):
        start += len(as_utf8[before:place].decode())
        before = place
        if not source.text.startswith(value.value, start):
            raise ValueError("its numbers cannot be found again in its text")
        yield name, value.evaluated_value, start, value.value


def _pairs(node: Any) -> Iterator[tuple[str, Any]]:
    """Keyword arguments, parameter defaults, assignments: plain, annotated, within expressions;
    defaults of options and of lookups by name.
    """
    import libcst

    if isinstance(node, libcst.Arg) and node.keyword is not None:
        yield node.keyword.value, node.value
    elif isinstance(node, libcst.Param) and node.default is not None:
        yield node.name.value, node.default
    elif isinstance(node, libcst.Assign):
        for target in node.targets:
            yield _name(target.target), node.value
    elif isinstance(node, (libcst.AnnAssign, libcst.NamedExpr)) and node.value is not None:
        yield _name(node.target), node.value
    elif isinstance(node, libcst.Call):
        yield from _defaults(node)


def _defaults(call: Any) -> Iterator[tuple[str, Any]]:
    """``add_argument("--threads", default=30)``, ``click.option("--threads", default=30)``,
    ``typer.Option(30, "--threads")``, ``settings.get("threads", 30)``.
    """
    import libcst

    plain = [arg.value for arg in call.args if arg.keyword is None and not arg.star]
    texts = [_text(value) for value in plain]
    options = [text[2:].replace("-", "_") for text in texts if text.startswith("--")]
    if options:
        given = [arg.value for arg in call.args if arg.keyword and arg.keyword.value == "default"]
        given += [value for value in plain if isinstance(value, libcst.Integer)]
        for name in options:
            yield from ((name, value) for value in given)
        return
    function = call.func
    called = function.attr if isinstance(function, libcst.Attribute) else function
    if isinstance(called, libcst.Name) and called.value in _ASKED and len(plain) >= 2:
        yield texts[-2], plain[-1]


def _text(node: Any) -> str:
    """The text of a literal; empty for anything else."""
    import libcst

    if not isinstance(node, libcst.SimpleString):
        return ""
    value = node.evaluated_value
    return value if isinstance(value, str) else ""


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


def _only_intended(before: ast.AST, raw: bytes, edits: Sequence[Edit]) -> bool:
    """Whether the rewritten file differs in as many numbers as there are edits, and in no more."""
    try:
        after = _parsed(splice(raw, edits))
    except (SyntaxError, ValueError, RecursionError):
        return False
    differences = []
    for old, new in zip_longest(ast.walk(before), ast.walk(after)):
        if _shape(old) == _shape(new):
            continue
        numbers = tuple(getattr(node, "value", None) for node in (old, new))
        if not all(isinstance(node, ast.Constant) for node in (old, new)) or not all(
            type(number) is int for number in numbers
        ):
            return False
        differences.append(numbers)
    return sorted(differences) == sorted(
        (int(edit.old.decode(), 0), int(edit.new)) for edit in edits
    )


def _shape(value: Any) -> Any:
    """What a node says beside its children, with their kinds and number."""
    if isinstance(value, ast.AST):
        return type(value), [_kind(getattr(value, name, None)) for name in value._fields]
    return value


def _kind(value: Any) -> Any:
    if isinstance(value, list):
        return [_kind(item) for item in value]
    return type(value), None if isinstance(value, ast.AST) else value


def _unreadable(error: BaseException, source: Text) -> list[Finding]:
    line = getattr(error, "lineno", None) or getattr(error, "raw_line", None) or 1
    column = getattr(error, "offset", None) or getattr(error, "raw_column", None) or 1
    said = getattr(error, "msg", None) or getattr(error, "message", None) or str(error)
    version = "{}.{}".format(*sys.version_info)  # a newer one may read more
    reason = f"not Python that Python {version} can read: {' '.join(str(said).split())}"
    last = source.text.count("\n") + 1
    place = min(max(int(line), 1), last), max(int(column), 1)
    return [Finding("all rules", REFUSED, "", *place, reason)]

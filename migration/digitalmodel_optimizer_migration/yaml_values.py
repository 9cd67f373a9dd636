"""What a scalar means to the host's reader, and what a rule makes of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import yaml

from digitalmodel_optimizer_migration.data import CHANGE, NOTE, REFUSED, Choice
from digitalmodel_optimizer_migration.rule import AUTO, REPORT, Rule
from digitalmodel_optimizer_migration.yaml_nodes import SCALAR, Node

_QUOTES = ("'", '"')
_UNREADABLE = object()


@dataclass(frozen=True)
class Verdict:
    """``level`` as in Finding; characters ``start`` to ``end`` become ``new`` on a change."""

    level: str
    message: str
    start: int = 0
    end: int = 0
    old: str = ""
    new: str = ""


def judge(rule: Rule, node: Node, text: str, choice: Choice) -> Verdict | None:
    """What ``rule`` makes of the value ``node``; None if there is nothing to say."""
    new = dict(choice.values).get(rule.name, rule.new)
    olds = {*rule.old, *choice.also}
    if text.startswith("{{", node.start):
        return Verdict(NOTE, "a template, {{ ... }}, has to be rendered first")
    if node.kind != SCALAR:
        return Verdict(NOTE, f"holds a {node.kind}, which none of its readers takes")
    value = value_of(node)
    if value is None or value == new or (rule.auto and value == AUTO):
        return None
    shown = text[node.start : node.end].partition("\n")[0]
    if isinstance(value, int) and not isinstance(value, bool):
        if str(value) == new:
            return None
        if value not in olds:
            return Verdict(NOTE, f"{value} is not the old default: somebody chose it, so it stays")
        return _rewrite(node, text, new)
    if isinstance(value, str) and value.strip() in map(str, olds):
        if rule.quoted == REPORT:
            return Verdict(NOTE, f"{shown} is {rule.quoted_reason}")
        if value in map(str, olds):
            return _rewrite(node, text, new)
    if isinstance(value, str) and value == new:
        return None
    kind = "unreadable" if value is _UNREADABLE else _word(value)
    return Verdict(NOTE, f"{shown} is {kind} to its readers, which take {rule.takes}")


def value_of(node: Node) -> Any:
    """The value that PyYAML's safe loader makes of a scalar; a marker if it makes none."""
    try:
        scalar = yaml.ScalarNode(node.meaning, node.content)
        return yaml.constructor.SafeConstructor().construct_object(scalar)
    except Exception:  # PyYAML's constructors stumble in many ways: !!int "", !!bool x
        return _UNREADABLE


def _word(value: Any) -> str:
    words = {bool: "true or false", float: "no whole number", str: "text"}
    return words.get(type(value), "no number")


def _rewrite(node: Node, text: str, new: str) -> Verdict:
    refused = f"cannot be rewritten safely: {{}}; write {new} by hand"
    if node.tag is not None and node.meaning.endswith(":int") and not new.isdigit():
        return Verdict(REFUSED, refused.format(f"it is tagged as a whole number, {new} is none"))
    end = node.end - 1 if node.style in _QUOTES else node.end
    start = end - len(node.content)
    if node.style not in ("", *_QUOTES):
        return Verdict(REFUSED, refused.format("it is a block scalar"))
    if (
        start < node.start
        or text[start:end] != node.content
        or (node.style and text[start - 1] != node.style)
    ):
        return Verdict(REFUSED, refused.format("it is not written as it reads"))
    old = node.content
    return Verdict(CHANGE, f"{old} becomes {new}", start, end, old, new)

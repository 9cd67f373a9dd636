"""Holding what the migration does to a text, byte by byte."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import yaml

from digitalmodel_optimizer_migration import (
    Choice,
    Finding,
    chosen,
    plan_bytes,
    rule_named,
    set_values,
    splice,
)
from digitalmodel_optimizer_migration.data import CHANGE, NOTE, REFUSED

OURS = "meta: {library: digitalmodel, basename: orcaflex_post_process}\n"


@dataclass(frozen=True)
class Printed:
    """What a command printed, as bytes, and its exit status."""

    returncode: int
    stdout: bytes
    stderr: bytes


Migrate = Callable[..., Printed]


def choice(only: str = "", assign: tuple[str, ...] = (), also: tuple[int, ...] = ()) -> Choice:
    names = chosen([only] if only else ())
    return Choice(names, set_values(assign), also)


def raw_of(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode()


def check_noop(
    text: str | bytes, *, kind: str = "yaml", chosen: Choice | None = None
) -> list[Finding]:
    """Nothing changes and nothing is refused; what is noted comes back."""
    findings, edits = plan_bytes(raw_of(text), kind, chosen or choice())
    assert edits == []
    assert {finding.level for finding in findings} <= {NOTE}
    return findings


def check_transformed(
    before: str | bytes, after: str | bytes, *, kind: str = "yaml", chosen: Choice | None = None
) -> list[Finding]:
    """``before`` becomes ``after``, to the byte, and a second run finds nothing."""
    raw, chosen = raw_of(before), chosen or choice()
    findings, edits = plan_bytes(raw, kind, chosen)
    assert splice(raw, edits) == raw_of(after), findings
    assert edits
    assert plan_bytes(raw_of(after), kind, chosen)[1] == []
    return findings


def check_refused(text: str | bytes, reason: str, *, chosen: Choice | None = None) -> Finding:
    """Nothing changes, and one refusal gives ``reason``."""
    findings, edits = plan_bytes(raw_of(text), "yaml", chosen or choice())
    assert edits == []
    refused = [finding for finding in findings if finding.level == REFUSED]
    assert refused
    assert reason in refused[0].message
    return refused[0]


def changes(findings: list[Finding]) -> list[str]:
    return [finding.rule for finding in findings if finding.level == CHANGE]


def notes(findings: list[Finding]) -> list[str]:
    return [finding.rule for finding in findings if finding.level == NOTE]


def differences(before: Any, after: Any, path: tuple[Any, ...] = ()) -> dict[tuple[Any, ...], Any]:
    """Paths at which two values that PyYAML made differ, with both values."""
    if isinstance(before, dict) and isinstance(after, dict) and list(before) == list(after):
        found: dict[tuple[Any, ...], Any] = {}
        for key in before:
            found |= differences(before[key], after[key], (*path, key))
        return found
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        found = {}
        for number, pair in enumerate(zip(before, after, strict=True)):
            found |= differences(*pair, (*path, number))
        return found
    same = type(before) is type(after) and (before == after or before != before)  # noqa: PLR0124
    return {} if same else {path: (before, after)}


def loaded(raw: bytes) -> list[Any]:
    """All documents as PyYAML makes them; its C parser takes tabs that its own does not."""
    try:
        return list(yaml.safe_load_all(raw))
    except yaml.YAMLError:
        return list(yaml.load_all(raw, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))


def key_of(rule: str) -> tuple[str, ...]:
    return rule_named(rule).path

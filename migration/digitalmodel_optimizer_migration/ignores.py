"""Comments that keep a rule out: ``# digitalmodel-optimizer: ignore[rule] reason``.

On the line of a value or of its key, or alone on the line above, a comment counts for that place;
above everything else in a file, for the whole file. Without brackets it counts for all rules. The
words are the same in every language; Python files also know ``# noqa`` (bare, or with the
rule's name), on the line itself only.
"""

from __future__ import annotations

import re

from digitalmodel_optimizer_migration.data import REFUSED, Finding
from digitalmodel_optimizer_migration.rules import BY_NAME, no_rule

_COMMENT = re.compile(
    r"(?:\#|//|<!--|::|\brem\b)\s*digitalmodel-optimizer:\s*ignore\b(?:\[([^\]]*)\])?",
    re.IGNORECASE,
)
_NOQA = re.compile(r"#\s*noqa\b(?:\s*:\s*([\w-][\w\s,-]*))?", re.IGNORECASE)
_ALONE = re.compile(r"\s*(?:#|//|<!--|::|rem\b)", re.IGNORECASE)
_HEAD = re.compile(r"\s*(?:#.*|//.*|<!--.*|::.*|rem\b.*|@echo off|---|%YAML.*)?", re.IGNORECASE)
ALL = "*"
_LINES = re.compile(r"\r\n|\r|\n")


class Ignores:
    """The ignore comments of one file; ``unknown`` are lines with a name that is no rule's."""

    def __init__(self, text: str, *, noqa: bool = False) -> None:
        self.unknown: list[tuple[int, str]] = []
        self._whole: set[str] = set()
        self._lines: dict[int, set[str]] = {}
        if not noqa and "digitalmodel-optimizer" not in text.lower():
            return
        head = True
        for number, line in enumerate(_LINES.split(text), start=1):
            alone = _ALONE.match(line) is not None
            head = head and _HEAD.fullmatch(line) is not None
            if found := _COMMENT.search(line):
                names = _listed(found.group(1))
                self.unknown += [(number, name) for name in names - {ALL, *BY_NAME}]
                if alone and head:
                    self._whole |= names
                self._lines.setdefault(number + 1 if alone else number, set()).update(names)
            if noqa and (found := _NOQA.search(line)):
                self._lines.setdefault(number, set()).update(_listed(found.group(1)))

    def refusals(self) -> list[Finding]:
        """Why a file should not be rewritten: a misspelled name was meant to keep a rule out."""
        return [
            Finding("all rules", REFUSED, "", line, 1, f"in an ignore comment: {no_rule(name)}")
            for line, name in self.unknown
        ]

    def __contains__(self, place: tuple[str, int]) -> bool:
        """Whether ``(rule, line)`` is to be left alone."""
        rule, line = place
        names = self._whole | self._lines.get(line, set())
        return bool(names & {ALL, rule})


def _listed(names: str | None) -> set[str]:
    """Names between commas or spaces, as linters take them; all rules if there are no brackets."""
    return set(re.split(r"[\s,]+", names.strip())) if names is not None else {ALL}

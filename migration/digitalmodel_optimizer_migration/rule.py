"""What a rule is. Rules themselves are data, one a file, in ``rules``."""

from __future__ import annotations

import re
from dataclasses import dataclass

from digitalmodel_optimizer_migration.data import PYTHON, SCRIPT, YAML, MigrationError

REWRITE, REPORT = "rewrite", "report"
AUTO = "auto"
_FILES = {
    YAML: "YAML",
    PYTHON: "Python, where digitalmodel or OrcFxAPI is imported",
    SCRIPT: "shell and batch scripts, Markdown",
}


@dataclass(frozen=True)
class Identity:
    """Which documents a YAML rule may look into: by what they say of themselves, never by name.

    One of ``meta.library``/``library`` and ``basename``/``meta.basename`` must be among these.
    """

    libraries: tuple[str, ...] = ("digitalmodel",)
    basenames: tuple[str, ...] = ("orcaflex", "orcaflex_analysis", "orcaflex_post_process")

    def __str__(self) -> str:
        return (
            f"library or meta.library is {' or '.join(self.libraries)}, "
            f"or basename or meta.basename is {', '.join(self.basenames)}"
        )


OURS = Identity()


@dataclass(frozen=True)
class Rule:
    """One setting: where it stands, which old value goes, what comes in its place, and why.

    :param key: what ``--set`` and reports call the setting.
    :param path: the full path of keys in a YAML document; of a Python rule the one name.
    :param new: the new default; empty if the rule only reports.
    :param most: the largest whole number that every reader takes.
    :param auto: every reader takes the word ``auto`` as well.
    :param quoted: what becomes of a quoted number: ``rewrite`` inside its quotes, or ``report``.
    :param readers: who reads the setting, and as what.
    :param instead: what to write instead, of a setting that is only reported.
    :param asked: the rule looks only if it is asked for by name or by its own option.
    """

    name: str
    key: str
    path: tuple[str, ...]
    summary: str
    readers: str
    reason: str
    kind: str = YAML
    identity: Identity = OURS
    old: tuple[int, ...] = (30,)
    new: str = ""
    most: int = 128
    auto: bool = False
    quoted: str = REPORT
    quoted_reason: str = ""
    instead: str = ""
    asked: bool = False

    @property
    def takes(self) -> str:
        """What every reader of the setting takes, in words."""
        return f"a whole number from 1 to {self.most}" + (f" or {AUTO}" if self.auto else "")

    def described(self) -> list[tuple[str, str]]:
        """All that there is to know of the rule, as pairs of a title and a text."""
        rewrites = bool(self.new)
        pairs = [
            ("setting", self.key),
            ("files", _FILES[self.kind]),
            ("documents", str(self.identity) if self.kind == YAML else ""),
            ("readers", self.readers),
            ("old", ", ".join(map(str, self.old)) if rewrites else ""),
            ("new", f"{self.new} (--set {self.key}=VALUE takes {self.takes})" if rewrites else ""),
            ("quoted", self._quoted() if rewrites and self.kind == YAML else ""),
            ("instead", self.instead),
            ("why", self.reason),
        ]
        return [(title, text) for title, text in pairs if text]

    def _quoted(self) -> str:
        if self.quoted == REWRITE:
            return "a quoted number is rewritten within its quotes"
        return f"a quoted number is reported: {self.quoted_reason}"

    def check(self, value: str) -> str:
        """``value`` as it is to be written; MigrationError if a reader would not take it."""
        word = value.strip()
        number = re.fullmatch(r"[1-9][0-9]*", word, re.ASCII)
        if (self.auto and word == AUTO) or (number and int(word) <= self.most):
            return word
        raise MigrationError(f"{self.key} takes {self.takes}, not {value!r}")

"""What there is to report of a shell or batch script, or of a Markdown page; never rewritten."""

from __future__ import annotations

import re

from digitalmodel_optimizer_migration.data import NOTE, SCRIPT, YAML, Choice, Edit, Finding
from digitalmodel_optimizer_migration.decoding import decode_leniently
from digitalmodel_optimizer_migration.ignores import Ignores
from digitalmodel_optimizer_migration.rules import BY_NAME, RULES

_HOST = re.compile(r"digitalmodel|orcaflex|OrcFxAPI", re.IGNORECASE)
_OPTION = re.compile(
    r"(?<![\w-])--(?:workers|threads|max-workers|num-threads)(?:\s+|=)[\"']?([0-9]+)\b"
)
_SETTING = re.compile(r"(?<![\w.])(threads|max_workers|num_threads):[ \t]+([0-9]+)\b")
# What the rules for YAML write for a setting of that name.
_NEW = {rule.path[-1]: rule.new for rule in RULES if rule.kind == YAML and rule.new}


def is_candidate(raw: bytes) -> bool:
    """A cheap look: whether there can be anything to report."""
    return (b"workers" in raw or b"threads" in raw) and b"30" in raw


def plan_script(raw: bytes, choice: Choice) -> tuple[list[Finding], list[Edit]]:
    """Findings of a text that holds ``raw``, if it speaks of the host at all."""
    rules = [rule for name in choice.rules if (rule := BY_NAME[name]).kind == SCRIPT]
    source = decode_leniently(raw)
    if not rules or not _HOST.search(source.text):
        return [], []
    rule = rules[0]
    ignores = Ignores(source.text)
    findings = []
    for pattern in (_OPTION, _SETTING):
        for found in pattern.finditer(source.text):
            line, column = source.place(found.start())
            if (
                int(found.groups()[-1]) in {*rule.old, *choice.also}
                and (rule.name, line) not in ignores
            ):
                instead = rule.instead if pattern is _OPTION else f"write {_NEW[found.group(1)]}"
                said = f"{found.group()}: {instead}"
                findings.append(Finding(rule.name, NOTE, rule.key, line, column, said))
    return sorted(findings, key=lambda item: (item.line, item.column)), []

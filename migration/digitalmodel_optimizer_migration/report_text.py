"""What a person reads: one line a finding, and a table at the end."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from typing import TYPE_CHECKING

from digitalmodel_optimizer_migration.data import CHANGE, NOTE, REFUSED
from digitalmodel_optimizer_migration.outcome import CHANGED, LEFT, Done, Tally

if TYPE_CHECKING:
    from rich.table import Table


def finding_lines(done: Done) -> Iterator[str]:
    """``file:line:column: word: key: what``, as editors and terminals can follow it."""
    words = {CHANGE: "changed" if done.state == CHANGED else "would change", NOTE: "note"}
    for finding in done.plan.findings:
        if done.state == LEFT and finding.level == CHANGE:
            word = "left"
        else:
            word = words.get(finding.level, REFUSED)
        place = f"{_on_one_line(done.name)}:{finding.line}:{finding.column}"
        key = f"{finding.key}: " if finding.key else ""
        yield f"{place}: {word}: {key}{finding.message} [{finding.rule}]"


def _on_one_line(name: str) -> str:
    """A file's name with escapes for what would break the line or steer a terminal."""
    return "".join(
        letter.encode("unicode_escape").decode() if unicodedata.category(letter) == "Cc" else letter
        for letter in name
    )


def summary_table(tally: Tally) -> Table | None:
    """A row for each rule that had anything to say; None if none had."""
    from rich.table import Table

    if not tally.rules:
        return None
    table = Table()
    table.add_column("rule")
    for level in (CHANGE, NOTE, REFUSED):
        table.add_column(level, justify="right")
    for rule, levels in sorted(tally.rules.items()):
        shown = [str(levels.get(level, 0) or "") for level in (CHANGE, NOTE, REFUSED)]
        table.add_row(rule, *shown)
    return table


def summary_lines(tally: Tally, *, written: bool) -> Iterator[str]:
    """The last lines: how many files, what was skipped, what failed."""
    counts = tally.counts
    number = counts.changed if written else tally.would_change
    did = "changed" if written else "would change"
    files = _counted(counts.files, "file", "files")
    said = f"{files} looked at, {number} {did}, {counts.refused} refused"
    if tally.repositories:
        said = f"{_repositories(tally.repositories)}, {said}"
    yield said
    if tally.repositories_done_before:
        before = _repositories(tally.repositories_done_before)
        yield f"done before, as the journal says: {before}"
    if counts.skipped:
        listed = ", ".join(f"{number} {why}" for why, number in sorted(counts.skipped.items()))
        yield f"skipped: {listed}"
    yield from (f"committed in {commit}" for commit in tally.commits)
    yield from (f"failed: {failure}" for failure in tally.failures)


def _repositories(number: int) -> str:
    return _counted(number, "repository", "repositories")


def _counted(number: int, one: str, several: str) -> str:
    return f"{number} {one if number == 1 else several}"

"""A comparison in words, for the terminal and for errors."""

from __future__ import annotations

from collections.abc import Iterator

from digitalmodel_optimizer.report.format import count
from digitalmodel_optimizer.tables.differences_in_words import table_in_words
from digitalmodel_optimizer.validation.folders import FileComparison, State
from digitalmodel_optimizer.validation.outcome import Outcome


def in_words(item: FileComparison) -> Iterator[str]:
    """What differs in one file, the most telling first."""
    if item.table is not None:
        yield from table_in_words(item.table)
    elif item.lines is not None:
        yield f"first line that differs: {item.lines.left!r} became {item.lines.right!r}"
    elif item.note and item.state is State.DIFFERENT:
        yield item.note


def summary(outcome: Outcome) -> str:
    """One sentence: how many files are equal, and what the others are."""
    total = sum(
        number for state, number in outcome.counts.items() if state is not State.PLUGINS_OWN
    )
    equal = outcome.counts.get(State.EQUAL, 0)
    said = [f"{equal} of {count(total, 'file')} equal"]
    said += [
        f"{number} {state.value}"
        for state, number in outcome.counts.items()
        if state is not State.EQUAL
    ]
    return ", ".join(said)

"""What is told of the findings: a table beside the results, the report, the command's failure."""

from __future__ import annotations

import csv
import os
import tempfile
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from digitalmodel_optimizer.plugin import SimulationFile
from digitalmodel_optimizer_plugins.checks.findings import KINDS, Data, Finding
from digitalmodel_optimizer_plugins.checks.limits import Judged, Limit, governing, judge

_HEADER = ("file", "stem", "check", "verdict", "column", "value", "limit", "detail")
_MOST_FILES = 3
_WORDS = {
    "incomplete": "incomplete simulations",
    "unstable": "unstable simulations",
    "outside": "periods outside what was simulated",
    "nan": "results without a number",
    "flat": "results that never change",
    "version": "files of another version of OrcaFlex",
    "limit": "limits exceeded",
}


@dataclass(frozen=True)
class Row:
    """A line of the table; every file has one at least, of the check ``all`` if it passes."""

    file: str
    stem: str
    check: str
    verdict: str
    column: str = ""
    value: str = ""
    limit: str = ""
    detail: str = ""


def rows_of(
    data: Data, limits: Sequence[Limit], findings: Sequence[Finding], *, fail_on: Collection[str]
) -> Iterator[Row]:
    """The verdict on each load case with the value that governs, then what was found in it."""
    for file, known in data.items():
        found = [item for item in findings if item.file == file]
        judged = governing(judge(known.get("values", ()), limits))
        if judged is not None:
            yield _limit_row(file.path, file.stem, judged)
        elif not found:
            yield Row(file.path, file.stem, "all", "pass")
        for item in found:
            if item.kind != "limit":
                verdict = "fail" if item.kind in fail_on else "warning"
                yield Row(file.path, file.stem, item.kind, verdict, item.column, detail=item.detail)


def _limit_row(path: str, stem: str, judged: Judged) -> Row:
    return Row(
        path,
        stem,
        "limit",
        "pass" if judged.passes else "fail",
        judged.column,
        "" if judged.value is None else repr(judged.value),
        f"{judged.bound} {judged.limit:g}",
        "governs" if judged.value is not None else "there is no value",
    )


def rows_of_unchecked(files: Iterable[SimulationFile]) -> Iterator[Row]:
    """Files that a run without checks has finished, before this one took up the batch."""
    for file in files:
        yield Row(file.path, file.stem, "all", "not checked", detail="finished by an earlier run")


def sentence_of_unchecked(files: Sequence[SimulationFile]) -> Iterator[str]:
    if files:
        yield f"not checked: {_count(len(files))}, finished by an earlier run without checks"


def write_table(folder: str, name: str, rows: Iterable[Row]) -> None:
    """Write the table whole; a link that stands there is replaced, not followed.

    :raises OSError: it cannot be written.
    """
    descriptor, staged = tempfile.mkstemp(dir=folder, prefix=".dmo-", suffix=".csv")
    try:
        with open(descriptor, "w", encoding="utf-8", newline="", errors="replace") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow(_HEADER)
            writer.writerows([getattr(row, key) for key in _HEADER] for row in rows)
        os.chmod(staged, 0o644)
        os.replace(staged, os.path.join(folder, name))
    except BaseException:
        os.unlink(staged)
        raise


def sentences(
    data: Data, limits: Sequence[Limit], findings: Sequence[Finding], table: str
) -> Iterator[str]:
    """For the report: one for each kind of finding, one for the limits."""
    for kind in KINDS:
        found = [item for item in findings if item.kind == kind]
        if found and kind != "limit":
            yield f"{_WORDS[kind]}: {_files(found)}"
    if limits:
        yield from _on_limits(data, limits)
    if findings:
        yield f"all of it: {table}"
    elif data and not limits:
        yield f"nothing found in {_count(len(data))}"


def _on_limits(data: Data, limits: Sequence[Limit]) -> Iterator[str]:
    judged = {file: judge(known.get("values", ()), limits) for file, known in data.items()}
    cases = {file: worst for file, items in judged.items() if (worst := governing(items))}
    failed = sum(not worst.passes for worst in cases.values())
    if cases:
        file = max(cases, key=lambda one: cases[one].beyond)
        said = f"{failed} of {len(cases)} load cases fail" if failed else _all_pass(len(cases))
        yield f"limits: {said}; {cases[file].words} in {file.stem} governs"
    names = {(item[0], item[1]) for known in data.values() for item in known.get("values", ())}
    for limit in limits:
        if data and not any(limit.is_of(*name) for name in names):
            yield f"limits: no summary column is called {limit.pattern}"


def _all_pass(number: int) -> str:
    return "the load case passes" if number == 1 else f"all {number} load cases pass"


def _files(found: Sequence[Finding]) -> str:
    """Each file once, the first few with what was found."""
    by_file: dict[str, str] = {}
    for item in found:
        detail = f"{item.column}: {item.detail}" if item.column else item.detail
        by_file.setdefault(item.file.stem, detail)
    named = [f"{stem} ({detail})" for stem, detail in list(by_file.items())[:_MOST_FILES]]
    more = len(by_file) - len(named)
    return ", ".join(named) + (f" and {_count(more)} more" if more else "")


def failure(findings: Sequence[Finding], fail_on: Collection[str], table: str) -> str:
    """Why the command fails; empty if it does not."""
    failed = [item for item in findings if item.kind in fail_on]
    if not failed:
        return ""
    stems = list(dict.fromkeys(item.file.stem for item in failed))
    kinds = ", ".join(kind for kind in KINDS if any(item.kind == kind for item in failed))
    more = f" and {len(stems) - _MOST_FILES} more" if len(stems) > _MOST_FILES else ""
    return (
        f"{_count(len(stems))} failed the checks ({kinds}), all results are saved: "
        f"{', '.join(stems[:_MOST_FILES])}{more}; see {table}"
    )


def _count(number: int) -> str:
    return "1 file" if number == 1 else f"{number} files"

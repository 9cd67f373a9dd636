"""What machines read: JSON, SARIF 2.1.0, and the annotations of GitHub's workflows."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import quote

from digitalmodel_optimizer_migration.data import CHANGE, NOTE, REFUSED, Edit, Finding
from digitalmodel_optimizer_migration.outcome import Done, Tally
from digitalmodel_optimizer_migration.rule import Rule
from digitalmodel_optimizer_migration.rules import RULES

_SARIF_LEVELS = {CHANGE: "warning", NOTE: "note", REFUSED: "error"}
_GITHUB_LEVELS = {CHANGE: "warning", NOTE: "notice", REFUSED: "error"}
_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def as_json(results: Iterable[Done], tally: Tally) -> Iterator[str]:
    """Files, findings, edits (bytes as offsets and text) and the summary, in pieces of one text."""
    yield '{"files": ['
    yield from _items(_file(done) for done in results)
    yield f'],\n"summary": {json.dumps(_summary(tally))}}}\n'


def _items(items: Iterable[dict[str, Any]]) -> Iterator[str]:
    """Items of a list, one a line, as they come: memory stays flat."""
    for number, item in enumerate(items):
        yield (",\n" if number else "\n") + json.dumps(item)


def _file(done: Done) -> dict[str, Any]:
    return {
        "path": done.name,
        "state": done.state,
        "findings": [asdict(finding) for finding in done.plan.findings],
        "edits": [_edit(edit) for edit in done.plan.edits],
    }


def _summary(tally: Tally) -> dict[str, Any]:
    return {
        "files": tally.counts.files,
        "candidates": tally.counts.candidates,
        "would_change": tally.would_change,
        "changed": tally.counts.changed,
        "refused": tally.counts.refused,
        "skipped": dict(sorted(tally.counts.skipped.items())),
        "rules": {name: dict(levels) for name, levels in sorted(tally.rules.items())},
        "repositories": tally.repositories,
        "repositories_done_before": tally.repositories_done_before,
        "commits": list(tally.commits),
        "failures": list(tally.failures),
        "exit_status": tally.exit_status,
    }


def _edit(edit: Edit) -> dict[str, Any]:
    return {
        "start_byte": edit.start,
        "end_byte": edit.end,
        "old": edit.old.decode("utf-8", "backslashreplace"),
        "new": edit.new.decode("utf-8", "backslashreplace"),
    }


def as_sarif(results: Iterable[Done], tally: Tally, version: str) -> Iterator[str]:
    """One run, in pieces of one text; each change brings its fix as byte offsets."""
    driver = {
        "name": "digitalmodel-optimizer migrate",
        "semanticVersion": version,
        "rules": [_sarif_rule(rule) for rule in RULES],
    }
    yield f'{{"$schema": "{_SCHEMA}", "version": "2.1.0", "runs": [{{'
    yield f'"tool": {json.dumps({"driver": driver})},\n'
    yield '"columnKind": "unicodeCodePoints",\n"results": ['
    yield from _items(item for done in results for item in _sarif_results(done))
    yield f'],\n"invocations": [{json.dumps(_invocation(tally))}]}}]}}\n'


def _invocation(tally: Tally) -> dict[str, Any]:
    failures = [{"level": "error", "message": {"text": failure}} for failure in tally.failures]
    return {
        "executionSuccessful": not failures,
        "exitCode": tally.exit_status,
        "toolExecutionNotifications": failures,
    }


def _sarif_rule(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.name,
        "shortDescription": {"text": f"{rule.key}: {rule.summary}"},
        "fullDescription": {"text": rule.reason},
    }


def _sarif_results(done: Done) -> Iterator[dict[str, Any]]:
    name = os.fsencode(done.name)
    artifact = {"uri": Path(done.name).as_uri() if os.path.isabs(done.name) else quote(name)}
    edits = list(done.plan.edits)
    changes = [finding for finding in done.plan.findings if finding.level == CHANGE]
    fixes = dict(zip(map(id, changes), edits, strict=False)) if len(changes) == len(edits) else {}
    for finding in done.plan.findings:
        result: dict[str, Any] = {
            "ruleId": finding.rule,
            "level": _SARIF_LEVELS[finding.level],
            "message": {"text": _said(finding)},
            "locations": [
                {
                    "physicalLocation": {
                        "artifactLocation": artifact,
                        "region": {"startLine": finding.line, "startColumn": finding.column},
                    }
                }
            ],
        }
        edit = fixes.get(id(finding))
        if edit is not None:
            region = {"byteOffset": edit.start, "byteLength": edit.end - edit.start}
            inserted = {"text": edit.new.decode("utf-8", "backslashreplace")}
            replacement = {"deletedRegion": region, "insertedContent": inserted}
            change = {"artifactLocation": artifact, "replacements": [replacement]}
            result["fixes"] = [{"artifactChanges": [change]}]
        yield result


def as_github(done: Done) -> Iterator[str]:
    """Workflow commands, one a finding."""
    for finding in done.plan.findings:
        place = (
            f"file={_property(done.name)},line={finding.line},col={finding.column},"
            f"title={_property(finding.rule)}"
        )
        yield f"::{_GITHUB_LEVELS[finding.level]} {place}::{_data(_said(finding))}"


def _said(finding: Finding) -> str:
    return f"{finding.key}: {finding.message}" if finding.key else finding.message


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")

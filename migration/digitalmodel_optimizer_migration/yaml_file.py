"""What is to be done to one YAML text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from digitalmodel_optimizer_migration.data import (
    CHANGE,
    NOTE,
    REFUSED,
    YAML,
    Choice,
    Edit,
    Finding,
    RefusedError,
)
from digitalmodel_optimizer_migration.decoding import Text, decode, decode_leniently
from digitalmodel_optimizer_migration.enabling import Insertion, enabling
from digitalmodel_optimizer_migration.ignores import Ignores
from digitalmodel_optimizer_migration.rule import OURS, Identity, Rule
from digitalmodel_optimizer_migration.rules import BY_NAME, ENABLE_PLUGINS, RULES
from digitalmodel_optimizer_migration.splice import splice
from digitalmodel_optimizer_migration.yaml_check import compare, confirm
from digitalmodel_optimizer_migration.yaml_nodes import SCALAR, Document, Reading, read
from digitalmodel_optimizer_migration.yaml_paths import Place, Routes, places, value_at
from digitalmodel_optimizer_migration.yaml_values import Verdict, judge

_LIBRARY = (("library",), ("meta", "library"))
_BASENAME = (("basename",), ("meta", "basename"))
# What the host writes into the configuration that it saves beside the results.
_RUN_AT = ("Analysis", "start_time")
# A document with the first and without the second runs simulations and post-processes none.
_SOLVES, _POST_PROCESSES = ("orcaflex", "analysis"), ("orcaflex", "postprocess")
_KEEP = frozenset(
    {"<<", _RUN_AT[0]}
    | {path[0] for path in (*_LIBRARY, *_BASENAME)}
    | {rule.path[0] for rule in RULES if rule.kind == YAML}
)
# A text that cannot be read is ours, and so worth a refusal, if it says so in one of these words.
_SAYS_OURS = re.compile(
    r"(?:library|basename)['\"]?\s*:\s*['\"]?(?:"
    + "|".join(sorted({*OURS.libraries, *OURS.basenames}))
    + r")\b"
)


@dataclass(frozen=True)
class _Target:
    rule: Rule
    document: Document
    place: Place
    verdict: Verdict


def plan_yaml(raw: bytes, choice: Choice) -> tuple[list[Finding], list[Edit]]:
    """Findings and edits of a YAML file that holds ``raw``; no edits if anything is refused."""
    try:
        source = decode(raw)
    except RefusedError as error:
        return _unreadable(error, decode_leniently(raw)), []
    try:
        reading = read(source.text, _KEEP)
    except RefusedError as error:
        return _unreadable(error, source), []
    plan = _Plan(source, reading, choice)
    plan.look()
    edits = plan.edits()
    if edits:
        try:
            plan.verify(raw, edits)
        except RefusedError as error:
            plan.refuse("all rules", "", error.index or 0, error.reason)
    findings = sorted(plan.findings, key=lambda item: (item.line, item.column, item.rule))
    return findings, [] if any(item.level == REFUSED for item in findings) else edits


def _unreadable(error: RefusedError, source: Text) -> list[Finding]:
    if not _SAYS_OURS.search(source.text):
        return []
    line, column = source.place(error.index or 0)
    return [Finding("all rules", REFUSED, "", line, column, error.reason)]


def identity_of(document: Document) -> tuple[list[str], list[str]]:
    """The libraries and the basenames that a document gives itself."""

    def texts(paths: Sequence[tuple[str, ...]]) -> list[str]:
        nodes = [value_at(document.root, path) for path in paths]
        return [node.content for node in nodes if node is not None and node.kind == SCALAR]

    return texts(_LIBRARY), texts(_BASENAME)


def _is(identity: Identity, said: tuple[list[str], list[str]]) -> bool:
    libraries, basenames = said
    return bool(
        set(libraries) & set(identity.libraries) or set(basenames) & set(identity.basenames)
    )


def _why_it_stays(documents: Sequence[Document]) -> str | None:
    """Why nothing of these documents is rewritten; None if they are settings of post-processing."""
    roots = [document.root for document in documents]
    if any(value_at(root, _RUN_AT) is not None for root in roots):
        return (
            "this is the record of a finished run (Analysis.start_time), and says what the run had"
        )
    solves, post_processes = (
        any(value_at(root, path) is not None for root in roots)
        for path in (_SOLVES, _POST_PROCESSES)
    )
    if solves and not post_processes:
        return (
            "this runs simulations (orcaflex.analysis without orcaflex.postprocess), where "
            "licences and cores decide how many, not the reading of files"
        )
    return None


class _Plan:
    def __init__(self, source: Text, reading: Reading, choice: Choice) -> None:
        self.source = source
        self.reading = reading
        self.choice = choice
        self.rules = [rule for name in choice.rules if (rule := BY_NAME[name]).kind == YAML]
        self.ignores = Ignores(source.text)
        self.findings: list[Finding] = []
        self.targets: list[_Target] = []
        self.insertions: list[Insertion] = []

    def look(self) -> None:
        for documents, said in self._identified():
            rules = [rule for rule in self.rules if _is(rule.identity, said)]
            stays = _why_it_stays(documents)
            if stays is not None:
                self._leave(rules, documents, stays)
                continue
            for rule in rules:
                if rule.name == ENABLE_PLUGINS:
                    self._enable(rule, documents, said[1])
            for document in documents if rules else ():
                found = [target for rule in rules for target in self._apply(rule, document)]
                self._settle(document, found)

    def _leave(self, rules: Sequence[Rule], documents: Sequence[Document], why: str) -> None:
        """Say of each old value why it stays, in documents that are no post-process settings."""
        for document in documents:
            for rule in rules:
                for place in places(document.root, rule.path) if rule.new else ():
                    verdict = judge(rule, place.value, self.source.text, self.choice)
                    if (
                        verdict is not None
                        and verdict.level == CHANGE
                        and not self._is_ignored(rule, place)
                    ):
                        self._add(rule, NOTE, place.value.start, f"{verdict.old} stays: {why}")

    def _identified(self) -> Iterator[tuple[list[Document], tuple[list[str], list[str]]]]:
        """Documents with their identity; one that has none goes on with the one before it.

        That is how the host reads a file of several documents: laid over each other in order.
        """
        together: list[Document] = []
        before: tuple[list[str], list[str]] = ([], [])
        for document in self.reading.documents:
            said = identity_of(document)
            if any(said):
                yield together, before
                together, before = [], said
            together.append(document)
        yield together, before

    def _apply(self, rule: Rule, document: Document) -> Iterator[_Target]:
        """What ``rule`` would rewrite; what else it has to say goes to the findings."""
        if rule.name == ENABLE_PLUGINS:
            return
        found = [
            place for place in places(document.root, rule.path) if not self._is_ignored(rule, place)
        ]
        if not rule.new:
            for place in found:
                self._add(rule, NOTE, place.key.start, f"read by {rule.readers}; {rule.instead}")
            return
        verdicts = [
            (place, judge(rule, place.value, self.source.text, self.choice)) for place in found
        ]
        counting = next((pair for pair in verdicts if pair[0].counts), None)
        for place, verdict in verdicts:
            if verdict is None:
                continue
            stays = counting is not None and counting[1] is not None and counting[1].level != CHANGE
            if not place.counts and (verdict.level != CHANGE or stays) and counting is not None:
                line, _ = self.source.place(counting[0].key.start)
                self._add(
                    rule, NOTE, place.key.start,
                    f"not read: the same key stands again in line {line}, and that one counts",
                )  # fmt: skip
            elif verdict.level == CHANGE:
                yield _Target(rule, document, place, verdict)
            else:
                self._add(rule, verdict.level, place.value.start, verdict.message)

    def _is_ignored(self, rule: Rule, place: Place) -> bool:
        return any(
            (rule.name, self.source.place(index)[0]) in self.ignores
            for index in (place.key.start, place.value.end)
        )

    def _settle(self, document: Document, found: Sequence[_Target]) -> None:
        """Decide on the values of ``document`` that are to change, shared ones included."""
        ways = {target.rule.path: target.verdict.new for target in found}
        root = document.root
        routes = Routes(root) if found and document.shares and root is not None else None
        settled: set[int] = set()
        for target in found:
            node = target.place.value
            fault = self._fault(document, target, ways, routes)
            if fault:
                self.refuse(target.rule.name, target.rule.key, *fault)
                continue
            if node.number not in settled:  # an aliased value is edited once
                self.targets.append(target)
            settled.add(node.number)
            verdict = target.verdict
            self._add(target.rule, CHANGE, verdict.start, verdict.message, verdict.old, verdict.new)

    def _fault(
        self,
        document: Document,
        target: _Target,
        ways: dict[tuple[str, ...], str],
        routes: Routes | None,
    ) -> tuple[int, str] | None:
        """Where and why the value of ``target`` cannot be rewritten; None if it can."""
        node, new = target.place.value, target.verdict.new
        if document.unreadable is not None:
            index, why = document.unreadable
            line, _ = self.source.place(node.start)
            return index, f"{why}; so {target.rule.key} in line {line} stays; change it by hand"
        if routes is None:
            return None
        try:
            shared = [way for way in routes.to(node) if ways.get(way.path) != new]
        except RefusedError as error:
            return node.start, error.reason
        # The place at which an anchored value is written may be a name for it and nothing more,
        # unless it is a setting of its own.
        others = [way for way in shared if not way.written or way.path in ways]
        if not others:
            return None
        listed = ", ".join(sorted({".".join(way.path) for way in others}))
        return node.start, (
            f"an alias shares this value with {listed}, which would change too; "
            f"write {new} in a place of its own"
        )

    def _enable(self, rule: Rule, documents: Sequence[Document], basenames: Sequence[str]) -> None:
        try:
            insertion = enabling(self.source.text, documents, basenames)
        except RefusedError as error:
            self.refuse(rule.name, rule.key, error.index or 0, error.reason)
            return
        if insertion is None or any(
            (rule.name, self.source.place(index)[0]) in self.ignores
            for index in (insertion.index, *insertion.keys)
        ):
            return
        unreadable = [each.unreadable for each in documents if each.unreadable is not None]
        if not insertion.text:
            self._add(rule, NOTE, insertion.index, insertion.reason)
        elif unreadable:
            self.refuse(rule.name, rule.key, *unreadable[0])
        else:
            self.insertions.append(insertion)
            self._add(rule, CHANGE, insertion.index, insertion.reason, "", insertion.text.strip())

    def _add(
        self, rule: Rule, level: str, index: int, message: str, old: str = "", new: str = ""
    ) -> None:
        line, column = self.source.place(index)
        self.findings.append(Finding(rule.name, level, rule.key, line, column, message, old, new))

    def refuse(self, rule: str, key: str, index: int, reason: str) -> None:
        line, column = self.source.place(index)
        self.findings.append(Finding(rule, REFUSED, key, line, column, reason))

    def edits(self) -> list[Edit]:
        """What is to change, in bytes."""
        if any(finding.level == REFUSED for finding in self.findings):
            return []
        made = [
            self._edit(item.verdict.start, item.verdict.end, item.verdict.new)
            for item in self.targets
        ]
        made += [self._edit(item.index, item.index, item.text) for item in self.insertions]
        if made and (misspelled := self.ignores.refusals()):
            self.findings += misspelled
            return []
        return sorted(made, key=lambda edit: edit.start)

    def _edit(self, start: int, end: int, new: str) -> Edit:
        source = self.source
        old = source.encode(source.text[start:end])
        first = source.offset(start)
        return Edit(first, first + len(old), old, source.encode(new))

    def verify(self, raw: bytes, edits: Sequence[Edit]) -> None:
        """Another reader finds the values; the result reads as intended and needs no second run.

        :raises RefusedError: one of these does not hold.
        """
        source = self.source
        nodes: dict[tuple[int, tuple[str, ...]], list[_Target]] = {}
        for target in self.targets:
            nodes.setdefault((id(target.document), target.rule.path), []).append(target)
        for (_, path), mine in nodes.items():
            values = [target.place.value for target in mine]
            confirm(source.text, mine[0].document, path, values, _KEEP)
        result = decode(splice(raw, edits))
        after = read(result.text, _KEEP)
        compare(
            self.reading,
            after,
            [target.place.value.number for target in self.targets],
            {item.before: item.events for item in self.insertions},
        )
        again = _Plan(result, after, self.choice)
        again.look()
        if again.targets or again.insertions:
            raise RefusedError("a second run would change the file again")

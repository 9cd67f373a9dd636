"""Plain, frozen data that passes between the stages; all of it pickles."""

from __future__ import annotations

from dataclasses import dataclass, field

CHANGE, NOTE, REFUSED = "change", "note", "refused"
YAML, PYTHON, SCRIPT = "yaml", "python", "script"
BINARY, HUGE, LINK, UNREADABLE = "binary", "too large", "symbolic link", "unreadable"
FORBIDDEN = "cannot be read"  # unlike what is skipped, a failure: who knows what is in there
DEFAULT_MAX_BYTES = 16_000_000


class MigrationError(Exception):
    """Nothing (more) can be done: a wrong option, a path that is not there, a journal of others."""


class RefusedError(Exception):
    """A file that is left as it is; ``index`` is the character at which the reason stands."""

    def __init__(self, reason: str, index: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.index = index


@dataclass(frozen=True)
class Edit:
    """Bytes ``start`` to ``end`` of the file, which are ``old``, become ``new``."""

    start: int
    end: int
    old: bytes
    new: bytes


@dataclass(frozen=True)
class Finding:
    """What a rule has to say of one place; ``line`` and ``column`` count from 1, in characters.

    ``level`` is ``change`` (rewritten, or would be), ``note`` (reported, never touched) or
    ``refused`` (should change, but cannot safely; the whole file is left as it is).
    """

    rule: str
    level: str
    key: str
    line: int
    column: int
    message: str
    old: str = ""
    new: str = ""


@dataclass(frozen=True)
class FilePlan:
    """What is to be done to one file: findings, and the edits in the order of the file.

    ``digest`` is the SHA-256 of the bytes that were read; ``diff`` the hunks of a patch, without
    its header. ``skipped`` says why the file was not looked into, empty if it was.
    """

    path: str
    findings: tuple[Finding, ...] = ()
    edits: tuple[Edit, ...] = ()
    digest: str = ""
    diff: bytes = b""
    skipped: str = ""

    @property
    def refused(self) -> bool:
        return any(finding.level == REFUSED for finding in self.findings)


@dataclass(frozen=True)
class Choice:
    """Which rules look, and what they write.

    :param rules: names of rules.
    :param values: pairs of a rule's name and the text that it writes instead of its own default.
    :param also: further old values, beside each rule's own, that are rewritten.
    :param max_bytes: larger files are skipped.
    """

    rules: tuple[str, ...]
    values: tuple[tuple[str, str], ...] = ()
    also: tuple[int, ...] = ()
    max_bytes: int = DEFAULT_MAX_BYTES


@dataclass
class Counts:
    """Of one run or a part of it; ``faults`` are what cannot be read, and why."""

    files: int = 0
    candidates: int = 0
    changed: int = 0
    refused: int = 0
    skipped: dict[str, int] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    def skip(self, why: str, count: int = 1) -> None:
        self.skipped[why] = self.skipped.get(why, 0) + count

    def pass_over(self, path: str, why: str) -> None:
        if why.startswith(FORBIDDEN):
            self.faults.append(f"{path} {why}")
        else:
            self.skip(why)

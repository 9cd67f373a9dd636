"""What is to be done to one file: the kind of file, the cheap look, the plan of that kind."""

from __future__ import annotations

import codecs
import hashlib
import os
from collections.abc import Callable

from digitalmodel_optimizer_migration import python_file, script_file
from digitalmodel_optimizer_migration.data import (
    BINARY,
    FORBIDDEN,
    HUGE,
    PYTHON,
    SCRIPT,
    UNREADABLE,
    YAML,
    Choice,
    Edit,
    FilePlan,
    Finding,
)
from digitalmodel_optimizer_migration.decoding import is_binary
from digitalmodel_optimizer_migration.patch import hunks
from digitalmodel_optimizer_migration.rule import OURS
from digitalmodel_optimizer_migration.rules import BY_NAME, ENABLE_PLUGINS
from digitalmodel_optimizer_migration.yaml_file import plan_yaml

KINDS = {
    ".yml": YAML,
    ".yaml": YAML,
    ".py": PYTHON,
    **dict.fromkeys((".sh", ".bash", ".bat", ".cmd", ".ps1", ".md", ".markdown"), SCRIPT),
}
_PLANS: dict[str, Callable[[bytes, Choice], tuple[list[Finding], list[Edit]]]] = {
    YAML: plan_yaml,
    PYTHON: python_file.plan_python,
    SCRIPT: script_file.plan_script,
}
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_WORDS = (*OURS.libraries, *OURS.basenames)
_IDENTITY = tuple(  # the shortest: what begins with another word needs no look of its own
    word.encode()
    for word in _WORDS
    if not any(word != other and word.startswith(other) for other in _WORDS)
)


def kind_of(path: str) -> str:
    """By its suffix; a file with another one is only ever asked for by name, as YAML."""
    return KINDS.get(os.path.splitext(path)[1].lower(), YAML)


def is_candidate(raw: bytes, kind: str, choice: Choice) -> bool:
    """A cheap look at bytes: False if no rule can have anything to say.

    A YAML document says whose it is in one of a few words, and each rule looks for a key; where
    one of them is missing there is nothing to parse for.
    """
    if kind == PYTHON:
        return python_file.is_candidate(raw)
    if kind == SCRIPT:
        return script_file.is_candidate(raw)
    if raw.startswith(_UTF16):
        raw = raw[::2].replace(b"\0", b"") + raw[1::2].replace(b"\0", b"")
    return any(word in raw for word in _IDENTITY) and any(key in raw for key in _keys(choice))


def _keys(choice: Choice) -> list[bytes]:
    keys = []
    for name in choice.rules:
        rule = BY_NAME[name]
        if rule.kind == YAML:
            keys.append(b"" if name == ENABLE_PLUGINS else rule.path[-1].encode())
    return keys


def plan_bytes(raw: bytes, kind: str, choice: Choice) -> tuple[list[Finding], list[Edit]]:
    """What is to be done to a file of that kind that holds ``raw``; touches no file."""
    if not is_candidate(raw, kind, choice):
        return [], []
    return _PLANS[kind](raw, choice)


def read_candidate(path: str, choice: Choice) -> bytes | str:
    """The bytes of a file that has to be parsed; else a word why not, empty if nothing is odd."""
    try:
        with open(path, "rb") as stream:
            if os.fstat(stream.fileno()).st_size > choice.max_bytes:
                return f"{HUGE} (over {choice.max_bytes / 1e6:g} MB)"
            raw = stream.read()
    except FileNotFoundError as error:  # it was there when its folder was listed
        return f"{UNREADABLE}: {error.strerror}"
    except OSError as error:
        return f"{FORBIDDEN}: {error.strerror or error}"
    if is_binary(raw):
        return BINARY
    return raw if is_candidate(raw, kind_of(path), choice) else ""


def plan_file(path: str, choice: Choice) -> FilePlan:
    """Read ``path`` and plan it; never writes, never raises for what is in a file."""
    raw = read_candidate(path, choice)
    if isinstance(raw, str):
        return FilePlan(path, skipped=raw)
    findings, edits = _PLANS[kind_of(path)](raw, choice)
    return FilePlan(
        path,
        tuple(findings),
        tuple(edits),
        hashlib.sha256(raw).hexdigest(),
        hunks(raw, edits),
    )

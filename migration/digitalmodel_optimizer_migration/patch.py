"""Edits as a patch that ``git apply`` takes, on bytes: no encoding guessed, no line end changed."""

from __future__ import annotations

from collections.abc import Sequence

from digitalmodel_optimizer_migration.data import Edit
from digitalmodel_optimizer_migration.splice import splice

_CONTEXT = 3


def header(name: str) -> bytes:
    """The lines before a file's hunks; ``name`` is relative, with forward slashes."""
    old, new = _quoted(f"a/{name}"), _quoted(f"b/{name}")
    # A tab ends a name that holds a space, as git itself writes it.
    end = b"\t" if b" " in old and not old.startswith(b'"') else b""
    return (
        b"diff --git " + old + b" " + new + b"\n"
        b"--- " + old + end + b"\n"
        b"+++ " + new + end + b"\n"
    )  # fmt: skip


def _quoted(name: str) -> bytes:
    raw = name.encode("utf-8", "surrogateescape")
    if all(byte >= 0x20 and byte not in b'"\\\x7f' for byte in raw):
        return raw
    escapes = {0x22: b'\\"', 0x5C: b"\\\\", 0x09: b"\\t", 0x0A: b"\\n", 0x0D: b"\\r"}
    inner = b"".join(
        escapes.get(byte) or (bytes([byte]) if 0x20 <= byte < 0x7F else b"\\%03o" % byte)
        for byte in raw
    )
    return b'"' + inner + b'"'


def hunks(raw: bytes, edits: Sequence[Edit]) -> bytes:
    """The hunks for ``edits`` of the file that holds ``raw``; lines end at each LF byte."""
    if not edits:
        return b""
    lines = _lines(raw)
    changed = _changed(lines, edits)
    blocks = {first: (end, new) for first, end, new in changed}
    parts, shift = [], 0
    for group in _groups(changed, len(lines)):
        first, last = group
        body: list[bytes] = []
        removed = added = 0
        number = first
        while number < last:
            if number not in blocks:
                body.append(_marked(b" ", lines[number]))
                removed, added, number = removed + 1, added + 1, number + 1
                continue
            end, new = blocks[number]
            body += [_marked(b"-", line) for line in lines[number:end]]
            body += [_marked(b"+", line) for line in new]
            removed, added, number = removed + end - number, added + len(new), end
        place = (_range(first, removed), _range(first + shift, added))
        parts += [b"@@ -%s +%s @@\n" % place, *body]
        shift += added - removed
    return b"".join(parts)


def _lines(raw: bytes) -> list[bytes]:
    lines = raw.split(b"\n")
    return [line + b"\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])


def _changed(lines: Sequence[bytes], edits: Sequence[Edit]) -> list[tuple[int, int, list[bytes]]]:
    """Blocks of lines that are replaced: first, behind the last, and the new lines."""
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    blocks: list[tuple[int, int, list[Edit]]] = []
    number = 0
    for edit in sorted(edits, key=lambda item: item.start):
        while number + 1 < len(lines) and starts[number + 1] <= edit.start:
            number += 1
        last = number
        while starts[last + 1] < edit.end:
            last += 1
        if blocks and number < blocks[-1][1]:
            first, end, more = blocks.pop()
            blocks.append((first, max(end, last + 1), [*more, edit]))
        else:
            blocks.append((number, last + 1, [edit]))
    found = []
    for first, end, inside in blocks:
        text = b"".join(lines[first:end])
        base = starts[first]
        moved = [Edit(e.start - base, e.end - base, e.old, e.new) for e in inside]
        found.append((first, end, _lines(splice(text, moved))))
    return found


def _groups(changed: Sequence[tuple[int, int, list[bytes]]], count: int) -> list[tuple[int, int]]:
    groups: list[tuple[int, int]] = []
    for first, end, _ in changed:
        begin, stop = max(0, first - _CONTEXT), min(count, end + _CONTEXT)
        if groups and begin <= groups[-1][1]:
            groups[-1] = (groups[-1][0], stop)
        else:
            groups.append((begin, stop))
    return groups


def _marked(mark: bytes, line: bytes) -> bytes:
    if line.endswith(b"\n"):
        return mark + line
    return mark + line + b"\n\\ No newline at end of file\n"


def _range(first: int, count: int) -> bytes:
    return b"%d,%d" % (first + 1 if count else first, count)

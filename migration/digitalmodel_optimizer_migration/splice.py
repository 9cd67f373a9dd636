"""Putting edits into bytes."""

from __future__ import annotations

from collections.abc import Sequence

from digitalmodel_optimizer_migration.data import Edit


def splice(raw: bytes, edits: Sequence[Edit]) -> bytes:
    """``raw`` with ``edits`` made.

    :raises ValueError: edits overlap, or the bytes at an edit are not those that it expects.
    """
    parts, kept = [], 0
    for edit in sorted(edits, key=lambda item: item.start):
        if not kept <= edit.start <= edit.end or raw[edit.start : edit.end] != edit.old:
            raise ValueError(f"bytes {edit.start} to {edit.end} are not what was to be replaced")
        parts += [raw[kept : edit.start], edit.new]
        kept = edit.end
    return b"".join([*parts, raw[kept:]])

"""Putting edits into bytes."""

from __future__ import annotations

from collections.abc import Sequence

from digitalmodel_optimizer_migration.data import Edit


def splice(raw: bytes, edits: Sequence[Edit]) -> bytes:
    """``raw`` with ``edits`` made, from the end so that no offset moves.

    :raises ValueError: edits overlap, or the bytes at an edit are not those that it expects.
    """
    end = len(raw)
    for edit in sorted(edits, key=lambda item: item.start, reverse=True):
        if edit.end > end or edit.start > edit.end or raw[edit.start : edit.end] != edit.old:
            raise ValueError(f"bytes {edit.start} to {edit.end} are not what was to be replaced")
        raw = raw[: edit.start] + edit.new + raw[edit.end :]
        end = edit.start
    return raw

"""Mutated files; ``python tests/migration/mutations.py 100000`` for many of them."""

from __future__ import annotations

from mutations import run


def test_mutated_files_are_no_crash_and_lose_no_byte() -> None:
    outcomes = run(500, seed=1)
    assert outcomes["changed"] > 50
    assert outcomes["refused"] > 50
    assert outcomes["left alone"] > 50

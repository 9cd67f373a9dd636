"""Records in one file that is only added to: whatever happens to some, the others are found."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from digitalmodel_optimizer.plugin.journal import Journal, framed, joined

RECORDS = st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=6)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("journal") / "journal"


@given(records=RECORDS, place=st.integers(0, 10_000), change=st.integers(1, 255))
def test_a_damaged_byte_costs_one_record_and_no_other(
    path: Path, records: list[bytes], place: int, change: int
) -> None:
    content = bytearray(joined(records))
    place %= len(content)
    content[place] ^= change
    path.write_bytes(content)
    ends = [len(joined(records[: n + 1])) for n in range(len(records))]
    hit = next(n for n, end in enumerate(ends) if place < end)
    assert Journal(str(path)).records() == [r for n, r in enumerate(records) if n != hit]


@example(records=[b"\xd1"], more=[b""], cut=1)  # the mark begins with what was cut off
@given(records=RECORDS, more=RECORDS, cut=st.integers(1, 60))
def test_what_is_added_behind_a_record_that_was_cut_off_is_found(
    path: Path, records: list[bytes], more: list[bytes], cut: int
) -> None:
    content = joined(records)
    cut = min(cut, len(framed(records[-1])))
    path.write_bytes(content[:-cut])
    journal = Journal(str(path))
    for record in more:
        journal.add(record)
    journal.close()
    assert journal.records() == [*records[:-1], *more]


@given(record=st.binary(max_size=40), rest=st.binary(max_size=40))
def test_a_record_may_hold_another_one(path: Path, record: bytes, rest: bytes) -> None:
    outer = framed(record) + rest
    path.write_bytes(framed(outer))
    assert Journal(str(path)).records() == [outer]

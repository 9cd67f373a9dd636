"""Which files have settled, are due, or are held back: figures in, figures out."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from digitalmodel_optimizer.watch.arrivals import Arrivals, Stamp


def stamp(size: int) -> Stamp:
    return (size, size, 1)


def arrivals(locked: set[str] | None = None) -> Arrivals:
    return Arrivals(10.0, lambda path: "is locked" if path in (locked or ()) else None)


def test_a_file_settles_when_it_has_not_changed_for_long_enough() -> None:
    found = arrivals()
    found.look({"a": stamp(1)}, 0.0)
    assert (found.settled, found.settles_s) == ({}, 10.0)
    found.look({"a": stamp(2)}, 9.0)
    assert (found.settled, found.settles_s) == ({}, 19.0)
    found.look({"a": stamp(2)}, 18.9)
    assert not found.is_due
    found.look({"a": stamp(2)}, 19.0)
    assert (found.settled, found.settles_s) == ({"a": stamp(2)}, math.inf)
    assert found.is_due


def test_a_file_that_cannot_be_opened_is_looked_at_until_it_can() -> None:
    locked = {"a"}
    found = arrivals(locked)
    found.look({"a": stamp(1)}, 0.0)
    found.look({"a": stamp(1)}, 10.0)
    assert (found.settled, found.unopenable) == ({}, {"a": "is locked"})
    assert found.settles_s == math.inf
    locked.clear()
    found.look({"a": stamp(1)}, 11.0)
    assert (found.settled, found.unopenable) == ({"a": stamp(1)}, {})


def test_what_is_in_the_tables_is_due_again_only_when_it_changes() -> None:
    found = arrivals()
    found.look({"a": stamp(1), "b": stamp(1)}, 0.0)
    found.look({"a": stamp(1), "b": stamp(1)}, 10.0)
    found.processed(found.settled, {})
    assert not found.is_due
    found.look({"a": stamp(2), "b": stamp(1)}, 20.0)
    assert not found.is_due, "not before it has settled"
    found.look({"a": stamp(2), "b": stamp(1)}, 30.0)
    assert found.is_due
    found.processed(found.settled, {})
    found.look({"b": stamp(1)}, 40.0)
    assert found.is_due, "one is gone"
    found.processed(found.settled, {})
    found.look({}, 50.0)
    assert not found.is_due, "no batch without a file"


def test_a_file_that_failed_is_held_back_until_it_changes() -> None:
    found = arrivals()
    files = {"a": stamp(1), "b": stamp(1)}
    found.look(files, 0.0)
    found.look(files, 10.0)
    assert found.processed(found.settled, {"b": "broken"}) == ["b"]
    found.look(files, 20.0)
    assert not found.is_due
    assert (found.settled, found.held_back) == ({"a": stamp(1)}, ["b"])
    files["b"] = stamp(2)
    found.look(files, 30.0)
    found.look(files, 40.0)
    assert found.is_due
    assert found.held_back == []
    assert found.processed(found.settled, {}) == []
    assert not found.is_due


@given(
    st.lists(st.dictionaries(st.sampled_from("abc"), st.integers(1, 3)), max_size=12),
    st.sets(st.tuples(st.sampled_from("abc"), st.integers(1, 3))),
)
def test_whatever_happens_in_the_end_each_file_is_in_the_tables_or_has_failed(
    history: list[dict[str, int]], bad: set[tuple[str, int]]
) -> None:
    found = arrivals()
    now_s = 0.0

    def look(files: dict[str, int]) -> None:
        found.look({path: stamp(size) for path, size in files.items()}, now_s)
        if found.is_due:
            processed = found.settled
            failures = {
                path: "bad" for path, (size, *_) in processed.items() if (path, size) in bad
            }
            found.processed(processed, failures)

    for files in history:
        look(files)
        now_s += 4.0
    last = history[-1] if history else {}
    for _ in range(4):  # until all has settled
        look(last)
        now_s += 4.0
    good = {path: stamp(size) for path, size in last.items() if (path, size) not in bad}
    assert not found.is_due
    assert set(found.failed) == last.keys() - good.keys()
    if good:
        assert found.in_tables == good

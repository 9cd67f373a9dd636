"""Comparing requests by value, and answering them from blocks that were read beforehand."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

import pytest

from digitalmodel_optimizer.file.keys import Freezer, UncacheableArgumentError, freeze
from digitalmodel_optimizer.file.reader import MISS, ResultReader, request_key
from digitalmodel_optimizer.plugin import Request, RequestKind


class Point(ctypes.Structure):
    _fields_ = (("x", ctypes.c_double), ("where", ctypes.c_int * 2), ("name", ctypes.c_wchar_p))


def point(x: float, name: str = "a") -> Point:
    return Point(x, (ctypes.c_int * 2)(1, 2), name)


def test_structures_are_compared_field_by_field() -> None:
    assert freeze(point(1.0)) == freeze(point(1.0))
    assert freeze(point(1.0)) != freeze(point(2.0))
    # Their bytes hold a pointer to the text, so texts are compared as texts.
    assert freeze(point(1.0, "na" + "me")) == freeze(point(1.0, "name"))
    assert freeze(point(1.0, "a")) != freeze(point(1.0, "b"))


def test_truth_is_not_the_number_one_and_a_tuple_is_no_list() -> None:
    assert freeze(True) != freeze(1)
    assert freeze((1, 2)) != freeze([1, 2])
    assert freeze([1, None, "x"]) == freeze([1, None, "x"])


def test_what_is_not_understood_is_said_to_be_so() -> None:
    with pytest.raises(UncacheableArgumentError, match="object"):
        freeze([object()])
    with pytest.raises(UncacheableArgumentError):
        request_key(Freezer(), RequestKind.TIME_HISTORY, 1, ["X", "Y"], None, None)


def test_a_structure_that_changed_is_read_anew() -> None:
    freezer, moving = Freezer(), point(1.0)
    before = freezer.freeze(moving)
    assert freezer.freeze(moving) is before
    moving.x = 3.0
    assert freezer.freeze(moving) == freeze(point(3.0)) != before


def request(name: str) -> Request:
    return Request(RequestKind.TIME_HISTORY, None, name, None)


class Reads:
    """Answers each request with its variable's name; remembers the blocks."""

    def __init__(self, unreadable: Sequence[str] = (), nothing: bool = False) -> None:
        self.blocks: list[list[str]] = []
        self.unreadable = unreadable
        self.nothing = nothing

    def __call__(self, requests: Sequence[Request]) -> Sequence[Any] | None:
        self.blocks.append([item.variable for item in requests])
        if self.nothing:
            return None
        return [None if r.variable in self.unreadable else r.variable for r in requests]


def reader(names: str, reads: Reads, size: int = 2) -> ResultReader:
    return ResultReader([(name, request(name)) for name in names], reads, size)


def test_blocks_are_read_once_and_only_when_something_of_them_is_asked() -> None:
    reads = Reads()
    answers = reader("abcd", reads)
    assert [answers.answer(name) for name in "cd"] == ["c", "d"]
    assert reads.blocks == [["c", "d"]]
    assert [answers.answer(name) for name in "ab"] == ["a", "b"]
    assert reads.blocks == [["c", "d"], ["a", "b"]]


def test_a_result_that_was_planned_twice_is_read_once_and_answered_twice() -> None:
    reads = Reads()
    answers = reader("aab", reads)
    assert [answers.answer(name) for name in "aab"] == ["a", "a", "b"]
    assert reads.blocks == [["a", "b"]]


def test_an_answer_is_let_go_once_it_has_been_given() -> None:
    reads = Reads()
    answers = reader("ab", reads)
    answers.answer("a")
    assert answers.answer("a") is MISS
    assert len(reads.blocks) == 1


def test_what_was_not_planned_or_could_not_be_read_is_a_miss() -> None:
    reads = Reads(unreadable="b")
    answers = reader("ab", reads)
    assert answers.answer("z") is MISS
    assert answers.answer("b") is MISS
    assert answers.answer("b") is MISS
    assert answers.answer("a") == "a"
    assert len(reads.blocks) == 1
    nothing = Reads(nothing=True)
    answers = reader("ab", nothing)
    assert answers.answer("a") is MISS
    assert answers.answer("b") is MISS
    assert len(nothing.blocks) == 1

"""What is encoded comes back with its types and bits; what could not is refused."""

from __future__ import annotations

import contextlib
import datetime
import math
import pickle
import struct
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest
from hypothesis import given
from hypothesis import strategies as st

from digitalmodel_optimizer.host.state import Change, EngineState
from digitalmodel_optimizer.plugin import OutputFile, SimulationFile, Timings
from digitalmodel_optimizer.tables.codec import NotPlainError, decode, encode
from digitalmodel_optimizer.tables.row_tables import OneRow


def image(value: Any) -> Any:
    """Equal for values of equal types and bits."""
    kind = type(value)
    if kind is float:
        return (kind, struct.pack("<d", value))
    if isinstance(value, np.generic):
        return (kind, value.dtype.str, value.tobytes())
    if kind in (list, tuple):
        return (kind, [image(item) for item in value])
    if kind is dict:
        return (kind, [(image(key), image(item)) for key, item in value.items()])
    if kind is datetime.datetime:
        return (kind, value.isoformat(), value.fold)
    if kind is pandas.DataFrame:
        columns = [value.iloc[:, place] for place in range(value.shape[1])]
        return (
            kind,
            [(str(column.dtype), column.dtype, image(list(column))) for column in columns],
            [
                (type(labels), labels.dtype, image(list(labels)), image(labels.name))
                for labels in (value.index, value.columns)
            ],
        )
    if kind in (OneRow, Change, EngineState, SimulationFile, OutputFile, Timings):
        return (kind, image(vars(value)))
    return (kind, value)


def bits(number: int) -> float:
    return float(struct.unpack("<d", struct.pack("<Q", number))[0])


floats = st.integers(0, 2**64 - 1).map(bits) | st.floats() | st.sampled_from([-0.0, math.inf])
texts = st.text(st.characters(), max_size=8) | st.just("caf\udce9.sim")  # surrogates included
scalars = st.one_of(
    floats.map(np.float64),
    st.floats(width=32).map(np.float32),
    st.integers(-(2**63), 2**63 - 1).map(np.int64),
    st.integers(0, 255).map(np.uint8),
    st.booleans().map(np.bool_),
    st.complex_numbers().map(np.complex128),
    st.just(np.datetime64("2024-05-01T12:00:00.5", "ns")),
    st.just(np.timedelta64(-3, "ms")),
)
atoms = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(2**200), 2**200),
    floats,
    texts,
    st.binary(max_size=5),
    scalars,
    st.datetimes(timezones=st.sampled_from([None, datetime.timezone.utc])),
    st.dates(),
    texts.filter(lambda text: "\0" not in text).map(Path),
)
keys = st.one_of(texts, st.integers(), floats, st.none(), st.tuples(st.integers(), texts))
values = st.recursive(
    atoms,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(keys, inner, max_size=4),
    ),
    max_leaves=12,
)


@given(values)
def test_values_come_back_with_types_and_bits(value: Any) -> None:
    assert image(decode(encode(value))) == image(value)


@given(st.lists(floats.map(np.float64) | floats | texts | st.none(), max_size=30))
def test_rows_of_a_summary_come_back_with_types_and_bits(row: list[Any]) -> None:
    names = tuple(map(str, range(len(row))))
    one = OneRow(("file", "stem"), ("a.sim", "a"), names, tuple(row))
    assert image(decode(encode({"main": one}))) == image({"main": one})


columns = st.one_of(
    st.lists(floats, min_size=3, max_size=3),
    st.lists(st.integers(-9, 9), min_size=3, max_size=3),
    st.lists(st.booleans(), min_size=3, max_size=3),
    st.lists(texts.filter(lambda text: text.isascii()) | st.none(), min_size=3, max_size=3),
    st.lists(atoms, min_size=3, max_size=3).map(lambda cells: pandas.Series(cells, dtype=object)),
    st.just(np.array([1, 2, 3], dtype="<M8[ns]")),
    st.just(np.array([1, 2, 3], dtype="<f4")),
)
labels = st.sampled_from([pandas.RangeIndex(2, 8, 2), pandas.Index(["a", None, 3], name="n")])


@given(st.lists(columns, max_size=4), labels, st.booleans())
def test_tables_come_back_with_types_labels_and_bits(
    content: list[Any], index: Any, repeated: bool
) -> None:
    table = pandas.DataFrame(dict(enumerate(content)), index=None if not content else [0, 1, 2])
    table.index = index
    table.columns = ["x" if repeated else f"c{place}" for place in range(len(content))]
    assert image(decode(encode(table))) == image(table)


def test_what_the_hosts_linked_statistics_are_made_of_has_a_plain_form() -> None:
    row = pandas.DataFrame([["a.sim", "t", None, None, 1.5]], columns=["f", "l", "r", "s", "v"])
    table = pandas.concat([pandas.DataFrame(), row], ignore_index=True)
    pandas.testing.assert_frame_equal(decode(encode(table)), table)
    assert decode(encode(table)).to_csv() == table.to_csv()


def test_states_and_files_come_back() -> None:
    left = (Change(("a", 0, "b"), [1, (2,)], filled=True), Change(("c",), None, removed=True))
    content = [
        EngineState(left, ("time_series",)),
        SimulationFile(3, "x.sim", 10),
        OutputFile("a", "b", -1),
        Timings(1.0, 0.5),
    ]
    assert decode(encode(content)) == content


class Text(str):
    __slots__ = ()


ring: list[Any] = []
ring.append(ring)


@pytest.mark.parametrize(
    "value",
    [
        object(),
        Decimal(1),
        Text("a"),
        {1, 2},
        bytearray(b"a"),
        np.longdouble(1),
        np.array([1.0]),
        pandas.Timestamp("2024-05-01"),
        pandas.DataFrame({"a": pandas.Categorical(["x"])}),
        pandas.DataFrame({"a": [1]}, index=pandas.MultiIndex.from_tuples([(1, 2)])),
        pandas.DataFrame({"a": pandas.date_range("2024-05-01", periods=2, tz="Europe/Oslo")}),
        datetime.datetime(2024, 5, 1, tzinfo=datetime.timezone(datetime.timedelta(hours=1))),
        ring,
        (ring,),
        [[{"deep": (print,)}]],
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_would_not_come_back_as_it_is_is_refused(value: Any) -> None:
    with pytest.raises(NotPlainError):
        encode(value)


@pytest.mark.parametrize(
    "content",
    [b"", b"\xc1", encode([1])[:-1], encode([1]) + b"x", pickle.dumps([1]), b"\xc7\x01\x09\x00"],
)
def test_bytes_of_anything_else_are_no_record(content: bytes) -> None:
    with pytest.raises(ValueError, match="not a record"):
        decode(content)


@given(st.binary(max_size=60))
def test_any_bytes_are_a_value_or_no_record(content: bytes) -> None:
    with contextlib.suppress(ValueError):
        decode(content)

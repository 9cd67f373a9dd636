"""Results of files as plain data: bytes that are read back to equal values and never run anything.

What is encoded comes back with the same types and the same bits: floats with every NaN, numpy's
scalars, integers of any size, texts with lone surrogates (names of files that are no UTF-8),
tuples, dicts with any keys, tables with the types of their columns. A type that is not listed here
is refused: a value that came back a little different would be a wrong result. The one thing that
is not kept is that two places share one object.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Callable
from itertools import compress
from pathlib import Path
from typing import Any

import msgpack
import numpy as np

from digitalmodel_optimizer.host.state import Change, EngineState
from digitalmodel_optimizer.plugin import OutputFile, SimulationFile, Timings
from digitalmodel_optimizer.tables.row_tables import OneRow


class NotPlainError(TypeError):
    """A value cannot be encoded exactly."""


def encode(value: Any) -> bytes:
    """``value`` as bytes.

    :raises NotPlainError: something in it would not come back as it is.
    """
    try:
        return _packed(_plain(value))
    except NotPlainError:
        raise
    except (ValueError, OverflowError, RecursionError, TypeError) as error:  # rings, depth, size
        raise NotPlainError(str(error)) from error


def decode(content: bytes) -> Any:
    """What :func:`encode` was given.

    :raises ValueError: ``content`` is nothing that it made.
    """
    try:
        return _unpacked(content)
    except Exception as error:
        raise ValueError(f"not a record: {error}") from error


# -- what msgpack has no word for: an ext type each, never renumbered ----------------------------

_BIG_INT, _TUPLE, _MIXED, _SCALAR, _DATETIME, _DATE, _TABLE, _DATACLASS, _PATH = range(9)
_PATH_TYPE = type(Path())  # the host's names of files: this system's kind of path
_ATOMS = frozenset({type(None), bool, int, float, str, bytes})
_DATACLASSES: tuple[type, ...] = (OneRow, Change, EngineState, SimulationFile, OutputFile, Timings)
_FIELDS = {kind: tuple(f.name for f in dataclasses.fields(kind)) for kind in _DATACLASSES}
_NUMERIC_KINDS = "biufcmM"
_NOT_PORTABLE = "gG"  # longdouble: its bytes hold more than its value


def _packed(plain: Any) -> bytes:
    packed: bytes = msgpack.packb(
        plain, strict_types=True, unicode_errors="surrogatepass", default=_big_int
    )
    return packed


def _unpacked(content: bytes) -> Any:
    return msgpack.unpackb(
        content,
        ext_hook=_of_ext,
        unicode_errors="surrogatepass",
        strict_map_key=False,
        use_list=True,
    )


def _big_int(value: Any) -> msgpack.ExtType:
    """For integers of more than 64 bits; everything else has been made plain."""
    size = value.bit_length() // 8 + 1
    return msgpack.ExtType(_BIG_INT, value.to_bytes(size, "little", signed=True))


def _plain(value: Any) -> Any:
    """``value`` in msgpack's own types and ours; atoms as they are."""
    kind = type(value)
    if kind in _ATOMS:
        return value
    make = _MAKERS.get(kind)
    if make is not None:
        return make(value)
    if isinstance(value, np.generic):
        return _scalar(value)
    if kind.__name__ == "DataFrame":
        return _table(value)
    raise NotPlainError(f"{kind.__module__}.{kind.__qualname__}")


def _list(value: list[Any]) -> list[Any]:
    return value if _ATOMS.issuperset(map(type, value)) else list(map(_plain, value))


def _dict(value: dict[Any, Any]) -> dict[Any, Any]:
    keys, values = _list(list(value)), _list(list(value.values()))
    return dict(zip(keys, values, strict=True))


def _tuple(value: tuple[Any, ...]) -> msgpack.ExtType:
    """A file's values are mostly numpy's floats: those are kept together, in one block."""
    kinds = list(map(type, value))
    if np.float64 not in kinds:
        return msgpack.ExtType(_TUPLE, _packed(_list(list(value))))
    is_float = [kind is np.float64 for kind in kinds]
    floats = np.array(list(compress(value, is_float)), dtype="<f8").tobytes()
    rest = [item for item, taken in zip(value, is_float, strict=True) if not taken]
    return msgpack.ExtType(_MIXED, _packed([bytes(is_float), floats, _list(rest)]))


def _mixed(is_float: bytes, floats: bytes, rest: list[Any]) -> tuple[Any, ...]:
    from_block, others = iter(np.frombuffer(floats, dtype="<f8")), iter(rest)
    return tuple(next(from_block if taken else others) for taken in is_float)


def _checked_type(dtype: Any) -> str:
    """The name of ``dtype``, from which numpy makes the very same type."""
    if dtype.kind not in _NUMERIC_KINDS or dtype.char in _NOT_PORTABLE:
        raise NotPlainError(f"numpy.{dtype}")
    name: str = dtype.str
    if np.dtype(name).num != dtype.num:  # two types of C that are of one size here
        raise NotPlainError(f"numpy.{dtype}")
    return name


def _scalar(value: np.generic) -> msgpack.ExtType:
    if type(value) is not value.dtype.type:
        raise NotPlainError(type(value).__qualname__)
    return msgpack.ExtType(_SCALAR, _packed([_checked_type(value.dtype), value.tobytes()]))


def _array(name: str, content: bytes) -> Any:
    dtype = np.dtype(name)
    if dtype.kind not in _NUMERIC_KINDS:
        raise ValueError(name)
    return np.frombuffer(content, dtype=dtype)


def _datetime(value: datetime.datetime) -> msgpack.ExtType:
    if value.tzinfo not in (None, datetime.timezone.utc):
        raise NotPlainError("datetime in a zone")
    parts = (*value.timetuple()[:6], value.microsecond, value.fold, value.tzinfo is not None)
    return msgpack.ExtType(_DATETIME, _packed(list(parts)))


def _datetime_of(
    year: int,
    month: int,
    day: int,
    hour: int,
    minute: int,
    second: int,
    microsecond: int,
    fold: int,
    in_utc: bool,
) -> datetime.datetime:
    zone = datetime.timezone.utc if in_utc else None
    return datetime.datetime(
        year, month, day, hour, minute, second, microsecond, tzinfo=zone, fold=fold
    )


def _date(value: datetime.date) -> msgpack.ExtType:
    return msgpack.ExtType(_DATE, _packed([value.year, value.month, value.day]))


def _path(value: Path) -> msgpack.ExtType:
    return msgpack.ExtType(_PATH, _packed([str(value)]))


def _dataclass(value: Any) -> msgpack.ExtType:
    kind = type(value)
    fields = [_plain(getattr(value, name)) for name in _FIELDS[kind]]
    return msgpack.ExtType(_DATACLASS, _packed([_DATACLASSES.index(kind), *fields]))


def _dataclass_of(place: int, *fields: Any) -> Any:
    return _DATACLASSES[place](*fields)


# -- tables -------------------------------------------------------------------------------------


def _table(table: Any) -> msgpack.ExtType:
    """A DataFrame, column by column: how pandas lays columns together changes no answer of it."""
    import pandas

    plain = type(table) is pandas.DataFrame and table.flags.allows_duplicate_labels
    if not plain or table.attrs:
        raise NotPlainError("a DataFrame with more than its columns")
    columns = [_column(table.iloc[:, place]) for place in range(table.shape[1])]
    return msgpack.ExtType(
        _TABLE, _packed([_labels(table.index), _labels(table.columns), *columns])
    )


def _table_of(index: list[Any], labels: list[Any], *columns: list[Any]) -> Any:
    import pandas

    rows = _labels_of(index)
    content = {
        place: pandas.Series(_column_of(*column), index=rows, dtype=_dtype_of(*column))
        for place, column in enumerate(columns)
    }
    table = pandas.DataFrame(content, index=rows)
    table.columns = _labels_of(labels)
    return table


def _labels(labels: Any) -> list[Any]:
    import pandas

    if type(labels) is pandas.RangeIndex:
        return [_plain(labels.name), labels.start, labels.stop, labels.step]
    if type(labels) is not pandas.Index:
        raise NotPlainError(f"labels of a table in a {type(labels).__name__}")
    return [_plain(labels.name), _column(labels)]


def _labels_of(labels: list[Any]) -> Any:
    import pandas

    name, *content = labels
    if len(content) == 3:
        return pandas.RangeIndex(*content, name=name)
    (column,) = content
    return pandas.Index(_column_of(*column), dtype=_dtype_of(*column), name=name)


def _column(values: Any) -> list[Any]:
    """The type of a Series or Index and what is in it, of which :func:`_column_of` makes it."""
    import pandas

    dtype = values.dtype
    if isinstance(dtype, pandas.StringDtype):
        # The missing value of such a column is its type's: NaN, or in older ones pandas.NA.
        missing_is_nan = isinstance(getattr(dtype, "na_value", pandas.NA), float)
        texts = [value if type(value) is str else None for value in values]
        return ["str", dtype.storage, missing_is_nan, texts]
    if not isinstance(dtype, np.dtype):
        raise NotPlainError(f"a column of {dtype}")
    if dtype.kind == "O":
        return ["O", _list(list(values))]
    return [_checked_type(dtype), values.to_numpy().tobytes()]


def _column_of(name: str, *content: Any) -> Any:
    import pandas

    if name == "str":
        return pandas.array(content[-1], dtype=_dtype_of(name, *content))
    if name == "O":
        values = np.empty(len(content[0]), dtype=object)
        for place, value in enumerate(content[0]):  # all at once, lists would become dimensions
            values[place] = value
        return values
    return _array(name, content[0]).copy()


def _dtype_of(name: str, *content: Any) -> Any:
    import pandas

    if name != "str":
        return np.dtype(name)
    storage, missing_is_nan, _ = content
    if missing_is_nan:
        return pandas.StringDtype(storage, na_value=np.nan)
    return pandas.StringDtype(storage)


_MAKERS: dict[type, Callable[[Any], Any]] = {
    list: _list,
    dict: _dict,
    tuple: _tuple,
    np.float64: _scalar,
    datetime.datetime: _datetime,
    datetime.date: _date,
    _PATH_TYPE: _path,
    **dict.fromkeys(_DATACLASSES, _dataclass),
}
_READERS: dict[int, Callable[..., Any]] = {
    _TUPLE: lambda *items: items,
    _MIXED: _mixed,
    _SCALAR: lambda name, content: _array(name, content)[0],
    _DATETIME: _datetime_of,
    _DATE: datetime.date,
    _PATH: _PATH_TYPE,
    _TABLE: _table_of,
    _DATACLASS: _dataclass_of,
}


def _of_ext(code: int, content: bytes) -> Any:
    if code == _BIG_INT:
        return int.from_bytes(content, "little", signed=True)
    return _READERS[code](*_unpacked(content))

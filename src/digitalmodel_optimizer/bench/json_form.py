"""The JSON form of results: dataclasses nested as they are, written whole or not at all."""

from __future__ import annotations

import dataclasses
import os
import tempfile
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from digitalmodel_optimizer.plugin import OptimizerError


class MisshapenError(Exception):
    """JSON that is not the form of the dataclass that is wanted; the text says where."""


def read_json(path: Path, schema: str) -> dict[str, Any]:
    """The object that stands in ``path``.

    :raises OptimizerError: it cannot be read, or its ``schema`` is another.
    """
    try:
        content = orjson.loads(path.read_bytes())
    except OSError as error:
        raise OptimizerError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise OptimizerError(f"{path} is not JSON: {error}") from error
    found = content.get("schema") if isinstance(content, dict) else None
    if found != schema:
        raise OptimizerError(
            f"{path} is no result of this version: schema {found!r}, not {schema!r}"
        )
    return dict(content)


def read_as(kind: type, path: Path, schema: str) -> Any:
    """A dataclass of ``kind`` from ``path``.

    :raises OptimizerError: it cannot be read, is of another schema, or is damaged.
    """
    content = read_json(path, schema)
    try:
        return build(kind, content)
    except MisshapenError as error:
        raise OptimizerError(f"{path} is damaged: {error}") from error


def build(kind: Any, content: Any, where: str = "") -> Any:
    """What ``content`` says, as a ``kind``; keys that a dataclass does not know are passed over.

    :raises MisshapenError: it is of another form.
    """
    if kind is Any:
        return content
    if isinstance(kind, types.UnionType):
        if content is None and types.NoneType in typing.get_args(kind):
            return None
        (kind,) = (item for item in typing.get_args(kind) if item is not types.NoneType)
    if dataclasses.is_dataclass(kind) and isinstance(content, Mapping):
        return _dataclass(kind, content, where)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is tuple and isinstance(content, list):
        return tuple(build(arguments[0], item, f"{where}[{n}]") for n, item in enumerate(content))
    if origin is not None and issubclass(origin, Mapping) and isinstance(content, Mapping):
        return {key: build(arguments[1], item, f"{where}.{key}") for key, item in content.items()}
    if kind is float and type(content) is int:
        return float(content)
    if isinstance(kind, type) and type(content) is kind:
        return content
    raise MisshapenError(f"{where.lstrip('.') or 'all of it'} is {_shortly(content)}")


def _dataclass(kind: Any, content: Mapping[str, Any], where: str) -> Any:
    hints = typing.get_type_hints(kind)
    values = {}
    for field in dataclasses.fields(kind):
        if field.name in content:
            place = f"{where}.{field.name}"
            values[field.name] = build(hints[field.name], content[field.name], place)
        elif field.default is field.default_factory is dataclasses.MISSING:
            raise MisshapenError(f"{f'{where}.{field.name}'.lstrip('.')} is missing")
    return kind(**values)


def _shortly(content: Any) -> str:
    text = repr(content)
    return text if len(text) <= 40 else f"{text[:37]}..."


def write_json(result: Any, path: Path) -> None:
    """Write a result's JSON form; a file that stood there is kept until the new one is whole."""
    write_whole(path, orjson.dumps(result, option=orjson.OPT_INDENT_2) + b"\n")


def write_whole(path: Path, content: bytes) -> None:
    """Write ``content``; the folder is made where there is none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and not path.is_file():  # a pipe, /dev/stdout
        path.write_bytes(content)
        return
    target = path.resolve()  # a link goes on pointing where it does
    beside, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(beside, "wb") as stream:
            stream.write(content)
        os.chmod(name, target.stat().st_mode if target.exists() else 0o666 & ~_umask())
        os.replace(name, target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def demand_writable(path: Path) -> None:
    """Make sure that a result can be written to ``path`` later; its folder is made.

    :raises OptimizerError: it cannot.
    """
    try:
        if path.is_dir():
            raise IsADirectoryError(0, "it is a folder")
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            with path.open("ab"):
                pass
        if not path.exists() or path.is_file():
            with tempfile.TemporaryFile(dir=path.resolve().parent):
                pass
    except OSError as error:
        raise OptimizerError(f"{path} cannot be written: {error.strerror}") from error

"""What the engine prints and logs in a worker process, carried to the parent and said there.

Files run at the same time; their lines must not be mixed. In a worker, standard output, standard
error, ``logging`` and loguru are caught per file (per thread) and sent back with the result.
"""

from __future__ import annotations

import io
import logging
import sys
import threading
from dataclasses import dataclass
from typing import Any, TextIO

from digitalmodel_optimizer.streams import TolerantStream

_caught = threading.local()


@dataclass(frozen=True)
class Message:
    """A piece of output, or a log record, of one file. ``channel`` says which of the four."""

    channel: str
    text: str
    level: int = 0
    name: str = ""


class _CatchingStream(io.TextIOBase):
    """Writes to the list of the thread's file, or through where no file is being processed."""

    def __init__(self, channel: str, through: TextIO | None) -> None:
        self.channel = channel
        self.through = TolerantStream(through)

    def write(self, text: str) -> int:
        messages = getattr(_caught, "messages", None)
        if messages is None:
            return self.through.write(text)
        messages.append(Message(self.channel, text))
        return len(text)

    def flush(self) -> None:
        self.through.flush()

    def writable(self) -> bool:
        return True


class _CatchingHandler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        messages = getattr(_caught, "messages", None)
        if messages is not None:
            messages.append(Message("logging", record.getMessage(), record.levelno, record.name))


def catch_in_this_process(level: int) -> None:
    """Start catching; for worker processes only. ``level``: the parent's root logging level."""
    sys.stdout = _CatchingStream("output", sys.stdout)
    sys.stderr = _CatchingStream("error output", sys.stderr)
    root = logging.getLogger()
    root.handlers[:] = [_CatchingHandler()]
    root.setLevel(level)
    loguru = _loguru()
    if loguru is not None:
        loguru.remove()
        loguru.add(_catch_loguru, level=level)


def _catch_loguru(message: Any) -> None:
    messages = getattr(_caught, "messages", None)
    if messages is not None:
        record = message.record
        messages.append(
            Message("loguru", record["message"], record["level"].no, record["name"] or "")
        )


class catching:  # noqa: N801 - used as ``with catching() as messages``
    """Catch what this thread prints and logs."""

    def __enter__(self) -> list[Message]:
        _caught.messages = []
        return _caught.messages  # type: ignore[no-any-return]

    def __exit__(self, *_: object) -> None:
        _caught.messages = None


def joined(messages: list[Message]) -> tuple[Message, ...]:
    """Neighbouring pieces of one stream made one, so that a line is printed at once."""
    merged: list[Message] = []
    for message in messages:
        last = merged[-1] if merged else None
        if last is not None and last.channel == message.channel and message.level == 0:
            merged[-1] = Message(last.channel, last.text + message.text)
        else:
            merged.append(message)
    return tuple(merged)


def say(messages: tuple[Message, ...]) -> None:
    """Print and log ``messages`` in this process, as if the engine had done so here."""
    loguru = _loguru()
    for message in messages:
        if message.channel == "output":
            TolerantStream(sys.stdout).write(message.text)
        elif message.channel == "error output":
            TolerantStream(sys.stderr).write(message.text)
        elif message.channel == "loguru" and loguru is not None:
            renamed = loguru.patch(_named(message.name))
            renamed.log(_loguru_level(loguru, message.level), "{}", message.text)
        else:
            logging.getLogger(message.name or "root").log(message.level, "%s", message.text)


def _named(name: str) -> Any:
    def rename(record: Any) -> None:
        record["name"] = name

    return rename


def _loguru_level(loguru: Any, number: int) -> Any:
    name = logging.getLevelName(number)
    try:
        loguru.level(name)
    except (ValueError, TypeError):
        return number
    return name


def _loguru() -> Any:
    module = sys.modules.get("loguru")
    return None if module is None else module.logger

"""A message is written as well as a stream can take it, and never ends a batch."""

from __future__ import annotations

import io
import sys

import pytest

from digitalmodel_optimizer.streams import TolerantStream, say


class _Gone(io.StringIO):
    """A terminal that has gone."""

    def write(self, _text: str) -> int:
        raise OSError(5, "Input/output error")

    flush = None  # type: ignore[assignment]


def _closed() -> io.StringIO:
    stream = io.StringIO()
    stream.close()
    return stream


@pytest.mark.parametrize("stream", [None, _Gone(), _closed()], ids=["none", "gone", "closed"])
def test_a_stream_that_cannot_be_written_to_is_passed_over(
    stream: io.StringIO | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    tolerant = TolerantStream(stream)
    assert tolerant.write("text") == 4
    tolerant.flush()
    monkeypatch.setattr(sys, "stderr", stream)
    say("text")


def test_a_character_that_the_encoding_lacks_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(written, encoding="cp1252", newline=""))
    say("case_\u03a9\u00e9.sim")
    assert written.getvalue() == b"digitalmodel-optimizer: case_?\xe9.sim\n"

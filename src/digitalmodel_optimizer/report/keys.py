"""Keys that a user presses while a batch runs, read from the terminal one at a time."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable
from typing import Any

_LOOK_S = 0.2


class Keys:
    """Tells each key that is pressed, until :meth:`close`; nothing where there is no terminal.

    The terminal hands out whole lines otherwise, and shows what is typed. Ctrl-C and Ctrl-Z keep
    their meaning. A command in the background of a shell must not read its terminal, or it would
    be stopped.

    :param pressed: called on a thread of this class.
    """

    def __init__(self, pressed: Callable[[str], None]) -> None:
        self._pressed = pressed
        self._closing = threading.Event()
        self._restore: Callable[[], None] = lambda: None
        self._thread: threading.Thread | None = None
        read = self._reader()
        if read is not None:
            self._thread = threading.Thread(target=self._run, args=(read,), daemon=True,
                                            name="optimizer-keys")  # fmt: skip
            self._thread.start()

    @property
    def works(self) -> bool:
        """Whether keys are read."""
        return self._thread is not None

    def close(self) -> None:
        self._closing.set()
        if self._thread is not None:
            self._thread.join(2 * _LOOK_S + 1.0)
            self._thread = None
        self._restore()
        self._restore = lambda: None

    def _run(self, read: Callable[[], str]) -> None:
        with contextlib.suppress(OSError, ValueError):  # the terminal has gone away
            while not self._closing.is_set():
                key = read()
                if key:
                    self._pressed(key)

    def _reader(self) -> Callable[[], str] | None:
        """Reads a key, or returns an empty text after a moment."""
        stream = sys.stdin
        try:
            if stream is None or not stream.isatty():
                return None
            descriptor = stream.fileno()
        except (OSError, ValueError, AttributeError):
            return None
        if sys.platform == "win32":
            return self._on_windows()
        return self._on_posix(descriptor)

    def _on_windows(self) -> Callable[[], str]:
        import msvcrt

        console: Any = msvcrt

        def read() -> str:
            if not console.kbhit():
                self._closing.wait(_LOOK_S)
                return ""
            return str(console.getwch())

        return read

    def _on_posix(self, descriptor: int) -> Callable[[], str] | None:
        import os
        import select
        import termios
        import tty

        try:
            if os.tcgetpgrp(descriptor) != os.getpgrp():
                return None
            before = termios.tcgetattr(descriptor)
            tty.setcbreak(descriptor, termios.TCSANOW)
        except (OSError, termios.error):
            return None
        self._restore = lambda: _put_back(descriptor, before)

        def read() -> str:
            ready, _, _ = select.select([descriptor], [], [], _LOOK_S)
            if not ready or self._closing.is_set():
                return ""
            return os.read(descriptor, 1).decode("ascii", "ignore")

        return read


def _put_back(descriptor: int, attributes: Any) -> None:
    import termios

    with contextlib.suppress(OSError, termios.error):
        termios.tcsetattr(descriptor, termios.TCSANOW, attributes)

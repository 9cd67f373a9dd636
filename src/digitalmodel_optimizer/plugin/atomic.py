"""A path gets its content at once: whoever looks sees what was there before, or all of the new."""

from __future__ import annotations

import contextlib
import os
import secrets
import time
from collections.abc import Callable

# Windows: access denied, sharing violation, lock violation. A virus scanner, an indexer or a
# synchronised folder opens what has just been written, for milliseconds.
_OPEN_FOR_A_MOMENT = {5, 32, 33}
# Flags that Windows lacks are 0 there, and those that only Windows has are 0 elsewhere.
NO_LINK: int = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
NEW_FILE: int = os.O_WRONLY | os.O_CREAT | os.O_EXCL | NO_LINK
_PAUSES_S = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32)


def publish(staged: str, final: str, pause: Callable[[float], None] = time.sleep) -> None:
    """Rename ``staged`` to ``final``, in whose place it comes; never through a link.

    :raises OSError: it cannot be done, nor after some tries within a second where somebody else
        has ``final`` open for a moment.
    """
    for pause_s in _PAUSES_S:
        try:
            return os.replace(staged, final)
        except OSError as error:
            if getattr(error, "winerror", None) not in _OPEN_FOR_A_MOMENT:
                raise
        pause(pause_s)
    return os.replace(staged, final)


def write_whole(path: str, content: bytes, mode: int = 0o666) -> None:
    """Give ``path`` this content at once; a link that stands there is replaced, not followed.

    :raises OSError: it cannot be done; what stood there is still there.
    """
    # By a short name: beside a long ``path``, one that is longer still may be too long.
    staged = os.path.join(os.path.dirname(path), f".dmo-{secrets.token_hex(8)}")
    descriptor = os.open(staged, NEW_FILE, mode)
    try:
        with open(descriptor, "wb") as stream:
            stream.write(content)
        publish(staged, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(staged)
        raise

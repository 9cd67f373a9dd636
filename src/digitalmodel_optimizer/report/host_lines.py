"""What the host prints while the live view is on: kept in a file, every line of it.

The host writes some twenty lines for each file, which would push everything else off the screen.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from pathlib import Path
from typing import TextIO

FOLDER_VARIABLE = "DIGITALMODEL_OPTIMIZER_LOGS"
_KEPT = 20


def log_folder() -> Path:
    """Where the files are: the user's folder for logs, or what the environment names."""
    import platformdirs

    named = os.environ.get(FOLDER_VARIABLE)
    if named:
        return Path(named).expanduser().absolute()
    return platformdirs.user_log_path("digitalmodel-optimizer", appauthor=False)


class HostLines:
    """A file of lines; made with the first one. ``last`` is the latest line, ``count`` how many.

    ``path`` is None where no file can be written: lines then go to where they would have gone.
    """

    def __init__(self) -> None:
        self.count = 0
        self.last = ""
        self.path: Path | None = None
        self._file: TextIO | None = None
        self._lock = threading.Lock()

    def take(self, text: str) -> bool:
        """Keep whole lines; False if they cannot be."""
        with self._lock:
            if self._file is None and not self._open():
                return False
            assert self._file is not None
            try:
                self._file.write(text)
            except (OSError, ValueError):
                self._file = None
                return False
            self.count += text.count("\n")
            said = [line.strip() for line in text.splitlines() if line.strip()]
            self.last = said[-1] if said else self.last
            return True

    def close(self) -> None:
        with self._lock, contextlib.suppress(OSError, ValueError):
            if self._file is not None:
                self._file.close()

    def _open(self) -> bool:
        if self.count:  # it has failed before
            return False
        try:
            folder = log_folder()
            folder.mkdir(parents=True, exist_ok=True)
            _remove_old(folder)
            name = f"host-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.log"
            self.path = folder / name
            self._file = self.path.open("w", encoding="utf-8", errors="backslashreplace")
        except OSError:
            self.path = None
            return False
        return True


def _remove_old(folder: Path) -> None:
    with contextlib.suppress(OSError):
        for old in sorted(folder.glob("host-*.log"))[: 1 - _KEPT]:
            old.unlink()

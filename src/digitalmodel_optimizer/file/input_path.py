"""What stands at the path of a simulation file, where that is no file."""

from __future__ import annotations

import os
import stat

MISSING = "file_missing"


def why_no_file(path: str) -> tuple[str, str] | None:
    """A code and the end of a sentence; None where a regular file is, whatever it holds."""
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        link = os.path.islink(path)
        return MISSING, "is a link that leads nowhere" if link else "does not exist"
    except OSError as fault:
        loop = os.path.islink(path)
        said = "is a link that leads in a circle" if loop else f"cannot be read: {fault.strerror}"
        return "file_unreadable", said
    if stat.S_ISDIR(mode):
        return "file_is_folder", "is a folder, not a simulation file"
    if not stat.S_ISREG(mode):
        return "file_unreadable", "is not a regular file"
    return None

"""tox's own plugin of this folder: makes every interpreter that pyenv has visible to uv.

pyenv's shims refuse to run a version that is not switched on, and uv takes the first one on the
PATH at its word. ``PYENV_VERSION`` with all versions switches all of them on, for tox alone.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from tox.plugin import impl


@impl
def tox_add_option() -> None:
    """Called first of all hooks, before any environment looks for its interpreter."""
    shim = Path(shutil.which("pyenv-which") or shutil.which("python3") or "")
    if shim.parent.name != "shims" or os.environ.get("PYENV_VERSION"):
        return
    versions = sorted(path.name for path in (shim.parent.parent / "versions").iterdir())
    chosen = [name for name in versions if name.startswith("3.1")]
    if chosen:
        os.environ["PYENV_VERSION"] = ":".join(chosen)

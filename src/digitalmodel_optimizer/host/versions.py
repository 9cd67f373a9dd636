"""Which code and which libraries a host's numbers and texts come from."""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version

from digitalmodel_optimizer.host.layouts import host_version

_HOST = ("digitalmodel", "assetutilities")
_LIBRARIES = ("OrcFxAPI", "numpy", "pandas")


def host_versions() -> dict[str, str]:
    """Everything besides configuration and files that decides what the host writes, by name.

    Of the host the version says little where it runs from a clone, so its source files count too,
    by size and time.
    """
    return {
        "digitalmodel": f"{host_version()} {_digest_of_sources()}",
        **{name: _version(name) for name in _LIBRARIES},
        "OrcaFlex": _orcaflex_version(),
        "Python": platform.python_version(),
    }


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return ""


def _orcaflex_version() -> str:
    """That of the native library which OrcFxAPI has loaded; empty where it has none yet."""
    binding = sys.modules.get("OrcFxAPI")
    with contextlib.suppress(Exception):
        return "" if binding is None else str(binding.DLLVersion())
    return ""


def _digest_of_sources() -> str:
    digest = hashlib.sha256()
    for name in _HOST:
        for folder in getattr(sys.modules.get(name), "__path__", ()):
            for item in _sources(folder):
                digest.update(repr((name, *item)).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()[:20]


def _sources(root: str) -> Iterator[tuple[str, int, int]]:
    """Relative path, size in bytes and time of modification in ns of each module."""
    for folder, inner, names in os.walk(root):
        inner.sort()
        for name in sorted(names):
            if name.endswith(".py"):
                path = os.path.join(folder, name)
                with contextlib.suppress(OSError):
                    status = os.stat(path)
                    yield os.path.relpath(path, root), status.st_size, status.st_mtime_ns

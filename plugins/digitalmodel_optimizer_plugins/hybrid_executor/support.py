"""Whether this process can have worker processes at all."""

from __future__ import annotations

from digitalmodel_optimizer.plugin.python_processes import why_no_python_processes


def why_no_processes() -> str | None:
    """Why not, as a sentence; None where they can be had."""
    obstacle = why_no_python_processes()
    if obstacle is not None:
        return obstacle
    try:
        import loky.backend  # noqa: F401
    except ImportError as error:
        return f"this system has no support for them ({error})"
    return None

"""Which file of a batch the calling thread is working on."""

from __future__ import annotations

import threading
from typing import Any

_active = threading.local()


def current() -> Any:
    """The :class:`~digitalmodel_optimizer.file.context.FileContext`; None outside of a batch."""
    return getattr(_active, "context", None)


def set_current(context: Any) -> None:
    _active.context = context

"""Warnings of this project as users should see them: one line, without a place in our own code."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

from digitalmodel_optimizer.plugin import OptimizerWarning


def print_warnings_in_a_line() -> None:
    """From now on, in this process; for commands, whose user has no code to look at.

    Filters (``-W``, ``PYTHONWARNINGS``) work as ever, other warnings look as ever.
    """
    if not isinstance(warnings.formatwarning, _Format):
        warnings.formatwarning = _Format(warnings.formatwarning)


class _Format:
    def __init__(self, others: Callable[..., str]) -> None:
        self._others = others

    def __call__(self, message: Any, category: type[Warning], *place: Any, **line: Any) -> str:
        if issubclass(category, OptimizerWarning):
            return f"digitalmodel-optimizer: warning: {message}\n"
        return self._others(message, category, *place, **line)

"""What a check of ``doctor`` finds."""

from __future__ import annotations

from dataclasses import dataclass

OK, WARN, FAIL = "ok", "warn", "fail"


@dataclass(frozen=True)
class Check:
    """``state`` is ``ok``, ``warn`` or ``fail`` (a run would stop); ``advice`` says what to do."""

    name: str
    state: str
    found: str
    advice: str = ""

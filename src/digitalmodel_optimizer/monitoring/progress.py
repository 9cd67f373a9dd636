"""Progress display (placeholder until the display lands)."""

from __future__ import annotations


class ProgressDisplay:
    pass

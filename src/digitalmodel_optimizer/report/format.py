"""Numbers in words, as people read them."""

from __future__ import annotations

MB_PER_GB = 1000
MB_PER_TB = 1_000_000
MINUTE_S = 60
HOUR_S = 3600
_FEW = 10  # below, digits behind the point are told
_UNITS = {"s": "s", "mb": "MB", "ms": "ms", "percent": "%"}


def count(number: int, noun: str) -> str:
    """``1 file``, ``20 files``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def amount(mb: float) -> str:
    """``0.7 MB``, ``67 MB``, ``3.3 GB``; decimal, as everywhere in this project."""
    if mb >= MB_PER_TB:
        return f"{mb / MB_PER_TB:.3g} TB"
    if mb >= MB_PER_GB:
        return f"{mb / MB_PER_GB:.3g} GB"
    return f"{mb:.0f} MB" if mb >= _FEW else f"{mb:.1f} MB"


def duration(seconds: float) -> str:
    """``0.52 s``, ``12.3 s``, ``2 min 05 s``, ``1 h 12 min``."""
    if seconds < _FEW:
        return f"{seconds:.2f} s"
    if seconds < MINUTE_S:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < HOUR_S:
        return f"{whole // MINUTE_S} min {whole % MINUTE_S:02d} s"
    return f"{whole // HOUR_S} h {whole % HOUR_S // MINUTE_S:02d} min"


def quantity(name: str, value: float) -> str:
    """``collect_s`` 0.5 as ``collect 0.50 s``, ``written_mb`` 67 as ``written 67 MB``."""
    words, _, unit = name.rpartition("_")
    if not words or unit not in _UNITS:
        number = f"{value:.0f}" if value == int(value) else f"{value:.3g}"
        return f"{name.replace('_', ' ')} {number}"
    said = words.replace("_", " ")
    if unit == "mb":
        return f"{said} {amount(value)}"
    return f"{said} {duration(value) if unit == 's' else f'{value:.3g} {_UNITS[unit]}'}"

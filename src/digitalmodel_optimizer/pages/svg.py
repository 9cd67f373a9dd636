"""Drawings for pages: axes, lines, bars and points as SVG text.

Coordinates of a drawing are in its data's own units; each mark may carry a text that browsers show
under the mouse.
"""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

WIDTH = 960
_MARGIN_LEFT, _MARGIN_RIGHT, _MARGIN_TOP, _MARGIN_BOTTOM = 74, 18, 10, 38
_CHARACTER = 7  # the width of one, in a row's name
_TICKS = 6
_NICE = (1.0, 2.0, 2.5, 5.0, 10.0)


def ticks(least: float, most: float, number: int = _TICKS) -> list[float]:
    """Round values from ``least`` to ``most``, about ``number`` of them."""
    span = most - least
    if not math.isfinite(span) or span <= 0:
        return [least]
    rough = span / number
    power = 10.0 ** math.floor(math.log10(rough))
    step = power * next(nice for nice in _NICE if nice * power >= rough)
    first = math.ceil(least / step - 1e-9)
    last = math.floor(most / step + 1e-9)
    return [round(place * step, 12) for place in range(first, last + 1)]


def number(value: float) -> str:
    """A coordinate or a label in as few characters as tell it."""
    return f"{value:.6g}"


@dataclass
class Plot:
    """A drawing with axes from 0 to ``x_most`` and from 0 to ``y_most``.

    :param rows: names for whole numbers on the y axis, from the top, in place of a scale.
    :param counted: the x axis counts things, and has no scale.
    :param y_least: above 0 the y axis is logarithmic and begins there.
    """

    x_label: str
    y_label: str
    x_most: float
    y_most: float
    height: int = 240
    rows: Sequence[str] = ()
    counted: bool = False
    y_least: float = 0.0
    _marks: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.x_most = self.x_most if self.x_most > 0 else 1.0
        self.y_most = self.y_most if self.y_most > 0 else 1.0
        longest = max(map(len, self.rows), default=0)
        self._left = max(_MARGIN_LEFT, _CHARACTER * longest + 12)

    def x(self, value: float) -> float:
        inner = WIDTH - self._left - _MARGIN_RIGHT
        return round(self._left + inner * value / self.x_most, 2)

    def y(self, value: float) -> float:
        inner = self.height - _MARGIN_TOP - _MARGIN_BOTTOM
        share = value / self.y_most
        if self.y_least > 0:
            value = max(value, self.y_least)
            share = math.log(value / self.y_least) / math.log(self.y_most / self.y_least)
        return round(_MARGIN_TOP + inner * (share if self.rows else 1.0 - share), 2)

    def line(self, points: Iterable[tuple[float, float]], kind: str, words: str = "") -> None:
        """A line through ``points``; ``kind`` is its class in the style sheet."""
        path = " ".join(f"{self.x(x)},{self.y(y)}" for x, y in points)
        self._marks.append(
            f'<polyline class="line {kind}" points="{path}">{_title(words)}</polyline>'
        )

    def bar(
        self, x_from: float, x_to: float, y_from: float, y_to: float, kind: str, words: str = ""
    ) -> None:
        left, right = self.x(x_from), self.x(x_to)
        top, bottom = sorted((self.y(y_from), self.y(y_to)))
        width, height = max(0.4, round(right - left, 2)), round(bottom - top, 2)
        self._marks.append(
            f'<rect class="{kind}" x="{left}" y="{top}" width="{width}" height="{height}">'
            f"{_title(words)}</rect>"
        )

    def point(self, x: float, y: float, kind: str, words: str = "") -> None:
        at = f'cx="{self.x(x)}" cy="{self.y(y)}"'
        self._marks.append(f'<circle class="{kind}" {at} r="3">{_title(words)}</circle>')

    def text(self, x: float, y: float, words: str) -> None:
        """Words beside a point, to its left where it stands far to the right."""
        right = self.x(x) > 0.7 * WIDTH
        place = -6 if right else 6
        anchor = "end" if right else "start"
        self._marks.append(
            f'<text class="note" x="{self.x(x) + place}" y="{self.y(y) + 4}" '
            f'text-anchor="{anchor}">{html.escape(words)}</text>'
        )

    def drawn(self, words: str) -> str:
        """The SVG; ``words`` say what it shows to those who cannot see it."""
        return (
            f'<svg role="img" viewBox="0 0 {WIDTH} {self.height}" '
            f'aria-label="{html.escape(words, quote=True)}">'
            f"{''.join(self._axes())}{''.join(self._marks)}</svg>\n"
        )

    def _y_ticks(self) -> list[float]:
        return _decades(self.y_least, self.y_most) if self.y_least > 0 else ticks(0, self.y_most, 4)

    def _axes(self) -> list[str]:
        left, right = self.x(0), self.x(self.x_most)
        bottom = self.height - _MARGIN_BOTTOM
        found = []
        for value in () if self.counted else ticks(0, self.x_most):
            at = self.x(value)
            found.append(
                f'<line class="grid" x1="{at}" y1="{_MARGIN_TOP}" x2="{at}" y2="{bottom}"/>'
            )
            found.append(
                f'<text x="{at}" y="{bottom + 15}" text-anchor="middle">{number(value)}</text>'
            )
        if self.rows:
            for place, name in enumerate(self.rows):
                at = self.y(place + 0.5) + 4
                found.append(
                    f'<text x="{left - 6}" y="{at}" text-anchor="end">{html.escape(name)}</text>'
                )
        else:
            for value in self._y_ticks():
                at = self.y(value)
                found.append(f'<line class="grid" x1="{left}" y1="{at}" x2="{right}" y2="{at}"/>')
                found.append(
                    f'<text x="{left - 6}" y="{at + 4}" text-anchor="end">{number(value)}</text>'
                )
        middle = (left + right) / 2
        found.append(
            f'<text class="axis" x="{middle}" y="{self.height - 4}" text-anchor="middle">'
            f"{html.escape(self.x_label)}</text>"
        )
        upright = (_MARGIN_TOP + bottom) / 2
        found.append(
            f'<text class="axis" x="14" y="{upright}" text-anchor="middle" '
            f'transform="rotate(-90 14 {upright})">{html.escape(self.y_label)}</text>'
        )
        return found


def _decades(least: float, most: float) -> list[float]:
    """1, 2 and 5 of each power of ten from ``least`` to ``most``."""
    first, last = (math.floor(math.log10(value)) for value in (least, most))
    values = [factor * 10.0**power for power in range(first, last + 1) for factor in (1, 2, 5)]
    return [value for value in values if least <= value <= most]


def _title(words: str) -> str:
    return f"<title>{html.escape(words)}</title>" if words else ""

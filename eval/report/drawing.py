"""What charts are made of: a codec's style and marker, axes with round ticks, figures as text.

Colours are CSS classes `s0` … `s7`, so that the page can have a light and a dark set. Every codec
also has a marker of its own shape, and from the eighth codec on a dashed line, so that nobody needs
the colour to tell two codecs apart.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Axis", "Style", "decimals", "shown", "styles_of"]

COLOURS = 8
_GREY = 6  # the colour of the codec that repeats its keyframe: it is the floor and not a rival
_SHAPES = (
    "M-5 0a5 5 0 1 0 10 0a5 5 0 1 0 -10 0z",  # circle
    "M-4.5-4.5h9v9h-9z",  # square
    "M0-5.8L5.6 4.2H-5.6z",  # triangle
    "M0-6.2L6.2 0L0 6.2L-6.2 0z",  # diamond
    "M0 5.8L5.6-4.2H-5.6z",  # triangle on its tip
    "M0-6L5.7-1.9L3.5 4.9H-3.5L-5.7-1.9z",  # pentagon
    "M-2-6h4v4h4v4h-4v4h-4v-4h-4v-4h4z",  # cross
    "M-3-5.2h6L6 0L3 5.2h-6L-6 0z",  # hexagon
)


@dataclass(frozen=True, slots=True)
class Style:
    """How a codec is drawn: `slot` is the number of its colour, `shape` that of its marker."""

    slot: int
    shape: int
    dashed: bool = False

    @property
    def outline(self) -> str:
        """SVG path of its marker around 0, 0."""
        return _SHAPES[self.shape]

    @property
    def classes(self) -> str:
        """CSS classes of its line."""
        return f"s{self.slot}" + (" dashed" if self.dashed else "")


def styles_of(codecs: Sequence[str]) -> dict[str, Style]:
    """One style a codec, the same in all charts and tables."""
    free = [slot for slot in range(COLOURS) if slot != _GREY]
    styles: dict[str, Style] = {}
    used = 0
    for codec in codecs:
        if codec.split(" ")[0] == "frozen" and _GREY not in {s.slot for s in styles.values()}:
            styles[codec] = Style(_GREY, _GREY)
            continue
        turn = used // len(free)
        slot = free[used % len(free)]
        styles[codec] = Style(slot, (slot + 3 * turn) % COLOURS, turn > 0)
        used += 1
    return styles


def decimals(values: Sequence[float]) -> int:
    """Digits after the point that suit a set of figures."""
    size = max((abs(value) for value in values), default=0.0)
    return 1 if size >= 100 else 2 if size >= 1 else 3 if size >= 0.1 else 4


def shown(value: float | None, digits: int) -> str:
    """A figure with a real minus; a dash where there is none."""
    if value is None:
        return "–"
    text = f"{value:.{digits}f}"
    return text.replace("-", "−") if float(text) else text.removeprefix("-")


@dataclass(frozen=True, slots=True)
class Axis:
    """From figures to places on the picture; `log` for a logarithmic one."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def place(self, value: float) -> float:
        """Where a figure lies, in the picture's units, to a tenth."""
        low, high, at = self.low, self.high, value
        if self.log:
            low, high, at = math.log10(low), math.log10(high), math.log10(value)
        return round(self.start + (at - low) / (high - low) * (self.end - self.start), 1)

    def ticks(self, most: int) -> list[float]:
        """At most so many round figures inside the axis."""
        steps = _log_steps(self.low, self.high) if self.log else _steps(self.low, self.high)
        return next((ticks for ticks in steps if len(ticks) <= most), [])


def _steps(low: float, high: float) -> list[list[float]]:
    """Sets of evenly spaced round figures, the finest first."""
    size = 10.0 ** math.floor(math.log10((high - low) / 10))
    found = []
    for step in (size * factor for factor in (1, 2, 5, 10, 20, 50, 100)):
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        found.append([number * step for number in range(first, last + 1)])
    return found


def _log_steps(low: float, high: float) -> list[list[float]]:
    found = []
    for digits in ((1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9), (1, 2, 3, 5, 7), (1, 2, 5), (1, 3), (1,)):
        decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        ticks = [digit * 10.0**decade for decade in decades for digit in digits]
        found.append(
            [tick for tick in ticks if low <= tick * (1 + 1e-9) and tick <= high * 1.000001]
        )
    return found

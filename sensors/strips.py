"""Quality over time as a strip of SVG, to stand below a chart: arrays in, text out. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

import numpy as np

from sensors.axes import Frame
from sensors.charts import LEFT, RIGHT, WIDTH
from sensors.series import FloatArray, TimeArray

HEIGHT = 26
_TOP, _BOTTOM = 4, 22
# A slice is at least this wide, in dots, so that a short one is seen.
_NARROWEST = 1.5
GOOD, FAIR = 0.9, 0.7


@dataclass(frozen=True, slots=True)
class Strip:
    """first, last: what the chart above goes from and to. begins, ends: of each slice that has
    readings; quality: its mean, 0 to 1; all (n,). words: what the pointer is told of each."""

    first: np.datetime64
    last: np.datetime64
    begins: TimeArray
    ends: TimeArray
    quality: FloatArray
    words: list[str]


def draw(strip: Strip) -> str:
    """The strip as one <svg> element: a gap is empty, the rest coloured by its quality."""
    frame = Frame(LEFT, RIGHT, _TOP, _BOTTOM, strip.first, strip.last, 0.0, 1.0)
    left = np.clip(frame.x(strip.begins), LEFT, RIGHT)
    right = np.clip(frame.x(strip.ends), LEFT, RIGHT)
    width = np.maximum(right - left, _NARROWEST)
    slices = zip(left, width, strip.quality, strip.words, strict=True)
    return (
        f'<svg class="quality-strip" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="Quality of the readings above" xmlns="http://www.w3.org/2000/svg">'
        f'<rect class="rail" x="{LEFT}" y="{_TOP}" width="{RIGHT - LEFT}" '
        f'height="{_BOTTOM - _TOP}"/>'
        f"{''.join(_slice(*one) for one in slices)}"
        f'<text class="unit" x="{LEFT - 8}" y="{_BOTTOM - 5}" text-anchor="end">quality</text>'
        "</svg>"
    )


def style_of(quality: float) -> str:
    """
    >>> style_of(1.0), style_of(0.8), style_of(0.2)
    ('good', 'fair', 'poor')
    """
    return "good" if quality >= GOOD else "fair" if quality >= FAIR else "poor"


def _slice(x: float, width: float, quality: float, words: str) -> str:
    return (
        f'<rect class="{style_of(quality)}" x="{x:.1f}" y="{_TOP}" width="{width:.1f}" '
        f'height="{_BOTTOM - _TOP}"><title>{escape(words)}</title></rect>'
    )

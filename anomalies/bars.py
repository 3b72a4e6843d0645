"""Small bars of the review page as SVG: numbers in, text out. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise

from sensors.presentation import MINUS

WIDTH, HEIGHT = 240, 18


def signed(value: float) -> str:
    """A contribution with its sign.

    >>> signed(0.126), signed(-0.2), signed(0.0)
    ('+0.13', '−0.20', '±0')
    """
    if round(value, 2) == 0:
        return "±0"
    return f"{'+' if value > 0 else MINUS}{abs(value):.2f}"


def waterfall(values: Sequence[float]) -> list[tuple[float, float]]:
    """Where each contribution begins and ends when they are stacked up from nought.

    >>> waterfall([0.5, 0.25, -0.5])
    [(0.0, 0.5), (0.5, 0.75), (0.75, 0.25)]
    """
    return list(pairwise(accumulate(values, initial=0.0)))


def step_bar(begin: float, end: float, low: float, high: float, marks: Sequence[float]) -> str:
    """One step of a waterfall on the scale low..high, with the thresholds as upright lines."""
    left, right = sorted((_at(begin, low, high), _at(end, low, high)))
    lines = "".join(
        f'<line class="mark" x1="{_at(mark, low, high):.1f}" x2="{_at(mark, low, high):.1f}" '
        f'y1="0" y2="{HEIGHT}"/>'
        for mark in marks
    )
    style = "up" if end >= begin else "down"
    return (
        f'<svg class="step" viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" '
        f'aria-hidden="true">{lines}<rect class="{style}" x="{left:.1f}" y="3" '
        f'width="{max(right - left, 1.5):.1f}" height="{HEIGHT - 6}"/></svg>'
    )


def _at(value: float, low: float, high: float) -> float:
    return (value - low) / ((high - low) or 1.0) * WIDTH

"""What lines of text have in common. Pure."""

from __future__ import annotations

from dataclasses import dataclass

# What a value is, and how many bytes it has at least.
SKIPPED, NAME, TIME, NUMBER = range(4)
_SHORTEST = (0, 1, len("2026-01-02T03:04:05Z"), 1)


@dataclass(frozen=True, slots=True)
class Pattern:
    """What lines have in common.

    leads: what stands before each value. closing: what stands after the last one; between: what
    stands after that, and may be missing at the end of the text. what: of each value, SKIPPED,
    NAME, TIME or NUMBER. banned: the character that no name may hold, besides those of
    control.
    """

    leads: tuple[bytes, ...]
    closing: bytes
    between: bytes
    what: tuple[int, ...]
    banned: int

    @property
    def shortest(self) -> int:
        """Bytes of a line at least."""
        marks = (*self.leads, self.closing, self.between)
        return sum(map(len, marks)) + sum(_SHORTEST[what] for what in self.what)

"""Seeds as they are given on a command line."""

from __future__ import annotations


def seed_range(text: str) -> range:
    """
    >>> list(seed_range("101-103")), list(seed_range("7"))
    ([101, 102, 103], [7])
    """
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)

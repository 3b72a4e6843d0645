"""Pages of figures of which a bench writes a part and people or other benches the rest."""

from __future__ import annotations

from collections.abc import Collection

MARK = "## "


def sections(text: str) -> list[str]:
    """From each heading to the next one; what stands before the first is left out.

    >>> sections("# Page\\n\\n## One\\n\\n1\\n\\n## Two\\n\\n2\\n")
    ['## One\\n\\n1\\n', '## Two\\n\\n2\\n']
    """
    parts = text.split(f"\n{MARK}")[1:]
    return [f"{MARK}{part.rstrip()}\n" for part in parts]


def title(section: str) -> str:
    return section.splitlines()[0].removeprefix(MARK)


def of_others(text: str, written: Collection[str]) -> list[str]:
    """The sections of a page that are not among those that are written now, by title."""
    own = {title(section) for section in written}
    return [section for section in sections(text) if title(section) not in own]

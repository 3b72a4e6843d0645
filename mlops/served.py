"""How models came to serve, in words: what the admin and the command show of the tally."""

from __future__ import annotations

from datetime import datetime

from mlops.models import Fallback, ServedModel
from sensors.presentation import age


def counted(row: ServedModel) -> str:
    return (
        f"{row.hits} times in memory, {row.disk_loads} from disk, {row.downloads} downloaded, "
        f"{row.failures} failed"
    )


def loaded(row: ServedModel, now: datetime) -> str:
    """When it was last loaded, and how long that took."""
    if row.loaded_at is None or row.load_seconds is None:
        return "never loaded"
    return f"loaded {age(row.loaded_at, now)} in {row.load_seconds:.3f} s"


def fallbacks(name: str) -> str:
    """Which rungs judged in its stead; empty where none did."""
    rows = Fallback.objects.filter(name=name)
    return ", ".join(f"{row.rung} {row.sensors} times" for row in rows)


def serving_lines(name: str, *, now: datetime) -> list[str]:
    """Of one model; none where detection never asked for it."""
    row = ServedModel.objects.filter(name=name).first()
    if row is None:
        return []
    lines = [f"  serving: {counted(row)}; {loaded(row, now)}"]
    if row.reason:
        lines.append(f"  v{row.version} does not serve: {row.reason}")
    if instead := fallbacks(name):
        lines.append(f"  lower rungs in its stead: {instead}")
    return lines

"""What this process has ingested, for /metrics."""

from __future__ import annotations

from prometheus_client import Counter

READINGS = Counter(
    "smartmaint_readings",
    "Readings by what became of them, counted after the commit.",
    ["outcome"],
)
STRING_FIELDS = Counter(
    "smartmaint_line_string_fields",
    "String fields of line protocol, which are no readings and were left out.",
)


def count_readings(*, accepted: int, duplicates: int, quarantined: int) -> None:
    READINGS.labels("accepted").inc(accepted)
    READINGS.labels("duplicate").inc(duplicates)
    READINGS.labels("quarantined").inc(quarantined)

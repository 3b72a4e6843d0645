"""When clocks are changed, and by how much."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from sensors.clocks import changes

HOURS = "%Y-%m-%dT%H"


@pytest.mark.parametrize(
    ("zone", "told"),
    [
        ("UTC", []),
        ("Asia/Tokyo", []),
        ("Europe/Berlin", [("2026-03-29T01", 1), ("2026-10-25T01", -1)]),
        ("America/New_York", [("2026-03-08T07", 1), ("2026-11-01T06", -1)]),
        ("Australia/Sydney", [("2026-04-04T16", -1), ("2026-10-03T16", 1)]),
        ("Australia/Lord_Howe", [("2026-04-04T15", -1), ("2026-10-03T16", 1)]),  # by half an hour
    ],
)
def test_the_changes_of_a_year_are_known_in_hours_of_utc(
    zone: str, told: list[tuple[str, int]]
) -> None:
    now = datetime(2026, 6, 1, tzinfo=UTC)
    found = changes(ZoneInfo(zone), now, now)
    assert [
        (datetime.fromtimestamp(hour * 3600, UTC).strftime(HOURS), by)
        for hour, by in found.tolist()
    ] == told


def test_a_range_over_new_year_knows_both_years() -> None:
    found = changes(
        ZoneInfo("Europe/Berlin"),
        datetime(2025, 12, 1, tzinfo=UTC),
        datetime(2026, 1, 9, tzinfo=UTC),
    )
    assert len(found) == 4
    assert (found[1:, 0] > found[:-1, 0]).all()

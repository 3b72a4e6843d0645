"""A sensor's hours, exact at any moment: from the roll-ups, else from the readings."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db.models import F, Sum

from sensors import buckets, rollups
from sensors.models import RollupNote, SensorProfile
from sensors.slices import Buckets, Level, Plan, Range, joined

# So much that waits to be rolled up is rolled up at once instead of being read time and again.
MUCH_US = 24 * Level.HOUR.us
MUCH = timedelta(microseconds=MUCH_US)


def hours_of(sensor_id: int, *, since: datetime, until: datetime) -> Buckets:
    """The hours in which it has readings with since <= time < until, oldest first.

    since, until: whole hours.
    """
    asked = buckets.to_us(since), buckets.to_us(until)
    if _noted(sensor_id, asked) > MUCH_US:
        rollups.roll_up(sensors=[sensor_id])
    profile = SensorProfile.objects.filter(sensor=sensor_id).first()
    kept_from = buckets.to_us(profile.kept_from) if profile and profile.kept_from else None
    return buckets.in_slices(sensor_id, Plan(Level.HOUR, asked[0], Level.HOUR.us), asked, kept_from)


def catch_up(sensor_ids: Sequence[int]) -> None:
    """Roll up what waits of these sensors, where that is much, for all of them at once."""
    waits = RollupNote.objects.filter(sensor__in=sensor_ids).values("sensor")
    waits = waits.annotate(time=Sum(F("until") - F("since"))).filter(time__gt=MUCH)
    if much := list(waits.values_list("sensor", flat=True)):
        rollups.roll_up(sensors=much)


def _noted(sensor_id: int, asked: Range) -> int:
    """Microseconds of the range that wait to be rolled up."""
    ranges = joined(buckets.noted_ranges(sensor_id, asked))
    return sum(min(end, asked[1]) - max(begin, asked[0]) for begin, end in ranges)

"""A chart shows what plain Python finds in the readings, whatever level it is served from."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta
from statistics import fmean
from typing import Any

import numpy as np
import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sensors import buckets, rollups
from sensors.models import HourRollup, MinuteRollups, Reading, RollupNote, Sensor, SensorProfile
from sensors.series import to_datetime
from sensors.slices import MINUTE_US, Level, Plan, joined, outside, plan
from tests.factories import NOW, make_sensor
from tests.sensors.rolled import readings_of, send

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


def time_of(us: int) -> datetime:
    return to_datetime(np.datetime64(us, "us"))


def us_of(time: datetime) -> int:
    return (time - time_of(0)) // timedelta(microseconds=1)


def shown(found: buckets.Slices) -> list[tuple[Any, ...]]:
    each = found.buckets
    return list(
        zip(
            buckets.to_datetimes(each.begins),
            each.minimum.tolist(),
            each.maximum.tolist(),
            each.count.tolist(),
            strict=True,
        )
    )


def expected(
    sensor: Sensor, planned: Plan, since: datetime, until: datetime
) -> dict[datetime, list[float]]:
    """The values in each slice of the plan, from the readings between both ends."""
    slices = defaultdict(list)
    for time, value, *_ in readings_of(sensor):
        if since <= time <= until:
            place = (us_of(time) - planned.anchor) // planned.width
            slices[time_of(planned.anchor + place * planned.width)].append(value)
    return slices


def assert_shows_the_readings(sensor: Sensor, since: datetime, until: datetime, limit: int) -> None:
    found = buckets.points(sensor, since=since, until=until, limit=limit)
    assert len(found if isinstance(found, buckets.Singles) else found.buckets) <= limit
    if isinstance(found, buckets.Singles):
        rows = [row for row in readings_of(sensor) if since <= row[0] <= until]
        times = buckets.to_datetimes(found.times.astype(np.int64))
        assert list(zip(times, found.values.tolist(), strict=True)) == [row[:2] for row in rows]
        return
    slices = expected(sensor, found.plan, since, until)
    assert shown(found) == [
        (begin, min(values), max(values), len(values)) for begin, values in sorted(slices.items())
    ]
    for mean, (_, values) in zip(found.buckets.mean, sorted(slices.items()), strict=True):
        assert mean == pytest.approx(fmean(values), abs=1e-12 * max(map(abs, values)))


seconds = st.integers(0, 30 * 3600)
rows = st.lists(st.tuples(seconds, st.floats(-1e3, 1e3)), min_size=1, max_size=40)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(rows, rows, seconds, st.integers(0, 30 * 3600 * 10**6), st.integers(1, 40))
def test_every_spike_is_in_its_slice_and_the_ends_are_exact(
    rolled: list[Any], noted: list[Any], start: int, length_us: int, limit: int
) -> None:
    with transaction.atomic():
        sensor = make_sensor()
        for part in (rolled, noted):
            send(sensor, [(NOW + timedelta(seconds=s), value) for s, value in part])
            if part is rolled:
                rollups.roll_up()
        since = NOW + timedelta(seconds=start)
        until = since + timedelta(microseconds=length_us)
        assert_shows_the_readings(sensor, since, until, limit)
        transaction.set_rollback(True)


@pytest.fixture
def sensor() -> Sensor:
    """A reading every 20 seconds for 30 hours, rolled up, with a spike that lasts for one."""
    sensor = make_sensor()
    values = np.sin(np.arange(5400) / 50)
    values[3210] = 99.0
    send(sensor, [(NOW + timedelta(seconds=20 * i), float(v)) for i, v in enumerate(values)])
    rollups.roll_up()
    return sensor


@pytest.mark.parametrize(
    ("limit", "level"), [(31, Level.HOUR), (200, Level.MINUTE), (5000, Level.READINGS)]
)
def test_the_coarsest_level_that_gives_enough_serves(
    sensor: Sensor, limit: int, level: Level
) -> None:
    found = buckets.points(sensor, since=NOW, until=NOW + 30 * HOUR, limit=limit)
    assert isinstance(found, buckets.Slices)
    assert found.plan.level is level
    assert limit * 0.75 <= len(found.buckets) <= limit
    assert found.buckets.maximum.max() == 99.0
    assert_shows_the_readings(sensor, NOW, NOW + 30 * HOUR, limit)


def test_a_level_is_not_asked_for_what_readings_alone_know(sensor: Sensor) -> None:
    """Rolled up and not noted: the levels answer, even after the readings were taken away."""
    inside = Reading.objects.filter(sensor=sensor, time__gte=NOW + HOUR, time__lt=NOW + 29 * HOUR)
    inside.delete()
    for limit in (31, 200):
        found = buckets.points(sensor, since=NOW, until=NOW + 30 * HOUR, limit=limit)
        assert isinstance(found, buckets.Slices)
        assert found.buckets.count.sum() == 5400
        assert found.buckets.maximum.max() == 99.0


def test_a_reading_is_in_the_chart_before_it_is_rolled_up(sensor: Sensor) -> None:
    late = NOW + 7 * HOUR + timedelta(seconds=1)
    send(sensor, [(late, -500.0)])
    assert RollupNote.objects.count() == 1
    for limit in (31, 200):
        found = buckets.points(sensor, since=NOW, until=NOW + 30 * HOUR, limit=limit)
        assert isinstance(found, buckets.Slices)
        assert found.plan.level is not Level.READINGS
        assert found.buckets.minimum.min() == -500.0
        assert_shows_the_readings(sensor, NOW, NOW + 30 * HOUR, limit)


def test_one_sensors_chart_has_no_other_sensors_readings(sensor: Sensor) -> None:
    other = make_sensor()
    send(other, [(NOW + timedelta(minutes=i), 1e6) for i in range(60)])
    rollups.roll_up()
    for limit in (31, 200, 5000):
        assert_shows_the_readings(sensor, NOW, NOW + 30 * HOUR, limit)


# --- what was dropped -----------------------------------------------------------------------------


def drop(sensor: Sensor, *, readings: datetime, minutes: datetime | None = None) -> None:
    Reading.objects.filter(sensor=sensor, time__lt=readings).delete()
    if minutes:
        MinuteRollups.objects.filter(sensor=sensor, time__lt=minutes).delete()
    SensorProfile.objects.filter(sensor=sensor).update(
        kept_from=readings, minutes_kept_from=minutes
    )


def test_where_the_readings_were_dropped_their_minutes_are_shown(sensor: Sensor) -> None:
    drop(sensor, readings=NOW + 20 * HOUR)
    found = buckets.points(sensor, since=NOW, until=NOW + 30 * HOUR, limit=5000)
    assert isinstance(found, buckets.Slices)
    assert (found.plan.level, found.plan.width) == (Level.MINUTE, MINUTE_US)
    assert found.buckets.count.sum() == 5400
    assert found.buckets.maximum.max() == 99.0


def test_where_the_minutes_were_dropped_their_hours_are_shown(sensor: Sensor) -> None:
    drop(sensor, readings=NOW + 20 * HOUR, minutes=NOW + 10 * HOUR)
    found = buckets.points(sensor, since=NOW, until=NOW + 30 * HOUR, limit=5000)
    assert isinstance(found, buckets.Slices)
    assert (found.plan.level, len(found.buckets)) == (Level.HOUR, 30)
    assert found.buckets.count.sum() == 5400
    later = buckets.points(sensor, since=NOW + 10 * HOUR, until=NOW + 30 * HOUR, limit=5000)
    assert isinstance(later, buckets.Slices)
    assert later.plan.level is Level.MINUTE


def test_a_dropped_minute_at_the_edge_counts_as_a_whole(sensor: Sensor) -> None:
    drop(sensor, readings=NOW + 20 * HOUR)
    since, until = NOW + timedelta(minutes=10, seconds=30), NOW + timedelta(minutes=19, seconds=30)
    found = buckets.points(sensor, since=since, until=until, limit=100)
    assert isinstance(found, buckets.Slices)
    assert found.buckets.count.tolist() == [3] * 10


def test_a_range_after_what_was_dropped_shows_single_readings(sensor: Sensor) -> None:
    drop(sensor, readings=NOW + 20 * HOUR)
    found = buckets.points(sensor, since=NOW + 25 * HOUR, until=NOW + 26 * HOUR, limit=500)
    assert isinstance(found, buckets.Singles)
    assert len(found) == 181


def test_nothing_rolled_up_and_nothing_noted_is_an_empty_chart() -> None:
    sensor = make_sensor()
    assert not HourRollup.objects.exists()
    for limit in (1, 500):
        assert len(buckets.points(sensor, since=NOW, until=NOW, limit=limit)) == 0  # type: ignore[arg-type]


# --- the pure part --------------------------------------------------------------------------------


@given(
    st.integers(-(10**15), 10**15),
    st.integers(1, 10**15),
    st.integers(1, 5000),
    st.sampled_from(Level),
)
def test_a_plan_holds_its_range_in_as_many_slices_as_allowed(
    since: int, length: int, limit: int, finest: Level
) -> None:
    planned = plan(since, since + length, limit, finest)
    assert planned.anchor <= since
    assert planned.width % planned.level.us == planned.anchor % planned.level.us == 0
    slices = -(-(since + length - planned.anchor) // planned.width)
    assert 1 <= slices <= limit
    # A microsecond less would do with more slices than allowed.
    assert planned.anchor + (planned.width - planned.level.us) * limit < since + length


ranges = st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), max_size=8)


@given(ranges)
def test_joined_ranges_hold_the_same_and_nothing_twice(several: list[tuple[int, int]]) -> None:
    whole = joined(several)
    inside = {at for begin, end in several for at in range(begin, end)}
    assert [at for begin, end in whole for at in range(begin, end)] == sorted(inside)
    assert set(np.flatnonzero(~outside(np.arange(60), whole)).tolist()) == inside

"""What the calendar does to readings is no fault: clocks that change, holidays, outages."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from django.utils import timezone

from anomalies import recomputing
from anomalies.models import Anomaly, Notification, NotificationRoute
from sensors.models import Sensor
from sensors.series import to_datetime64
from tests.anomalies.calendar import (
    A_DAY,
    ZONE,
    found,
    grid,
    load,
    local_hours,
    noise,
    post,
    starts_within,
    work,
)
from tests.factories import make_asset, make_sensor, make_site

pytestmark = pytest.mark.django_db

SPRING, AUTUMN = datetime(2026, 3, 29, 1, tzinfo=UTC), datetime(2026, 10, 25, 1, tzinfo=UTC)
SEED = 7


def make_local_sensor(kind: str = "other") -> Sensor:
    return make_sensor(asset=make_asset(site=make_site(timezone=ZONE)), kind=kind)


@pytest.mark.parametrize("pattern", ["shift", "sun"])
@pytest.mark.parametrize("change", [SPRING, AUTUMN])
def test_clocks_that_change_are_no_anomaly_and_hide_none(change: datetime, pattern: str) -> None:
    sensor, rng = make_local_sensor(), np.random.default_rng(SEED)
    times = grid(change - timedelta(days=12), 17)
    values = load(times, pattern, rng)
    night = (times >= to_datetime64(change + timedelta(days=3, hours=1))) & (local_hours(times) < 5)
    values[night & (times < to_datetime64(change + timedelta(days=3, hours=4)))] += 10
    post(sensor, times, values)
    work()
    assert starts_within(sensor, change - timedelta(days=2), days=5) == []
    assert len(starts_within(sensor, change + timedelta(days=3), days=0.3)) >= 1


def test_a_week_of_holiday_of_a_machine_that_works_in_shifts_is_no_anomaly() -> None:
    sensor, rng = make_local_sensor(), np.random.default_rng(SEED)
    first, holiday = datetime(2026, 5, 4, tzinfo=UTC), datetime(2026, 5, 17, 22, tzinfo=UTC)
    times = grid(first, 26)
    values = load(times, "shift", rng)
    idle = (times >= to_datetime64(holiday)) & (
        times < to_datetime64(holiday) + 7 * A_DAY * 600_000_000
    )
    values[idle] = (40 + noise(int(idle.sum()), rng)).round(2)
    post(sensor, times, values)
    work()
    assert starts_within(sensor, holiday - timedelta(days=2), days=13) == []


def test_a_flood_after_an_outage_ends_as_if_there_had_been_none(mailoutbox: list[object]) -> None:
    """Two days of readings come late, in pieces and out of order, while others arrive."""
    site = make_site(timezone=ZONE)
    clean, late = (make_sensor(asset=make_asset(site=site), kind="other") for _ in range(2))
    NotificationRoute.objects.create(
        name="all", channel="email", target="a@example.org", min_severity=1, queue=""
    )
    end = timezone.now().replace(second=0, microsecond=0)
    times = grid(end - timedelta(days=14), 14)
    values = load(times, "shift", np.random.default_rng(SEED))
    spike = len(times) - 4 * A_DAY  # before the outage: what is found stays found
    values[spike] = 120.0
    post(clean, times, values)
    work()

    gone = slice(len(times) - 3 * A_DAY, len(times) - A_DAY)
    post(late, times[: gone.start], values[: gone.start])
    work()
    post(late, times[gone.stop : -20], values[gone.stop : -20])
    work()
    assert "instrument" in {nature for *_, nature in found(late)}  # it was silent, so far
    told = Notification.objects.count()
    pieces = (
        np.random.default_rng(SEED).permutation(np.arange(gone.start, gone.stop)).reshape(8, -1)
    )
    for number, piece in enumerate(pieces):
        rows = np.sort(piece)
        post(late, times[rows], values[rows])
        post(late, times[-20:][number : number + 1], values[-20:][number : number + 1])
        if number % 3 == 0:
            work()
    post(late, times[-20:], values[-20:])
    work()
    assert found(late) == found(clean)
    assert {start for start, *_ in found(late)} >= {
        Anomaly.objects.filter(sensor=late).earliest("start").start
    }
    assert Notification.objects.count() == told
    assert Anomaly.objects.filter(sensor=late, withdrawn_at__isnull=False).exists()


def test_what_was_looked_at_twice_can_be_computed_again() -> None:
    sensor, rng = make_local_sensor(), np.random.default_rng(SEED)
    times = grid(datetime(2026, 5, 4, tzinfo=UTC), 9)
    values = load(times, "shift", rng)
    values[-60:-30] += 12
    values[100] = 90
    post(sensor, times, values)
    work()
    anomalies = Anomaly.objects.standing().filter(sensor=sensor)
    assert any(anomaly.receipt["look"] for anomaly in anomalies)
    for anomaly in anomalies:
        assert recomputing.recompute(anomaly).score == pytest.approx(anomaly.score, abs=1e-9)

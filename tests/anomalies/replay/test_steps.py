"""Steps that are passed over: nothing would have come of them, and most are."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest

from anomalies import cycle
from anomalies.models import NotificationRoute
from anomalies.replay import running
from anomalies.replay.change import Change
from anomalies.replay.course import Course
from anomalies.replay.running import replay
from sensors import formats
from sensors.acquisition import ingest
from sensors.models import Site
from tests.factories import NOW, make_asset, make_sensor, make_site

pytestmark = pytest.mark.django_db(transaction=True)

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
UNTIL = NOW + 20 * HOUR
COURSE = Course(NOW, UNTIL, lead=HOUR, step=20 * MINUTE)


def stored(site: Site, name: str, times: list[datetime], values: np.ndarray) -> None:
    lines = [
        f"{name},{time.isoformat()},{value!r}"
        for time, value in zip(times, values.tolist(), strict=True)
    ]
    body = "\n".join(["sensor,time,value", *lines]).encode()
    assert ingest(formats.from_csv(body), site=site, source="file", now=UNTIL).accepted


def measured(every: timedelta, n: int, *, jitter_s: float = 20.0) -> tuple[list[datetime], Any]:
    """Times up to the end and quiet values, from 300 readings before the beginning on."""
    rng = np.random.default_rng(n)
    times = [
        UNTIL - every * i + timedelta(seconds=float(rng.uniform(-jitter_s, 0)))
        for i in reversed(range(n))
    ]
    return times, 50 + rng.normal(0, 1, n)


def without(
    times: list[datetime], values: Any, since: datetime, until: datetime = UNTIL
) -> tuple[list[datetime], Any]:
    kept = [i for i, time in enumerate(times) if not since <= time <= until]
    return [times[i] for i in kept], values[kept]


@pytest.fixture
def site() -> Site:
    """Two machines. On one a fault, a slow sensor that makes a pause of ten hours and one that is
    quick; on the other a sensor that dies while an episode is open."""
    site = make_site(slug="north")
    pump, fan = (make_asset(site=site, name=name) for name in ("pump", "fan"))
    for asset, name in ((pump, "fast"), (pump, "slow"), (fan, "dies"), (fan, "stays")):
        make_sensor(asset=asset, external_id=name, alarm_high=90.0)
    times, values = measured(10 * MINUTE, 480)
    values[-100:-90] += 14
    values[-20] = 95.0
    stored(site, "fast", times, values)
    stored(site, "slow", *without(*measured(HOUR, 100), NOW + 4 * HOUR, NOW + 14 * HOUR))
    times, values = measured(10 * MINUTE, 480)
    values[-90] = 95.0
    stored(site, "dies", *without(times, values, NOW + 6 * HOUR))
    stored(site, "stays", *measured(10 * MINUTE, 480))
    common = {"channel": "email", "target": "ada@plant.example", "min_severity": 1, "queue": ""}
    NotificationRoute.objects.create(name="again", repeat_minutes=120, **common)
    NotificationRoute.objects.create(name="late", after_minutes=100, **common)
    return site


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[datetime]:
    """When the agents acted."""
    found: list[datetime] = []
    acted = cycle.act

    def act(clock: Any) -> None:
        found.append(clock())
        acted(clock)

    monkeypatch.setattr(running.cycle, "act", act)
    return found


def test_what_is_passed_over_comes_to_the_same(site: Site, looks: list[datetime]) -> None:
    found = replay([site.pk], COURSE, Change())
    few = len(looks)
    looks.clear()
    every = replay([site.pk], COURSE, Change(), every_look=True)
    assert found.would_be == every.would_be
    assert found.readings == every.readings
    seen = every.would_be
    assert {one.sensor for one in seen.anomalies if one.detector == "silence"} == {
        "north/dies", "north/slow",
    }  # fmt: skip
    assert {one.queue for one in seen.episodes} == {"machine", "instrument"}
    assert "open" in {one.state for one in seen.episodes}
    assert max(one.turn for one in seen.notifications) >= 1
    assert {one.route for one in seen.notifications} == {"again", "late"}
    ticks = len(list(COURSE.ticks()))
    assert len(looks) == ticks
    assert few < 0.75 * ticks


def test_on_a_quiet_day_the_agents_hardly_act(looks: list[datetime]) -> None:
    site = make_site()
    for name in ("a", "b"):
        make_sensor(site=site, external_id=name)
        stored(site, name, *measured(10 * MINUTE, 480, jitter_s=0.0))
    course = Course(UNTIL - 24 * HOUR, UNTIL, lead=timedelta(0), step=5 * MINUTE)
    said: list[float] = []
    replay([site.pk], course, Change(), progress=lambda share, _at: said.append(share))
    assert len(looks) <= 3
    assert said == sorted(said)
    assert said[-1] == 1.0

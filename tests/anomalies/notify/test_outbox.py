"""Who is told what, when, how often: by a clock of the test's own."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from random import Random
from typing import Any

import pytest
from django.core import mail

from anomalies.episodes import acting, closing, placing
from anomalies.episodes.policy import EpisodePolicies
from anomalies.models import Episode, Message, Notification, NotificationRoute
from anomalies.notify import delivery, grouping, outbox
from anomalies.notify.pacing import Pacing
from sensors.models import Sensor
from tests.factories import (
    NOW,
    make_asset,
    make_evidence,
    make_person,
    make_readings,
    make_scored,
    make_sensor,
    make_site,
)

pytestmark = pytest.mark.django_db

RNG = Random(1)  # noqa: S311
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)


def make_route(**values: Any) -> NotificationRoute:
    defaults = {"channel": "email", "target": "ada@plant.example", "min_severity": 1}
    name = f"route {NotificationRoute.objects.count()}"
    return NotificationRoute.objects.create(**{"name": name, **defaults, **values})


def raise_anomaly(sensor: Sensor, at: datetime, **values: Any) -> None:
    make_evidence(sensor=sensor, start=at, **values)
    placing.place_due(now=at, policies=EpisodePolicies())


def run(since: datetime, until: datetime, step: timedelta = 15 * SECOND) -> None:
    """The job as the clock runs it."""
    now = since
    while now <= until:
        closing.settle(now=now, policies=EpisodePolicies())
        outbox.remind(now=now)
        grouping.gather(now=now, pacing=Pacing())
        delivery.deliver(now=now, pacing=Pacing(), rng=RNG)
        now += step


@pytest.fixture
def sensor() -> Sensor:
    site = make_site(name="North", timezone="Europe/Berlin")
    return make_sensor(asset=make_asset(site=site, name="pump 7"), external_id="pump-7/vib")


def test_a_mail_says_what_moved_since_when_how_sure_and_where_to_look(
    sensor: Sensor, settings: Any
) -> None:
    settings.PUBLIC_URL = "https://smartmaint.example/"
    make_route()
    raise_anomaly(sensor, NOW, explanation={"sentence": "It shakes."})
    run(NOW, NOW + MINUTE)
    (told,) = mail.outbox
    episode = Episode.objects.get()
    assert told.subject == "[North] pump 7: moderate (new)"
    assert told.body.splitlines() == [
        "pump 7, severity 3 of 5 (moderate), new",
        "It shakes.",
        "What moved: pump-7/vib.",
        "Since: 1 Mar 2026 13:00 CET.",
        "How sure: 80%.",
        f"https://smartmaint.example/admin/anomalies/episode/{episode.pk}/change/",
    ]


def test_what_happens_within_half_a_minute_is_one_message(sensor: Sensor) -> None:
    make_route()
    raise_anomaly(sensor, NOW)
    other = make_sensor(asset=make_asset(site=sensor.site))
    raise_anomaly(other, NOW + 10 * SECOND)
    raise_anomaly(sensor, NOW + 20 * SECOND, score=0.95)
    run(NOW, NOW + 29 * SECOND)
    assert mail.outbox == []
    run(NOW + 30 * SECOND, NOW + HOUR, 2 * MINUTE)
    (told,) = mail.outbox
    assert told.subject.endswith("pump 7: critical (new) and 1 more")


def test_a_route_speaks_to_a_site_every_five_minutes_at_most(sensor: Sensor) -> None:
    make_route()
    raise_anomaly(sensor, NOW)
    run(NOW, NOW + MINUTE)
    raise_anomaly(make_sensor(asset=make_asset(site=sensor.site)), NOW + MINUTE)
    run(NOW + MINUTE, NOW + 5 * MINUTE + 15 * SECOND)
    assert len(mail.outbox) == 1
    run(NOW + 5 * MINUTE + 30 * SECOND, NOW + 6 * MINUTE)
    assert len(mail.outbox) == 2


def test_what_gets_worse_is_said_and_what_gets_no_worse_is_not(sensor: Sensor) -> None:
    make_route()
    raise_anomaly(sensor, NOW)
    run(NOW, NOW + MINUTE)
    raise_anomaly(sensor, NOW + 10 * MINUTE)
    run(NOW + 10 * MINUTE, NOW + 20 * MINUTE, MINUTE)
    assert len(mail.outbox) == 1
    raise_anomaly(sensor, NOW + 20 * MINUTE, score=0.95)
    run(NOW + 20 * MINUTE, NOW + 30 * MINUTE, MINUTE)
    assert mail.outbox[-1].subject == "[North] pump 7: critical (worse)"


def test_a_flapping_sensor_is_told_twice_a_day_at_most(sensor: Sensor) -> None:
    make_route()
    gap = timedelta(days=1) / 500
    for number in range(500):
        at = NOW + number * gap
        raise_anomaly(sensor, at, end=at + 5 * SECOND)
        if number % 5 == 0:
            run(at, at)
    assert [message.subject for message in mail.outbox] == [
        "[North] pump 7: moderate (new)",
        "[North] pump 7: moderate (new, said again (1))",
    ]


def test_nobody_is_reminded_of_what_is_acknowledged(sensor: Sensor) -> None:
    make_route(repeat_minutes=60)
    raise_anomaly(sensor, NOW)
    run(NOW, NOW + HOUR + 2 * MINUTE, MINUTE)
    assert len(mail.outbox) == 2
    acting.acknowledge(Episode.objects.get(), person=make_person(), now=NOW + 2 * HOUR)
    run(NOW + 2 * HOUR, NOW + 50 * HOUR, HOUR)
    assert len(mail.outbox) == 2


def test_an_escalation_goes_out_unless_somebody_acknowledged_it(sensor: Sensor) -> None:
    boss = make_route(target="boss@plant.example", after_minutes=30)
    raise_anomaly(sensor, NOW)
    run(NOW, NOW + 29 * MINUTE, MINUTE)
    assert not Notification.objects.exists()
    run(NOW + 30 * MINUTE, NOW + 40 * MINUTE, MINUTE)
    assert [message.to for message in mail.outbox] == [["boss@plant.example"]]
    assert Notification.objects.get().route == boss


def test_an_acknowledged_episode_does_not_escalate(sensor: Sensor) -> None:
    make_route(after_minutes=30)
    raise_anomaly(sensor, NOW)
    acting.acknowledge(Episode.objects.get(), person=make_person(), now=NOW + MINUTE)
    run(NOW, NOW + 2 * HOUR, MINUTE)
    assert mail.outbox == []


def test_history_is_told_to_nobody(sensor: Sensor) -> None:
    make_route()
    make_evidence(sensor=sensor, start=NOW - 6 * HOUR - SECOND)
    placing.place_due(now=NOW, policies=EpisodePolicies())
    assert Episode.objects.get().is_open
    run(NOW, NOW + HOUR, MINUTE)
    assert not Notification.objects.exists()


def test_a_snoozed_episode_is_quiet_until_its_end(sensor: Sensor) -> None:
    make_route()
    raise_anomaly(sensor, NOW)
    until = NOW + HOUR
    acting.snooze(Episode.objects.get(), until=until, person=make_person(), now=NOW + SECOND)
    raise_anomaly(sensor, NOW + 10 * MINUTE, score=0.95)
    run(NOW, until - MINUTE, MINUTE)
    assert mail.outbox == []
    run(until, until + 2 * MINUTE, MINUTE)
    assert [message.subject for message in mail.outbox] == [
        "[North] pump 7: critical (snooze over)"
    ]


def test_that_it_is_over_is_told_to_whom_it_was_told(sensor: Sensor) -> None:
    make_route()
    make_route(target="never@plant.example", min_severity=5)
    make_route(target="terse@plant.example", send_resolved=False)
    raise_anomaly(sensor, NOW)
    run(NOW, NOW + MINUTE)
    make_readings(sensor, [40.0] * 120, until=NOW + 2 * HOUR)
    make_scored(sensor, NOW + 2 * HOUR)
    run(NOW + 2 * HOUR, NOW + 2 * HOUR + MINUTE)
    assert [(message.to, message.subject) for message in mail.outbox[2:]] == [
        (["ada@plant.example"], "[North] pump 7: moderate (resolved)")
    ]


def calm_down(sensor: Sensor) -> None:
    """What was told of at NOW is over two hours later, which is told."""
    make_readings(sensor, [40.0] * 120, until=NOW + 2 * HOUR)
    make_scored(sensor, NOW + 2 * HOUR)
    run(NOW + 2 * HOUR, NOW + 2 * HOUR + MINUTE)
    assert mail.outbox[-1].subject == "[North] pump 7: moderate (resolved)"


def test_what_comes_back_many_hours_later_is_said(sensor: Sensor) -> None:
    make_route()
    raise_anomaly(sensor, NOW)
    run(NOW, NOW + MINUTE)
    calm_down(sensor)
    raise_anomaly(sensor, NOW + 20 * HOUR)
    run(NOW + 20 * HOUR, NOW + 20 * HOUR + MINUTE)
    assert mail.outbox[-1].subject == "[North] pump 7: moderate (back again)"


def test_that_it_is_over_is_not_said_again_when_it_is_not(sensor: Sensor) -> None:
    make_route()
    raise_anomaly(sensor, NOW)
    run(NOW, NOW + MINUTE)
    calm_down(sensor)
    make_evidence(sensor=sensor, start=NOW + 3 * HOUR)
    late = NOW + 12 * HOUR
    placing.place_due(now=late, policies=EpisodePolicies())
    assert Episode.objects.get().state == "reopened"
    run(late, late + HOUR, MINUTE)
    assert len(mail.outbox) == 2


def test_what_was_resolved_before_it_was_said_is_not_said(sensor: Sensor) -> None:
    make_route()
    raise_anomaly(sensor, NOW)
    acting.resolve(Episode.objects.get(), person=make_person(), now=NOW + SECOND)
    run(NOW, NOW + HOUR, MINUTE)
    assert mail.outbox == []
    assert Notification.objects.get().dropped == "resolved before it was said"


def test_outside_its_hours_on_the_sites_clock_a_route_waits(sensor: Sensor) -> None:
    make_route(hours_from=time(14), hours_until=time(16))
    raise_anomaly(sensor, NOW)
    run(NOW, NOW + 59 * MINUTE, MINUTE)
    assert mail.outbox == [], "it is 13:59 in Berlin"
    run(NOW + HOUR, NOW + HOUR + MINUTE, MINUTE)
    assert len(mail.outbox) == 1


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({}, 1),
        ({"enabled": False}, 0),
        ({"min_severity": 3}, 1),
        ({"min_severity": 4}, 0),
        ({"queue": "instrument"}, 0),
        ({"queue": ""}, 1),
    ],
)
def test_a_route_takes_what_all_its_conditions_allow(
    sensor: Sensor, values: dict[str, Any], told: int
) -> None:
    make_route(**values)
    raise_anomaly(sensor, NOW)
    assert Notification.objects.count() == told


def test_a_route_of_another_site_or_machine_is_told_nothing(sensor: Sensor) -> None:
    make_route(site=make_site())
    make_route(asset=make_asset(site=sensor.site))
    mine = make_route(site=sensor.site, asset=sensor.asset)
    raise_anomaly(sensor, NOW)
    assert [row.route for row in Notification.objects.all()] == [mine]


def test_the_outbox_is_written_in_the_transaction_of_the_episode(sensor: Sensor) -> None:
    make_route()
    make_evidence(sensor=sensor)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(placing.evidence, "summarise", broken_after(placing.evidence.summarise))
        with pytest.raises(RuntimeError):
            placing.place_due(now=NOW, policies=EpisodePolicies())
    assert not Episode.objects.exists()
    assert not Notification.objects.exists()
    placing.place_due(now=NOW, policies=EpisodePolicies())
    assert Notification.objects.count() == 1


def broken_after(function: Any) -> Any:
    def broken(*args: Any, **kwargs: Any) -> None:
        function(*args, **kwargs)
        raise RuntimeError

    return broken


def test_a_worker_that_dies_while_it_sends_leaves_the_message_to_the_next(sensor: Sensor) -> None:
    make_route()
    raise_anomaly(sensor, NOW)
    grouping.gather(now=NOW + MINUTE, pacing=Pacing())
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(delivery.CHANNELS, "email", broken_after(lambda _message: None))
        with pytest.raises(RuntimeError):
            delivery.deliver(now=NOW + MINUTE, pacing=Pacing(), rng=RNG)
    assert delivery.deliver(now=NOW + 2 * MINUTE, pacing=Pacing(), rng=RNG).sent == 0
    assert delivery.deliver(now=NOW + 3 * MINUTE, pacing=Pacing(), rng=RNG).sent == 1
    assert Message.objects.get().attempts == 2

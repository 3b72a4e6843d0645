"""Windows hide what is expected, never a limit; what they hid stands in their report."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from django.core import mail
from django.core.exceptions import ValidationError
from django.test import Client
from django.urls import reverse

from anomalies.episodes import placing
from anomalies.episodes.policy import EpisodePolicies
from anomalies.models import Anomaly, Episode, HiddenAnomaly, MaintenanceWindow, WindowOccurrence
from anomalies.notify import delivery, grouping
from anomalies.notify.pacing import Pacing
from anomalies.windows import keeping
from sensors.models import Sensor, Site
from tests.anomalies.notify.test_outbox import make_route
from tests.factories import (
    NOW,
    make_asset,
    make_evidence,
    make_person,
    make_readings,
    make_sensor,
    make_site,
)

pytestmark = pytest.mark.django_db

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


@pytest.fixture
def sensor() -> Sensor:
    return make_sensor(asset=make_asset(name="pump 7"), alarm_high=90.0)


def open_window(sensor: Sensor, **values: Any) -> MaintenanceWindow:
    defaults: dict[str, Any] = {
        "reason": "Bearing change",
        "site": sensor.site,
        "starts_at": NOW,
        "ends_at": NOW + 2 * HOUR,
        "owner": make_person(sensor.site, email="owner@plant.example"),
    }
    window = MaintenanceWindow.objects.create(**{**defaults, **values})
    keeping.plan(window, now=NOW)
    return window


def place(now: datetime = NOW + HOUR) -> None:
    placing.place_due(now=now, policies=EpisodePolicies())


def deliver(now: datetime) -> None:
    grouping.gather(now=now, pacing=Pacing())
    delivery.deliver(now=now, pacing=Pacing(), rng=Random(1))  # noqa: S311


def test_twelve_hidden_anomalies_stand_in_the_closing_report(sensor: Sensor) -> None:
    make_route()
    open_window(sensor)
    for number in range(12):
        make_evidence(sensor=sensor, start=NOW + number * 5 * MINUTE)
    place()
    deliver(NOW + HOUR)
    assert (Episode.objects.count(), len(mail.outbox)) == (0, 0)
    keeping.keep(now=NOW + 2 * HOUR)
    assert mail.outbox == [], "what is late may still come"
    over = NOW + 2 * HOUR + 10 * MINUTE
    keeping.keep(now=over)
    keeping.keep(now=over)
    deliver(over)
    (told,) = mail.outbox
    assert told.to == ["owner@plant.example"]
    assert told.subject.endswith("Bearing change hid 12 anomalies")
    report = WindowOccurrence.objects.get().report
    assert report is not None
    assert (report["hidden"], len(report["anomalies"])) == (12, 12)
    assert len(told.body.splitlines()) == 13


@pytest.mark.parametrize("found_by", ["the limits", "a model"])
def test_a_limit_inside_the_window_pages(sensor: Sensor, found_by: str) -> None:
    make_route()
    open_window(sensor)
    at = NOW + 10 * MINUTE
    make_readings(sensor, [90.1], until=at)
    make_evidence(sensor=sensor, start=at, detector="limits" if found_by == "the limits" else "x")
    make_evidence(sensor=sensor, start=NOW + 30 * MINUTE)
    place(at)
    deliver(at + MINUTE)
    assert Episode.objects.get().anomalies_count == 1
    assert len(mail.outbox) == 1
    assert HiddenAnomaly.objects.count() == 1


def test_a_reading_at_the_limit_itself_is_within_it(sensor: Sensor) -> None:
    open_window(sensor)
    make_readings(sensor, [90.0], until=NOW)
    make_evidence(sensor=sensor)
    place()
    assert not Episode.objects.exists()


def test_what_goes_on_after_the_window_surfaces_and_its_owner_is_reminded(sensor: Sensor) -> None:
    open_window(sensor)
    anomaly = make_evidence(sensor=sensor, start=NOW + HOUR)
    place()
    assert not Episode.objects.exists()
    late = NOW + 2 * HOUR + MINUTE
    Anomaly.objects.filter(pk=anomaly.pk).update(end=late, episode_due_at=late)
    place(late)
    assert Episode.objects.get().started_at == NOW + HOUR
    keeping.keep(now=late)
    keeping.keep(now=late)
    deliver(late)
    assert [message.subject[-10:] for message in mail.outbox] == ["is overrun"]


def test_a_window_may_lie_in_the_past_and_takes_evidence_out_with_a_trace(sensor: Sensor) -> None:
    make_evidence(sensor=sensor, start=NOW)
    place()
    assert Episode.objects.get().is_open
    window = open_window(sensor, starts_at=NOW - HOUR, ends_at=NOW + HOUR)
    place()
    episode = Episode.objects.get()
    assert (episode.resolution, HiddenAnomaly.objects.count()) == ("retracted", 1)
    assert episode.events.get(kind="left").text == "hidden by a window: Bearing change"
    keeping.remove(window, now=NOW + HOUR)
    place()
    assert Episode.objects.get().state == "reopened"


@pytest.mark.parametrize("other", ["site", "asset", "kind"])
def test_a_window_hides_nothing_elsewhere(sensor: Sensor, other: str) -> None:
    elsewhere: dict[str, dict[str, Any]] = {
        "site": {"site": make_site()},
        "asset": {"asset": make_asset(site=sensor.site)},
        "kind": {"kind": "temperature"},
    }
    open_window(sensor, **elsewhere[other])
    make_evidence(sensor=sensor)
    place()
    assert Episode.objects.count() == 1


def test_an_unused_window_ends_early_if_it_says_so(sensor: Sensor) -> None:
    open_window(sensor, end_unused_minutes=30)
    open_window(sensor, asset=make_asset(site=sensor.site))
    keeping.keep(now=NOW + 29 * MINUTE)
    assert not WindowOccurrence.objects.filter(end__lt=NOW + 2 * HOUR).exists()
    keeping.keep(now=NOW + 30 * MINUTE)
    assert WindowOccurrence.objects.filter(end=NOW + 30 * MINUTE).count() == 1


def test_a_window_in_use_does_not_end_early(sensor: Sensor) -> None:
    open_window(sensor, end_unused_minutes=30)
    make_evidence(sensor=sensor, start=NOW + 20 * MINUTE)
    place(NOW + 20 * MINUTE)
    keeping.keep(now=NOW + 45 * MINUTE)
    assert WindowOccurrence.objects.get().end == NOW + 2 * HOUR


WEEKLY = "\r\n".join(
    [
        "BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:x", "BEGIN:VEVENT", "UID:1",
        "DTSTART:20260302T060000", "DTEND:20260302T080000", "RRULE:FREQ=WEEKLY;COUNT=5",
        "END:VEVENT", "END:VCALENDAR",
    ]
)  # fmt: skip


def test_a_calendar_recurs_on_the_clock_of_the_site() -> None:
    site = make_site(timezone="Europe/Berlin")
    sensor = make_sensor(site=site)
    window = open_window(sensor, starts_at=None, ends_at=None, calendar=WEEKLY)
    starts = WindowOccurrence.objects.order_by("start").values_list("start", flat=True)
    assert [start.astimezone(UTC).hour for start in starts] == [5, 5, 5, 5, 4], "summer time"
    assert keeping.plan(window, now=NOW) == 0
    make_evidence(sensor=sensor, start=datetime(2026, 3, 30, 5, tzinfo=UTC))
    place()
    assert HiddenAnomaly.objects.count() == 1


@pytest.mark.parametrize(
    "values",
    [
        {"calendar": "nonsense", "starts_at": None, "ends_at": None},
        {"starts_at": None, "ends_at": None},
        {"ends_at": NOW - HOUR},
    ],
)
def test_a_window_that_is_never_is_refused(sensor: Sensor, values: dict[str, Any]) -> None:
    said = {"reason": "x", "site": sensor.site, "starts_at": NOW, "ends_at": NOW + HOUR, **values}
    with pytest.raises(ValidationError):
        MaintenanceWindow(**said).full_clean(exclude=["owner"])


def test_the_admin_shows_what_it_hid_and_keeps_sites_apart(sensor: Sensor, client: Client) -> None:
    window = open_window(sensor)
    make_evidence(sensor=sensor)
    place()
    client.force_login(make_person(is_staff=True, is_superuser=True))
    assert client.get(reverse("admin:anomalies_maintenancewindow_changelist")).status_code == 200
    address = reverse("admin:anomalies_maintenancewindow_change", args=[window.pk])
    assert "1 anomalies, 0 of which went on" in client.get(address).content.decode()
    said = {
        "purpose": "silence", "reason": "Door", "site": sensor.site_id,
        "starts_at": "2026-03-01T10:00", "ends_at": "2026-03-01T11:00", "kind": "vibration",
        "occurrences-TOTAL_FORMS": 0, "occurrences-INITIAL_FORMS": 0,
    }  # fmt: skip
    answer = client.post(reverse("admin:anomalies_maintenancewindow_add"), said)
    assert answer.status_code == 302, answer.content.decode()
    assert WindowOccurrence.objects.filter(window__reason="Door").count() == 1
    client.force_login(make_person(make_site(), is_staff=True))
    assert client.get(address).status_code in {302, 403}


def test_times_are_entered_and_shown_on_the_sites_clock(sensor: Sensor, client: Client) -> None:
    Site.objects.update(timezone="Asia/Tokyo")
    client.force_login(make_person(is_staff=True, is_superuser=True))
    said = {
        "purpose": "silence", "reason": "Door", "site": sensor.site_id,
        "starts_at": "2026-03-01T10:00", "ends_at": "2026-03-01T11:00",
        "occurrences-TOTAL_FORMS": 0, "occurrences-INITIAL_FORMS": 0,
    }  # fmt: skip
    assert client.post(reverse("admin:anomalies_maintenancewindow_add"), said).status_code == 302
    window = MaintenanceWindow.objects.get()
    assert window.starts_at == datetime(2026, 3, 1, 1, tzinfo=UTC)
    address = reverse("admin:anomalies_maintenancewindow_change", args=[window.pk])
    text = client.get(address).content.decode()
    assert 'value="2026-03-01T10:00"' in text
    assert "1 Mar 2026 10:00 JST" in text
    client.post(address, {**said, "reason": "Gate"})  # saved as it was shown
    window.refresh_from_db()
    assert (window.reason, window.starts_at) == ("Gate", datetime(2026, 3, 1, 1, tzinfo=UTC))

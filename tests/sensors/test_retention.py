"""What is past its retention goes, wholly and for good; what still waits for somebody stays."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import timezone
from pytest_django import Settings

from sensors import buckets, dropping, keeping, retention, rollups, store
from sensors.acquisition import ingest
from sensors.formats import from_json
from sensors.models import (
    HourRollup,
    MinuteRollups,
    QuarantinedReading,
    Reading,
    RetentionRun,
    RollupNote,
    ScoringNote,
    Sensor,
    SensorProfile,
)
from tests.factories import NOW, make_sensor, make_site
from tests.sensors.rolled import everything, expected_hours, send, stored_hours

pytestmark = pytest.mark.django_db
DAY, HOUR = timedelta(days=1), timedelta(hours=1)


@pytest.fixture(autouse=True)
def _limited(settings: Settings) -> None:
    settings.RAW_RETENTION_DAYS = 30


def history(sensor: Sensor, days: int = 60) -> None:
    """Four readings a day up to NOW, rolled up and scored."""
    send(sensor, [(NOW - 6 * HOUR * i, float(i)) for i in range(days * 4)])
    rollups.roll_up()
    ScoringNote.objects.all().delete()


def unlimited_history(sensor: Sensor, settings: Settings, days: int = 60) -> None:
    """The same, from the time before there was a retention."""
    settings.RAW_RETENTION_DAYS = 0
    history(sensor, days)
    settings.RAW_RETENTION_DAYS = 30


def oldest(sensor: Sensor) -> datetime:
    time = Reading.objects.filter(sensor=sensor).order_by("time").values_list("time").first()
    assert time is not None
    return time[0]


def test_without_a_limit_everything_stays(settings: Settings) -> None:
    settings.RAW_RETENTION_DAYS = 0
    sensor = make_sensor()
    history(sensor)
    assert retention.drop(now=NOW) == retention.Dropped()
    assert Reading.objects.count() == 240
    assert not RetentionRun.objects.exists()


def test_old_readings_go_and_their_rollups_stay(settings: Settings) -> None:
    sensor = make_sensor()
    unlimited_history(sensor, settings)
    before = everything(sensor)
    cutoff = keeping.dropped_before(sensor.kind, NOW)
    dropped = retention.drop(now=NOW)
    assert cutoff is not None
    assert oldest(sensor) == NOW - 30 * DAY
    assert SensorProfile.objects.get(sensor=sensor).kept_from == cutoff
    assert everything(sensor) == before
    kept = Reading.objects.count()
    assert kept == 121
    if dropped.chunks:
        assert dropped.bytes > 0
    else:
        assert dropped.readings == 240 - kept
    again = retention.drop(now=NOW)
    assert (again.readings, again.chunks) == (0, 0)
    assert RetentionRun.objects.count() == 2


def test_a_rebuild_leaves_what_was_dropped_alone(settings: Settings) -> None:
    sensor = make_sensor()
    unlimited_history(sensor, settings)
    before = everything(sensor)
    retention.drop(now=NOW)
    rollups.note_all()
    rollups.roll_up()
    assert everything(sensor) == before
    found = buckets.points(sensor, since=NOW - 60 * DAY, until=NOW, limit=200)
    assert isinstance(found, buckets.Slices)
    assert found.buckets.count.sum() == 240


def test_no_hour_is_dropped_in_half(settings: Settings) -> None:
    sensor = make_sensor()
    settings.RAW_RETENTION_DAYS = 0
    old = NOW - 31 * DAY
    send(sensor, [(old + timedelta(minutes=i), float(i)) for i in range(48 * 60)])
    rollups.roll_up()
    ScoringNote.objects.all().delete()
    settings.RAW_RETENTION_DAYS = 30
    for minutes in (0, 17, 59):
        retention.drop(now=NOW + timedelta(minutes=minutes))
        kept = expected_hours(sensor)
        assert kept
        assert {hour["count"] for hour in kept.values()} == {60}
        whole = stored_hours(sensor)
        assert {at: hour["count"] for at, hour in kept.items()}.items() <= {
            at: hour["count"] for at, hour in whole.items()
        }.items()


def test_kinds_are_kept_for_as_long_as_they_say(settings: Settings) -> None:
    site = make_site()
    sensors = {
        kind: make_sensor(site=site, kind=kind) for kind in ("vibration", "pressure", "level")
    }
    for sensor in sensors.values():
        unlimited_history(sensor, settings)
    settings.RAW_RETENTION_DAYS_BY_KIND = {"vibration": 10, "level": 0}
    retention.drop(now=NOW)
    assert oldest(sensors["vibration"]) == NOW - 10 * DAY
    assert oldest(sensors["pressure"]) == NOW - 30 * DAY
    assert Reading.objects.filter(sensor=sensors["level"]).count() == 240
    assert SensorProfile.objects.get(sensor=sensors["level"]).kept_from is None


def test_chunks_go_whole_where_every_kind_has_a_limit(settings: Settings) -> None:
    if not store.is_hypertable():
        pytest.skip("readings are a plain table here: the server has no TimescaleDB")
    sensors = [make_sensor(kind=kind) for kind in ("vibration", "pressure")]
    for sensor in sensors:
        unlimited_history(sensor, settings)
    settings.RAW_RETENTION_DAYS_BY_KIND = {"level": 0}
    assert retention.chunks_cutoff(NOW) is None
    settings.RAW_RETENTION_DAYS_BY_KIND = {"pressure": 40}
    before = len(dropping.chunks_before(NOW + DAY))
    dropped = retention.drop(now=NOW)
    assert dropped.chunks >= 2
    assert len(dropping.chunks_before(NOW + DAY)) == before - dropped.chunks
    assert [oldest(sensor) for sensor in sensors] == [NOW - 30 * DAY, NOW - 40 * DAY]


def test_what_was_not_deleted_in_time_goes_with_the_next_run(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.RAW_RETENTION_DAYS_BY_KIND = {"level": 0}
    monkeypatch.setattr(dropping, "SLICE", 7)
    sensor = make_sensor()
    unlimited_history(sensor, settings)
    assert retention.drop(now=NOW, seconds=0).readings == 0
    assert oldest(sensor) < NOW - 59 * DAY
    assert retention.drop(now=NOW).readings == 119
    assert oldest(sensor) == NOW - 30 * DAY


# --- what waits for somebody ----------------------------------------------------------------------


def note_of(what: str, sensor: Sensor, time: datetime) -> None:
    if what == "roll-up":
        RollupNote.objects.create(sensor=sensor, since=time, until=time)
    else:
        ScoringNote.objects.create(
            sensor=sensor, since=time, until=time, held=what == "held until a champion is back"
        )


@pytest.mark.parametrize("what", ["roll-up", "scoring", "held until a champion is back"])
def test_what_is_noted_is_not_dropped(settings: Settings, what: str) -> None:
    waiting, other = make_sensor(), make_sensor()
    for sensor in (waiting, other):
        unlimited_history(sensor, settings)
    note_of(what, waiting, NOW - 45 * DAY + timedelta(minutes=20))
    assert retention.drop(now=NOW).held == 1
    assert oldest(waiting) == NOW - 45 * DAY
    assert oldest(other) == NOW - 30 * DAY
    RollupNote.objects.all().delete()
    ScoringNote.objects.all().delete()
    assert retention.drop(now=NOW).held == 0
    assert oldest(waiting) == NOW - 30 * DAY


def test_a_note_before_everything_holds_everything(settings: Settings) -> None:
    sensor = make_sensor()
    unlimited_history(sensor, settings)
    note_of("roll-up", sensor, NOW - 90 * DAY)
    assert retention.drop(now=NOW).held == 1
    assert Reading.objects.count() == 240


# --- minutes --------------------------------------------------------------------------------------


def test_minutes_go_and_their_hours_stay(settings: Settings) -> None:
    settings.RAW_RETENTION_DAYS, settings.MINUTE_RETENTION_DAYS = 0, 20
    sensor = make_sensor()
    history(sensor)
    dropped = retention.drop(now=NOW)
    assert dropped.minute_hours == 240 - 81
    assert MinuteRollups.objects.count() == 81
    assert HourRollup.objects.count() == 240
    assert Reading.objects.count() == 240


def test_a_late_reading_among_hours_without_minutes_is_rolled_up(settings: Settings) -> None:
    settings.RAW_RETENTION_DAYS, settings.MINUTE_RETENTION_DAYS = 0, 20
    sensor = make_sensor()
    history(sensor)
    retention.drop(now=NOW)
    late = NOW - 40 * DAY
    send(sensor, [(late + timedelta(minutes=5), 99.0)])
    rollups.roll_up()
    hour = stored_hours(sensor)[late]
    assert (hour["count"], hour["maximum"]) == (2, 160.0)
    assert not MinuteRollups.objects.filter(time=late).exists()


# --- what arrives too late ------------------------------------------------------------------------


def row(sensor: Sensor, time: datetime) -> dict[str, Any]:
    return {"sensor": sensor.external_id, "time": time.isoformat(), "value": 1.0}


def offer(sensor: Sensor, *times: datetime, now: datetime = NOW) -> Any:
    batch = from_json(json.dumps([row(sensor, time) for time in times]).encode())
    return ingest(batch, site=sensor.site, source="test", now=now)


def test_a_reading_older_than_its_retention_goes_to_quarantine() -> None:
    sensor = make_sensor()
    edge = keeping.refused_before(sensor.kind, NOW)
    assert edge is not None
    receipt = offer(sensor, edge - timedelta(microseconds=1), edge, NOW)
    assert (receipt.accepted, receipt.quarantined) == (2, 1)
    [problem] = receipt.errors
    assert (problem.category, problem.code) == ("quality", "older_than_retention")
    assert "are kept from 2026-01-30T12:00:00Z on" in problem.detail
    assert QuarantinedReading.objects.get().code == "older_than_retention"


def test_nothing_is_accepted_from_before_what_was_dropped(settings: Settings) -> None:
    """Though the retention is longer by now: its roll-ups would not be computed again."""
    sensor = make_sensor()
    unlimited_history(sensor, settings)
    retention.drop(now=NOW)
    settings.RAW_RETENTION_DAYS = 300
    receipt = offer(sensor, NOW - 50 * DAY, NOW - 29 * DAY + HOUR)
    assert (receipt.accepted, receipt.quarantined) == (1, 1)
    assert offer(make_sensor(), NOW - 50 * DAY).accepted == 1


def test_a_reading_just_within_its_retention_is_not_dropped_from_under_its_request() -> None:
    sensor = make_sensor()
    edge = keeping.refused_before(sensor.kind, NOW)
    assert edge is not None
    assert offer(sensor, edge).accepted == 1
    rollups.roll_up()
    ScoringNote.objects.all().delete()
    retention.drop(now=NOW + timedelta(minutes=59))
    assert Reading.objects.filter(sensor=sensor, time=edge).exists()


# --- the command ----------------------------------------------------------------------------------


def command(*words: str) -> str:
    out = StringIO()
    call_command("retention", *words, stdout=out)
    return out.getvalue()


def test_the_command_says_what_it_would_drop_and_then_drops_it(settings: Settings) -> None:
    sensor = make_sensor(kind="pressure")
    settings.RAW_RETENTION_DAYS = 0
    now = timezone.now()
    send(sensor, [(now - 12 * HOUR * i, 1.0) for i in range(100)], now=now)
    rollups.roll_up()
    ScoringNote.objects.all().delete()
    settings.RAW_RETENTION_DAYS, settings.MINUTE_RETENTION_DAYS = 30, 40
    said = command("--dry-run")
    assert "pressure: readings before" in said
    assert "39 of 1 sensors" in said
    assert "Nothing was dropped" in said
    assert Reading.objects.count() == 100
    said = command()
    assert Reading.objects.count() == 61
    assert "minute roll-ups of 19 hours" in said


def test_the_command_says_when_there_is_nothing_to_do(settings: Settings) -> None:
    settings.RAW_RETENTION_DAYS = 0
    assert "kept for ever" in command()

"""The session of a replay: the server itself refuses what would be written for real."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.apps import apps
from django.db import DatabaseError, connection, transaction

from anomalies.models import (
    Anomaly,
    Episode,
    FaultPeriod,
    MachineCheckpoint,
    MachineDetection,
    SensorValidationProfile,
    Verdict,
)
from anomalies.replay.session import COPIED, EMPTY, Lost, session, shadowed
from anomalies.review import review
from mlops.models import Promotion
from sensors.hours import hours_of
from sensors.models import Asset, Reading, RollupNote, Sensor
from tests.factories import NOW, make_anomaly, make_asset, make_person, make_readings, make_sensor

pytestmark = pytest.mark.django_db(transaction=True)

HOUR = timedelta(hours=1)


def test_what_is_no_temporary_table_cannot_be_written_or_locked() -> None:
    sensor = make_sensor(asset=make_asset())
    with session([sensor.site_id], begin=NOW):
        with pytest.raises(DatabaseError, match="read-only"):
            Promotion.objects.create(name="x", version=1, promoted_at=NOW)
        with pytest.raises(DatabaseError, match="read-only"), connection.cursor() as cursor:
            cursor.execute("UPDATE public.sensors_asset SET criticality = 5")
        with pytest.raises(DatabaseError, match="read-only"), connection.cursor() as cursor:
            cursor.execute("SELECT id FROM public.sensors_asset FOR UPDATE")
        Asset.objects.update(criticality=5)
        with transaction.atomic():
            assert Asset.objects.select_for_update().get().criticality == 5
        make_anomaly(sensor=Sensor.objects.get())
    assert Asset.objects.get().criticality == 3
    assert not Anomaly.objects.exists()


def test_readings_end_at_the_clock_and_sites_at_their_border() -> None:
    sensor, other = make_sensor(), make_sensor()
    make_readings(sensor, [1.0] * 10, until=NOW)
    with session([sensor.site_id], begin=NOW - HOUR) as found:
        assert list(Sensor.objects.all()) == [sensor]
        assert not Reading.objects.exists()
        found.set_clock(NOW - timedelta(minutes=4))
        assert len(Reading.objects.series(sensor.pk)) == 6
        with found.outside():
            assert Sensor.objects.filter(pk=other.pk).exists()
            assert len(Reading.objects.series(sensor.pk)) == 10


def test_a_session_that_is_lost_is_not_opened_again() -> None:
    sensor = make_sensor()
    with session([sensor.site_id], begin=NOW) as found:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            (pid,) = cursor.fetchone()
        with found.outside(), connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s)", [pid])
        with pytest.raises(DatabaseError), transaction.atomic():
            Episode.objects.exists()
        connection.close()
        with pytest.raises(Lost):
            Episode.objects.exists()
    assert connection.is_usable()


def test_only_what_people_had_said_before_is_known() -> None:
    sensor = make_sensor()
    person = make_person(sensor.site)
    for days, verdict in ((3, Verdict.CONFIRMED), (2, Verdict.FALSE_POSITIVE)):
        anomaly = make_anomaly(sensor=sensor, start=NOW - timedelta(days=days))
        said_at = anomaly.start + timedelta(hours=40)
        review(anomaly=anomaly, verdict=verdict, note="", person=person, now=said_at)
        # Said of both, the first one is said otherwise later.
    first = Anomaly.objects.earliest("start")
    review(anomaly=first, verdict=Verdict.FALSE_POSITIVE, note="", person=person, now=NOW)
    with session([sensor.site_id], begin=NOW - timedelta(days=1)):
        known = Anomaly.objects.get()
        assert (known.start, known.verdict) == (first.start, Verdict.CONFIRMED)
        profile = SensorValidationProfile.objects.get()
        assert (round(profile.confirmed, 1), profile.refuted) == (1.0, 0.0)
    with session([sensor.site_id], begin=NOW + HOUR):
        assert Anomaly.objects.filter(verdict=Verdict.FALSE_POSITIVE).count() == 2
        assert SensorValidationProfile.objects.get().confirmed == 0.0
    assert not FaultPeriod.objects.exists()


def test_every_table_of_the_agents_is_a_temporary_one() -> None:
    """Whoever adds a table decides: what people configured is copied, all else begins empty."""
    ours = set(apps.get_app_config("anomalies").get_models())
    assert ours - set(shadowed()) <= {m for m in ours if m.__name__ == "Preview"}
    configured = {model.__name__ for model in set(COPIED) | set(EMPTY)}
    assert configured == {
        *("Site", "Asset", "Sensor", "ScoringNote", "SensorProfile", "SensorRhythm"),
        *("ValidationRule", "NotificationRoute", "MaintenanceWindow", "Calibration"),
        *("FaultPeriod", "DetectionCheckpoint", "MachineCheckpoint", "ServedModel", "Fallback"),
        "ShadowScores",
    }


def test_roll_ups_that_are_behind_are_read_from_readings_and_not_caught_up() -> None:
    sensor = make_sensor()
    begin = NOW - timedelta(hours=48)
    make_readings(sensor, list(range(48)), every=HOUR)
    RollupNote.objects.create(sensor=sensor, since=begin, until=NOW)
    asked = [(sensor.pk, begin, NOW)]
    with session([sensor.site_id], begin=NOW) as found:
        found.set_clock(NOW)
        hours = hours_of(asked)[0]
    assert RollupNote.objects.count() == 1
    assert len(hours) == 47
    assert (hours.mean == hours_of(asked)[0].mean).all()
    assert not RollupNote.objects.exists()


def test_machines_go_on_from_what_was_known_of_them_at_the_beginning() -> None:
    machine = make_asset()
    sensor = make_sensor(asset=machine)
    members = [[sensor.pk, "2026-02-01T00:00:00", 60.0]]
    MachineDetection.objects.create(asset=machine, members=members, judged_until=NOW)
    point = {"asset": machine, "version": "1", "state": b""}
    for rows, hours in ((1, 30), (2, 20), (3, 1)):
        time = NOW - hours * HOUR
        MachineCheckpoint.objects.create(**point, rows=rows, time=time)
    FaultPeriod.objects.create(
        sensor=sensor, anomaly=make_anomaly(sensor=sensor), since=NOW - 25 * HOUR,
        until=NOW - 24 * HOUR, noted_at=NOW,
    )  # fmt: skip
    with session([sensor.site_id], begin=NOW - 10 * HOUR):
        known = MachineDetection.objects.get()
        assert (known.members, known.judged_until) == (members, None)
        # Not the one after the beginning, and not the one that was made without a fault that was
        # confirmed later.
        assert [one.rows for one in MachineCheckpoint.objects.all()] == [1]

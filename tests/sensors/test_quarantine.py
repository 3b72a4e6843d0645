"""What was set aside can be tried again after a fix, and does not stay for ever."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from sensors import ledger, quarantine
from sensors.acquisition import ingest
from sensors.formats import from_json
from sensors.models import IngestReceipt, QuarantinedReading, Reading, Sensor
from sensors.quality import Flag
from tests.factories import NOW, make_key, make_sensor, rows_of

pytestmark = pytest.mark.django_db


def send(rows: list[Any], sensor: Sensor) -> None:
    batch = from_json(json.dumps(rows).encode())
    ingest(batch, site=sensor.site, source="test", now=NOW)


@pytest.fixture
def retired() -> Sensor:
    sensor = make_sensor(external_id="pump-1/temp", status=Sensor.Status.RETIRED, unit="")
    send(rows_of(n=3), sensor)
    return sensor


def test_after_a_fix_the_readings_are_accepted(retired: Sensor) -> None:
    Sensor.objects.update(status=Sensor.Status.ACTIVE)
    later = NOW + timedelta(days=1)
    receipt = quarantine.replay(QuarantinedReading.objects.all(), now=later)
    assert (receipt.accepted, receipt.duplicates, receipt.quarantined) == (3, 0, 0)
    assert Reading.objects.count() == 3
    assert set(QuarantinedReading.objects.values_list("replayed_at", flat=True)) == {later}


def test_what_still_fails_stays_as_it_is(retired: Sensor) -> None:
    send([*rows_of("pump-2/temp", n=1), {"sensor": "pump-2/temp"}], retired)
    before = list(QuarantinedReading.objects.order_by("id").values())
    receipt = quarantine.replay(QuarantinedReading.objects.all(), now=NOW)
    assert (receipt.accepted, receipt.quarantined) == (0, 4)
    assert list(QuarantinedReading.objects.order_by("id").values()) == before


def test_replaying_twice_adds_nothing(retired: Sensor) -> None:
    Sensor.objects.update(status=Sensor.Status.ACTIVE)
    quarantine.replay(QuarantinedReading.objects.all(), now=NOW)
    again = quarantine.replay(QuarantinedReading.objects.all(), now=NOW)
    assert (again.accepted, again.duplicates, again.quarantined) == (0, 0, 0)
    assert Reading.objects.count() == 3


def test_a_replay_is_not_blamed_for_its_age(retired: Sensor) -> None:
    Sensor.objects.update(status=Sensor.Status.ACTIVE, expected_interval_s=1.0)
    quarantine.replay(QuarantinedReading.objects.all(), now=NOW + timedelta(hours=2))
    flags = {Flag(bits) for bits in Reading.objects.values_list("flags", flat=True)}
    assert flags == {Flag.BACKFILL}


def test_rows_of_several_sites_go_back_to_their_own() -> None:
    sensors = [make_sensor(external_id="s", status="retired", unit="") for _ in range(2)]
    for sensor in sensors:
        send(rows_of("s", n=2), sensor)
    Sensor.objects.update(status=Sensor.Status.ACTIVE)
    assert quarantine.replay(QuarantinedReading.objects.all(), now=NOW).accepted == 4
    for sensor in sensors:
        assert Reading.objects.filter(sensor=sensor).count() == 2


def test_what_no_text_column_can_hold_survives_the_way_there_and_back() -> None:
    sensor = make_sensor()
    rows = [{"sensor": "\ud800\0é", "time": "x", "value": float("nan")}]
    send(rows, sensor)
    [held] = QuarantinedReading.objects.all()
    assert json.loads(held.payload)["sensor"] == "\ud800\0é"
    assert quarantine.replay([held], now=NOW).quarantined == 1


def test_old_rows_are_removed_and_newer_ones_stay(retired: Sensor, settings: Any) -> None:
    settings.QUARANTINE_RETENTION_DAYS = 30
    oldest = QuarantinedReading.objects.order_by("id").first()
    assert oldest is not None
    QuarantinedReading.objects.filter(pk=oldest.pk).update(received_at=NOW - timedelta(days=31))
    assert quarantine.prune(now=NOW) == 1
    assert QuarantinedReading.objects.count() == 2


def test_the_ledger_forgets_after_a_week() -> None:
    key, _ = make_key()
    ledger.Promise.of(key, "a", b"[]").keep({"accepted": 0})
    made = IngestReceipt.objects.get().created_at
    assert ledger.prune(now=made + timedelta(days=6)) == 0
    assert ledger.prune(now=made + timedelta(days=8)) == 1

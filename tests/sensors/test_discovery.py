"""Unknown sensors: registered, kept waiting or refused, and never without bound."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.utils import timezone

from sensors.acquisition import Receipt, ingest
from sensors.directory import decide_kind
from sensors.formats import from_json
from sensors.models import IngestKey, QuarantinedReading, Reading, Sensor
from tests.factories import make_key, make_site, rows_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def key() -> IngestKey:
    return make_key()[0]


def send(rows: list[Any], key: IngestKey) -> Receipt:
    batch = from_json(json.dumps(rows).encode())
    return ingest(batch, site=key.site, key=key, source="test", now=timezone.now())


def test_an_unknown_sensor_is_registered_with_what_its_kind_says(key: IngestKey) -> None:
    assert send(rows_of("pump-1/motorTemp"), key).accepted == 3
    sensor = Sensor.objects.get()
    assert (sensor.status, sensor.discovered_by, sensor.site) == ("discovered", key, key.site)
    assert (sensor.kind, sensor.kind_source, sensor.unit) == ("temperature", "inferred", "°C")
    assert sensor.physical_min == -273.15


def test_the_payload_outranks_the_name(key: IngestKey) -> None:
    send(rows_of("pump-1/temp", kind="Voltage", unit="V"), key)
    sensor = Sensor.objects.get()
    assert (sensor.kind, sensor.kind_source) == ("voltage", "payload")


def test_metadata_outranks_the_name() -> None:
    kind, source = decide_kind(None, {"kind": "pressure"}, "pump-1/temp")
    assert (kind.name, source) == ("pressure", "metadata")


def test_a_name_that_says_nothing_is_of_another_kind(key: IngestKey) -> None:
    send(rows_of("x17"), key)
    sensor = Sensor.objects.get()
    assert (sensor.kind, sensor.kind_source, sensor.physical_max) == ("other", "inferred", None)


def test_limits_of_the_catalogue_do_not_hold_in_another_unit(key: IngestKey) -> None:
    send(rows_of("pump-1/temp", unit="°F"), key)
    sensor = Sensor.objects.get()
    assert (sensor.unit, sensor.physical_min, sensor.physical_max) == ("°F", None, None)


def test_the_kind_is_decided_once(key: IngestKey) -> None:
    send(rows_of("pump-1/temp"), key)
    send(rows_of("pump-1/temp", kind="voltage"), key)
    assert Sensor.objects.get().kind == "temperature"


def test_past_the_cap_new_sensors_wait_and_known_ones_do_not(key: IngestKey, settings: Any) -> None:
    settings.SENSOR_DISCOVERY_CAP_PER_HOUR = 2
    rows = [row for name in "abcd" for row in rows_of(name, n=1)]
    receipt = send(rows, key)
    assert receipt.accepted == 2
    assert {(error.category, error.code) for error in receipt.errors} == {
        ("enrichment", "discovery_cap")
    }
    assert QuarantinedReading.objects.count() == 2
    assert send(rows_of("a"), key).quarantined == 0
    assert send(rows_of("e"), key).quarantined == 3


def test_one_key_does_not_use_up_another_ones_cap(key: IngestKey, settings: Any) -> None:
    settings.SENSOR_DISCOVERY_CAP_PER_HOUR = 1
    other, _ = make_key(site=key.site)
    assert send(rows_of("a"), key).accepted == 3
    assert send(rows_of("b"), other).accepted == 3
    assert send(rows_of("c"), key).accepted == 0


def test_reject_registers_nothing(key: IngestKey, settings: Any) -> None:
    settings.SENSOR_DISCOVERY = "reject"
    receipt = send(rows_of(n=2), key)
    assert [error.code for error in receipt.errors] == ["unknown_sensor"] * 2
    assert not Sensor.objects.exists()


def test_approve_keeps_the_readings_until_a_person_says_yes(key: IngestKey, settings: Any) -> None:
    settings.SENSOR_DISCOVERY = "approve"
    for _ in range(2):
        receipt = send(rows_of(n=2), key)
        assert [error.code for error in receipt.errors] == ["awaiting_approval"] * 2
    assert Sensor.objects.get().status == "discovered"
    assert QuarantinedReading.objects.count() == 2
    Sensor.objects.update(status=Sensor.Status.ACTIVE)
    assert send(rows_of(n=2), key).accepted == 2
    assert Reading.objects.count() == 2


def test_the_same_name_at_two_sites_is_two_sensors(key: IngestKey) -> None:
    other, _ = make_key(site=make_site())
    send(rows_of(), key)
    send(rows_of(), other)
    assert set(Sensor.objects.values_list("site", flat=True)) == {key.site_id, other.site_id}

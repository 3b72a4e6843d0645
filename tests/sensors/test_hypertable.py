"""Readings as a hypertable: there with TimescaleDB, a plain table without it, and back again."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection

from sensors import dropping, store
from sensors.models import Reading
from tests.factories import NOW, make_readings, make_sensor

pytestmark = pytest.mark.django_db(transaction=True)


def ask(query: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchall()


def index_names() -> list[str]:
    found = ask("SELECT indexdef FROM pg_indexes WHERE tablename = 'sensors_reading'")
    return [definition for (definition,) in found]


def test_the_primary_key_is_the_only_index() -> None:
    [definition] = index_names()
    assert definition.endswith('(sensor_id, "time")')


def test_a_reading_takes_its_quality_in_four_bytes() -> None:
    [(kind,)] = ask(
        "SELECT data_type FROM information_schema.columns "
        "WHERE table_name = 'sensors_reading' AND column_name = 'quality'"
    )
    assert kind == "real"


def test_the_migration_goes_back_and_forth_with_its_readings() -> None:
    sensor = make_sensor()
    make_readings(sensor, [1.0, 2.0, 3.0], every=timedelta(days=20))
    was_hypertable = store.is_hypertable()
    try:
        call_command("migrate", "sensors", "0001", verbosity=0)
        assert not store.is_hypertable()
        assert len(index_names()) == 1
        assert Reading.objects.filter(sensor=sensor).count() == 3
    finally:  # of other apps, too, what needs the later ones
        call_command("migrate", verbosity=0)
    assert store.is_hypertable() == was_hypertable
    assert len(index_names()) == 1
    values = Reading.objects.filter(sensor=sensor).order_by("time").values_list("value", flat=True)
    assert list(values) == [1.0, 2.0, 3.0]


@pytest.mark.timescale
def test_dropping_takes_whole_chunks_that_lie_before_the_cutoff() -> None:
    if not store.is_hypertable():
        pytest.skip("readings are a plain table here: the server has no TimescaleDB")
    sensor = make_sensor()
    make_readings(sensor, [1.0] * 10, every=timedelta(days=14))
    cutoff = NOW - timedelta(days=14 * 5)
    chunks = dropping.chunks_before(cutoff)
    assert all(chunk.size > 0 and chunk.end <= cutoff for chunk in chunks)
    assert [dropping.drop_chunk(chunk) for chunk in chunks] == [1] * 4
    assert Reading.objects.count() == 6
    assert dropping.chunks_before(cutoff) == []
    assert dropping.drop_chunk(chunks[0]) == 0

"""Writers that create chunks, a reader and drop_chunks at once: no deadlock reaches a client."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime, timedelta

import numpy as np
import pytest
from django.db import connection
from django.utils import timezone

from sensors import dropping, store
from sensors.acquisition import ingest
from sensors.formats import Batch
from sensors.models import Reading, Sensor, SensorProfile, Site
from sensors.series import to_datetime64
from tests.factories import make_sensor, make_site

pytestmark = pytest.mark.django_db(transaction=True)

WRITERS, BATCHES, SENSORS = 8, 12, 6
# Newest first, so that every batch begins chunks that no other has made yet.
NEWEST = datetime(2026, 2, 1, tzinfo=timezone.get_fixed_timezone(0))


def batch_of(writer: int, turn: int) -> Batch:
    """Readings of all sensors in weeks that only just begin; the writers' times differ."""
    weeks = [turn * 3, turn * 3 + 1, turn * 3 + 2]
    starts = [NEWEST - timedelta(weeks=week, seconds=writer) for week in weeks]
    times = [to_datetime64(start) for start in starts for _ in range(SENSORS)]
    names = [f"s{number}" for _ in starts for number in range(SENSORS)]
    return Batch.of(names, np.array(times), np.arange(len(names), dtype=float))


def in_threads(*work: Callable[[], object]) -> list[Future[object]]:
    def closing(one: Callable[[], object]) -> object:
        try:
            return one()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(work)) as pool:
        return [pool.submit(closing, one) for one in work]


def write_all(site: Site, writer: int) -> int:
    return sum(
        ingest(batch_of(writer, turn), site=site, source="test", now=timezone.now()).accepted
        for turn in range(BATCHES)
    )


def make_site_with_sensors() -> Site:
    site = make_site()
    for number in range(SENSORS):
        make_sensor(site=site, external_id=f"s{number}")
    return site


def test_eight_writers_of_the_same_weeks_store_every_reading() -> None:
    site = make_site_with_sensors()
    done = in_threads(*[lambda writer=w: write_all(site, writer) for w in range(WRITERS)])
    expected = WRITERS * BATCHES * SENSORS * 3
    assert sum(int(str(one.result())) for one in done) == expected
    assert Reading.objects.count() == expected
    assert sum(SensorProfile.objects.values_list("count", flat=True)) == expected


def test_eight_writers_discover_the_same_sensors_without_waiting_crosswise() -> None:
    site = make_site()
    done = in_threads(*[lambda writer=w: write_all(site, writer) for w in range(WRITERS)])
    assert {int(str(one.result())) for one in done} == {BATCHES * SENSORS * 3}
    assert Sensor.objects.count() == SENSORS


@pytest.mark.timescale
def test_chunks_may_be_dropped_and_read_while_others_are_made() -> None:
    if not store.is_hypertable():
        pytest.skip("readings are a plain table here: the server has no TimescaleDB")
    site = make_site_with_sensors()
    sensors = list(Sensor.objects.all())
    stop = threading.Event()
    cutoffs = [NEWEST - timedelta(weeks=week) for week in range(40, 10, -2)]

    def drop() -> int:
        dropped = 0
        while not stop.is_set():
            for cutoff in cutoffs:
                dropped += sum(map(dropping.drop_chunk, dropping.chunks_before(cutoff)))
        return dropped

    def read() -> int:
        looks = 0
        while not stop.is_set():
            for sensor in sensors:
                list(Reading.objects.filter(sensor=sensor).values_list("value"))
                looks += 1
        return looks

    def write(writer: int) -> int:
        try:
            return write_all(site, writer)
        finally:
            with lock:
                running.discard(writer)
                if not running:
                    stop.set()

    lock, running = threading.Lock(), set(range(WRITERS))
    writers = [lambda writer=w: write(writer) for w in range(WRITERS)]
    dropper, reader, *writing = in_threads(drop, read, *writers)
    accepted = sum(int(str(one.result())) for one in writing)
    assert int(str(dropper.result())) > 0
    assert int(str(reader.result())) > 0
    # A row that was dropped may be written again, so each counts once or more.
    assert accepted == WRITERS * BATCHES * SENSORS * 3
    kept = Reading.objects.filter(time__gt=NEWEST - timedelta(weeks=10)).count()
    assert kept == WRITERS * SENSORS * 10

"""Redis is only a wake-up call and a worker may die at any moment: nothing is lost, nothing is
scored into two anomalies. On real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace

import django_rq
import numpy as np
import orjson
import pytest
from django.db import connection
from django.utils import timezone
from pytest_django import Settings

from anomalies import detection, tasks
from anomalies.models import Anomaly, DetectionLease
from sensors.acquisition import ingest
from sensors.formats import from_json
from sensors.generator import DEFAULT_PLAN, labelled_stream
from sensors.models import ScoringNote, Sensor, Site
from tests.factories import make_sensor, make_site

pytestmark = pytest.mark.django_db(transaction=True)

PLAN = replace(DEFAULT_PLAN, slots=470, history=250)
UNTIL = np.datetime64("2026-03-01T00:00", "us")
SENSORS = 12
DEADLINE_S = 120.0


@pytest.fixture(autouse=True)
def empty_redis() -> Iterator[None]:
    django_rq.get_connection("detection").flushdb()
    yield
    django_rq.get_connection("detection").flushdb()


def make_fleet(site: Site) -> list[tuple[Sensor, list[dict[str, object]]]]:
    fleet = []
    for seed in range(SENSORS):
        rng = np.random.default_rng([120, seed])
        stream = labelled_stream(
            "voltage", ["level_shift", "spike"], until=UNTIL, rng=rng, plan=PLAN
        )
        sensor = make_sensor(site=site, kind="voltage", unit="V", external_id=f"line-{seed}")
        rows = [
            {"sensor": sensor.external_id, "time": f"{time}Z", "value": float(value)}
            for time, value in zip(*stream.in_event_order(), strict=True)
        ]
        fleet.append((sensor, rows))
    return fleet


def post(site: Site, rows: list[dict[str, object]]) -> None:
    ingest(from_json(orjson.dumps(rows)), site=site, source="test", now=timezone.now())


def outcome(site: Site) -> list[tuple[object, ...]]:
    found = Anomaly.objects.standing().filter(sensor__site=site)
    return [
        (a.sensor.external_id, a.start, a.peak, a.end, a.rung, round(a.score, 9))
        for a in found.select_related("sensor").order_by("sensor__external_id", "start")
    ]


def clean_run() -> list[tuple[object, ...]]:
    site = make_site()
    for _, rows in make_fleet(site):
        post(site, rows)
    while detection.drain(now=timezone.now(), policy=detection.policy()).sensors:
        pass
    return outcome(site)


def start_worker() -> subprocess.Popen[bytes]:
    """A real worker on the test's database, in a process group of its own."""
    environ = {**os.environ, "DATABASE_URL": _url(), "DETECTION_LEASE_SECONDS": "2"}
    return subprocess.Popen(
        [
            sys.executable,
            "manage.py",
            "rqworker",
            "detection",
            "--worker-class",
            "anomalies.worker.PreloadedWorker",
        ],
        env=environ,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _url() -> str:
    """The URL of the database that the test runs on: the run's own, under its test name."""
    head, _, query = os.environ["DATABASE_URL"].partition("?")
    base = head.rpartition("/")[0]
    return f"{base}/{connection.settings_dict['NAME']}" + (f"?{query}" if query else "")


def wait_until(happened: object, *, what: str) -> None:
    give_up = time.monotonic() + DEADLINE_S
    while not happened():  # type: ignore[operator]
        assert time.monotonic() < give_up, f"waited {DEADLINE_S:.0f} s for {what}"
        time.sleep(0.02)


def test_a_wiped_redis_loses_no_reading() -> None:
    site = make_site()
    for number, (_, rows) in enumerate(make_fleet(site)):
        post(site, rows)
        if number % 4 == 1:
            django_rq.get_connection("detection").flushdb()
    django_rq.get_connection("detection").flushdb()
    assert ScoringNote.objects.count() == SENSORS
    tasks.sweep()
    assert not ScoringNote.objects.exists()
    assert outcome(site) == clean_run() != []


def test_a_killed_worker_loses_no_reading(settings: Settings) -> None:
    settings.DETECTION_LEASE_SECONDS = 2
    site = make_site()
    for _, rows in make_fleet(site):
        post(site, rows)
    worker = start_worker()
    try:
        held = DetectionLease.objects.filter(token__isnull=False)
        wait_until(held.exists, what="the worker to claim")
    finally:
        os.killpg(worker.pid, signal.SIGKILL)
        worker.wait()
    assert ScoringNote.objects.exists(), "the worker was done before it was killed"
    time.sleep(2.5)  # the lease
    tasks.sweep()
    assert not ScoringNote.objects.exists()
    assert outcome(site) == clean_run() != []


def test_a_posted_reading_is_scored_by_a_worker_that_was_only_woken() -> None:
    site = make_site()
    worker = start_worker()
    try:
        for _, rows in make_fleet(site)[:3]:
            post(site, rows)
        wait_until(lambda: not ScoringNote.objects.exists(), what="the worker to score")
    finally:
        os.killpg(worker.pid, signal.SIGKILL)
        worker.wait()
    assert outcome(site)

"""Roll-ups are what one clean pass over the readings gives, however the readings came."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import numpy as np
import pytest
from django.conf import settings as django_settings
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sensors import rollups
from sensors.acquisition import ingest
from sensors.formats import Batch
from sensors.models import (
    HourRollup,
    MinuteRollups,
    Reading,
    RollupNote,
    Sensor,
    SensorProfile,
)
from sensors.series import to_datetime64
from sensors.tasks import roll_up
from tests.factories import NOW, make_sensor, make_site
from tests.sensors.rolled import (
    agree,
    everything,
    expected_hours,
    expected_minutes,
    send,
    stored_hours,
    stored_minutes,
)

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


def assert_rolled_up(sensor: Sensor) -> None:
    """Both levels are there and right."""
    hours, minutes = everything(sensor)
    for found, expected in (
        (hours, expected_hours(sensor)),
        (minutes, expected_minutes(sensor)),
    ):
        assert found.keys() == expected.keys()
        for at, bucket in expected.items():
            assert agree(found[at], bucket), (at, found[at], bucket)


def test_readings_are_noted_and_rolled_up() -> None:
    sensor = make_sensor()
    send(sensor, [(NOW + timedelta(seconds=20 * i), float(i % 7)) for i in range(500)])
    assert RollupNote.objects.count() == 1
    assert rollups.roll_up() == rollups.Rolled(sensors=1, notes=1, minutes=167)
    assert not RollupNote.objects.exists()
    assert_rolled_up(sensor)


def test_nothing_noted_is_nothing_done() -> None:
    assert rollups.roll_up() == rollups.Rolled()


def test_a_late_row_does_not_have_the_days_between_computed_anew() -> None:
    sensor = make_sensor()
    send(sensor, [(NOW, 1.0), (NOW - timedelta(days=5), 2.0), (NOW - timedelta(minutes=59), 3.0)])
    spans = RollupNote.objects.order_by("since").values_list("since", "until")
    late = NOW - timedelta(days=5)
    assert list(spans) == [(late, late), (NOW - timedelta(minutes=59), NOW)]
    assert rollups.roll_up().minutes == 1 + 60
    assert_rolled_up(sensor)


def test_a_duplicate_is_not_noted() -> None:
    sensor = make_sensor()
    send(sensor, [(NOW, 1.0)])
    rollups.roll_up()
    send(sensor, [(NOW, 1.0)])
    assert not RollupNote.objects.exists()


def test_only_the_minutes_that_are_noted_are_read() -> None:
    """The others stay as they are: here nothing could have computed them anew."""
    sensor = make_sensor()
    send(sensor, [(NOW + timedelta(minutes=i), float(i)) for i in range(30)])
    rollups.roll_up()
    Reading.objects.filter(sensor=sensor, time__lt=NOW + timedelta(minutes=30)).delete()
    send(sensor, [(NOW + timedelta(minutes=40), 5.0)])
    rollups.roll_up()
    assert stored_hours(sensor)[NOW]["count"] == 31
    assert len(stored_minutes(sensor)) == 31


def test_an_hour_that_lost_its_readings_is_forgotten() -> None:
    sensor = make_sensor()
    send(sensor, [(NOW, 1.0), (NOW + HOUR, 2.0)])
    rollups.roll_up()
    Reading.objects.filter(sensor=sensor, time=NOW).delete()
    rollups.note_all()
    rollups.roll_up()
    assert list(stored_hours(sensor)) == [NOW + HOUR]
    assert MinuteRollups.objects.count() == 1


@pytest.mark.parametrize("begin", ["1900-01-01T00:00:00", "1969-12-31T23:50:30"])
def test_times_before_the_epoch_lie_in_their_minute(begin: str) -> None:
    sensor = make_sensor()
    first = datetime.fromisoformat(begin).replace(tzinfo=UTC)
    send(sensor, [(first + timedelta(seconds=17 * i), float(i)) for i in range(100)])
    rollups.roll_up()
    assert_rolled_up(sensor)


moments = st.integers(0, 3 * 3600).map(lambda s: NOW + timedelta(seconds=s))
values = st.floats(-1e100, 1e100) | st.integers(-5, 5).map(float)
batches = st.lists(st.tuples(moments, values), min_size=1, max_size=12)
events = st.lists(batches | st.just("pass"), min_size=1, max_size=6)


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(events, st.randoms(use_true_random=False), st.integers(1, 200))
def test_any_order_of_batches_and_passes_ends_like_one_clean_pass(
    events: list[Any], random: Any, minutes: int
) -> None:
    with transaction.atomic(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(rollups, "ROWS", random.randint(1, 20))
        patch.setattr(rollups, "MINUTES", max(minutes, 60))
        sensor = make_sensor()
        for event in events:
            if event == "pass":
                rollups.roll_up()
            else:
                send(sensor, event)
                if random.random() < 0.3:
                    send(sensor, random.sample(event, len(event)))
        rollups.roll_up()
        assert not RollupNote.objects.exists()
        assert_rolled_up(sensor)
        in_parts = everything(sensor)
        patch.undo()
        HourRollup.objects.all().delete()
        MinuteRollups.objects.all().delete()
        rollups.note_all()
        rollups.roll_up()
        assert everything(sensor) == in_parts
        transaction.set_rollback(True)


def test_a_long_note_is_worked_off_in_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rollups, "MINUTES", 24 * 60)
    sensor = make_sensor()
    send(sensor, [(NOW - timedelta(minutes=50) * i, float(i)) for i in range(100)])
    passes: list[rollups.Rolled] = []
    rollups.roll_up(on_pass=passes.append)
    assert len(passes) >= 4
    assert max(done.minutes for done in passes) <= 24 * 60
    assert_rolled_up(sensor)


def test_what_is_left_when_the_time_is_over_stays_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rollups, "MINUTES", 60)
    sensor = make_sensor()
    send(sensor, [(NOW - timedelta(minutes=50) * i, float(i)) for i in range(20)])
    assert rollups.roll_up(seconds=0) == rollups.Rolled()
    assert RollupNote.objects.exists()
    roll_up()
    assert not RollupNote.objects.exists()
    assert_rolled_up(sensor)


# --- what was dropped -----------------------------------------------------------------------------


def test_what_lies_before_the_kept_readings_is_left_alone() -> None:
    sensor = make_sensor()
    send(sensor, [(NOW + timedelta(minutes=30 * i), float(i)) for i in range(6)])
    rollups.roll_up()
    before = stored_hours(sensor)
    SensorProfile.objects.update(kept_from=NOW + 2 * HOUR)
    Reading.objects.filter(sensor=sensor, time__lt=NOW + timedelta(minutes=100)).delete()
    send(sensor, [(NOW + timedelta(minutes=5), 9.0), (NOW + timedelta(minutes=125), 9.0)])
    rollups.note_all()
    rollups.roll_up()
    after = stored_hours(sensor)
    assert [after[NOW + i * HOUR] == before[NOW + i * HOUR] for i in range(3)] == [
        True, True, False,
    ]  # fmt: skip
    assert after[NOW + 2 * HOUR]["count"] == 3
    assert not RollupNote.objects.exists()


@pytest.mark.parametrize("rows", [400_000, 2])
def test_an_hour_without_its_minutes_is_computed_from_its_readings(
    rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    sensor = make_sensor()
    send(sensor, [(NOW + timedelta(minutes=10 * i), float(i)) for i in range(12)])
    rollups.roll_up()
    SensorProfile.objects.update(minutes_kept_from=NOW + HOUR)
    MinuteRollups.objects.filter(time=NOW).delete()
    send(sensor, [(NOW + timedelta(minutes=5), -5.0)])
    monkeypatch.setattr(rollups, "ROWS", rows)
    rollups.roll_up()
    hours, expected = stored_hours(sensor), expected_hours(sensor)
    assert all(agree(hours[at], expected[at]) for at in {*hours, *expected})
    assert MinuteRollups.objects.filter(time=NOW).count() == 0


# --- several at once ------------------------------------------------------------------------------


def in_threads(*work: Callable[[], None]) -> None:
    failures: list[BaseException] = []

    def guarded(one: Callable[[], None]) -> None:
        try:
            one()
        except BaseException as error:  # noqa: BLE001  told by the assertion below
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=guarded, args=[one]) for one in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def write(sensors: list[Sensor], writer: int) -> None:
    for turn in range(12):
        seconds = [(turn * 7 + k * 311 + writer) % 7200 for k in range(20)]
        times = [to_datetime64(NOW + timedelta(seconds=s)) for s in seconds for _ in sensors]
        names = [sensor.external_id for _ in seconds for sensor in sensors]
        batch = Batch.of(names, np.array(times), np.arange(len(names), dtype=float))
        ingest(batch, site=sensors[0].site, source="test", now=NOW + timedelta(days=1))


@pytest.mark.django_db(transaction=True)
def test_passes_beside_each_other_and_beside_writers_end_like_one() -> None:
    site = make_site()
    sensors = [make_sensor(site=site) for _ in range(4)]
    writing = threading.Event()

    def write_all(writer: int) -> None:
        try:
            write(sensors, writer)
        finally:
            writing.set()

    def pass_all() -> None:
        while not writing.is_set():
            rollups.roll_up()

    in_threads(
        *[lambda w=w: write_all(w) for w in range(3)],
        *[pass_all] * 3,
    )
    rollups.roll_up()
    assert not RollupNote.objects.exists()
    for sensor in sensors:
        assert_rolled_up(sensor)


@contextmanager
def another_session() -> Iterator[Any]:
    """A second connection to the same database, in a transaction that is undone."""
    other = connection.copy()
    try:
        other.set_autocommit(False)
        with other.cursor() as cursor:
            yield cursor
    finally:
        other.rollback()
        other.close()


@pytest.mark.django_db(transaction=True)
def test_a_sensor_that_another_pass_works_on_is_left_to_it() -> None:
    mine, theirs = make_sensor(), make_sensor()
    for sensor in (mine, theirs):
        send(sensor, [(NOW, 1.0)])
    with another_session() as cursor:
        cursor.execute(rollups._CLAIM, [[theirs.pk], [theirs.pk], 10, 10])
        assert rollups.roll_up().sensors == 1
        assert_rolled_up(mine)
        assert list(RollupNote.objects.values_list("sensor", flat=True)) == [theirs.pk]
    rollups.roll_up()
    assert_rolled_up(theirs)


def wait_until(holds: Callable[[], bool]) -> None:
    limit = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < limit, "did not come true within 30 s"
        time.sleep(0.02)


def someone_waits_for_a_lock() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
            "AND wait_event_type = 'Lock'"
        )
        return bool(cursor.fetchone()[0])


@pytest.mark.django_db(transaction=True)
def test_a_pass_that_is_killed_leaves_its_notes_to_the_next() -> None:
    sensor = make_sensor()
    send(sensor, [(NOW + timedelta(minutes=i), float(i)) for i in range(90)])
    name = django_settings.DATABASES["default"]["NAME"]
    code = (
        "import django; django.setup(); from django.conf import settings; "
        f"settings.DATABASES['default']['NAME'] = {name!r}; "
        "from sensors import rollups; rollups.roll_up()"
    )
    with another_session() as cursor:
        # The pass writes minutes first; it waits here with half of its work done.
        cursor.execute("LOCK TABLE sensors_hourrollup IN SHARE MODE")
        process = subprocess.Popen(
            [sys.executable, "-c", code],
            env={**os.environ, "DJANGO_SETTINGS_MODULE": "smartmaint.settings"},
        )
        wait_until(someone_waits_for_a_lock)
        process.send_signal(signal.SIGKILL)
        process.wait(10)
    wait_until(lambda: not someone_waits_for_a_lock())
    assert RollupNote.objects.count() == 1
    assert not HourRollup.objects.exists()
    wait_until(lambda: rollups.roll_up().notes == 1)
    assert_rolled_up(sensor)


# --- the command ----------------------------------------------------------------------------------


def command(*words: str) -> str:
    out = StringIO()
    call_command("rollup", *words, stdout=out)
    return out.getvalue()


def test_the_command_says_what_it_did() -> None:
    send(make_sensor(), [(NOW, 1.0)])
    assert "1 minutes computed for 1 notes" in command()
    assert "0 notes" in command()


def test_a_rebuild_brings_back_what_was_lost() -> None:
    sensor, other = make_sensor(external_id="a/1"), make_sensor()
    for one in (sensor, other):
        send(one, [(NOW + timedelta(minutes=7 * i), float(i)) for i in range(20)])
    rollups.roll_up()
    before = everything(sensor)
    HourRollup.objects.all().delete()
    MinuteRollups.objects.all().delete()
    assert "0 notes" in command()
    assert "1 sensors noted" in command("--rebuild", "--sensors", "a/1")
    assert everything(sensor) == before
    assert not stored_hours(other)
    since = (NOW + HOUR).isoformat()
    command("--rebuild", "--since", since, "--sensors", str(other.pk))
    assert min(stored_hours(other)) == NOW + HOUR


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--rebuild", "--since", "yesterday"], "is no time"),
        (["--since", "2026-01-01T00:00:00Z"], "goes with --rebuild"),
        (["--sensors", "nobody"], "no sensor nobody"),
    ],
)
def test_a_command_that_makes_no_sense_says_why(words: list[str], reason: str) -> None:
    with pytest.raises(CommandError, match=reason):
        command(*words)

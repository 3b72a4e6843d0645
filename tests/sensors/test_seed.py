"""`manage.py seed`: the fleet by the production path, once only, its labels out of reach."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from sensors.models import Asset, QuarantinedReading, Reading, ScoringNote, Sensor, Site
from sensors.series import to_datetime
from tests.factories import make_sensor

pytestmark = pytest.mark.django_db
UNTIL = "2026-05-04T12:00:00+00:00"

Seed = Callable[..., dict]


@pytest.fixture
def seed(tmp_path: Path) -> Seed:
    """Runs the command and gives the labels it wrote."""

    def run(*arguments: str) -> dict:
        labels = tmp_path / "labels.json"
        call_command("seed", "--seed", "101", "--labels", str(labels), *arguments)
        return json.loads(labels.read_text())

    return run


def test_it_makes_twenty_sensors_on_six_machines_of_two_sites(seed):
    seed("--until", UNTIL)
    assert Site.objects.count() == 2
    assert Asset.objects.count() == 6
    assert Sensor.objects.count() == 20
    assert Reading.objects.count() > 20_000
    assert not QuarantinedReading.objects.exists()


def test_sensors_know_what_they_measure(seed):
    seed("--until", UNTIL, "--history-only")
    sensor = Sensor.objects.get(external_id="pump-1.vibration")
    assert (sensor.kind, sensor.unit, sensor.alarm_high) == ("vibration", "mm/s", 82.0)
    assert sensor.status == Sensor.Status.ACTIVE
    assert not Sensor.objects.filter(discovered_by__isnull=False).exists()


def test_the_readings_are_noted_for_scoring(seed):
    seed("--until", UNTIL, "--history-only")
    assert ScoringNote.objects.values("sensor").distinct().count() == 20


def test_a_second_run_adds_nothing(seed):
    seed("--until", UNTIL, "--history-only")
    before = (Reading.objects.count(), ScoringNote.objects.count(), Sensor.objects.count())
    seed("--history-only")
    assert (Reading.objects.count(), ScoringNote.objects.count(), Sensor.objects.count()) == before


def test_the_history_alone_ends_before_the_first_fault(seed):
    labels = seed("--until", UNTIL, "--history-only")
    newest = Reading.objects.order_by("-time").first().time
    assert newest < datetime.fromisoformat(labels["held_back_from"])
    assert newest < min(datetime.fromisoformat(fault["start"]) for fault in labels["faults"])


def test_the_rest_can_be_added_later(seed):
    seed("--until", UNTIL, "--history-only")
    history = Reading.objects.count()
    seed()
    assert Reading.objects.count() > history + 6_000


def test_without_an_end_the_timeline_ends_now(seed):
    before = datetime.now(UTC)
    seed("--history-only")
    until = datetime.fromisoformat(Sensor.objects.first().metadata["until"])
    assert before - timedelta(minutes=10) <= until <= datetime.now(UTC)


def test_labels_are_in_the_file_and_nowhere_in_the_database(seed):
    labels = seed("--until", UNTIL)
    assert len(labels["faults"]) >= 24
    sorts = {fault["sort"] for fault in labels["faults"]}
    assert len(sorts) >= 8
    for sort in sorts:
        assert not _tables_that_hold(sort)


# What the code is called, not what was measured: a table may be named for drift.
_NAMES = {"auth_permission", "django_content_type", "django_migrations"}


def _tables_that_hold(text: str) -> list[str]:
    """Every table of the database in which any row, written as text, contains `text`."""
    found = []
    with connection.cursor() as cursor:
        for table in set(connection.introspection.table_names(cursor)) - _NAMES:
            name = connection.ops.quote_name(table)
            cursor.execute(
                f"SELECT EXISTS (SELECT FROM {name} t WHERE t::text LIKE %s)", [f"%{text}%"]
            )
            if cursor.fetchone()[0]:
                found.append(table)
    return found


def test_what_the_labels_say_is_in_the_readings(seed):
    labels = seed("--until", UNTIL)
    for fault in labels["faults"]:
        sensor = Sensor.objects.get(external_id=fault["sensor"])
        start, end = (datetime.fromisoformat(fault[name]) for name in ("start", "end"))
        times = Reading.objects.series(sensor.pk, since=start, until=end).times
        assert to_datetime(times[-1]) == end
        if fault["sort"] == "dropout":
            assert len(times) == 1
        else:
            assert to_datetime(times[0]) == start


def test_another_fleet_is_refused_unless_the_first_is_deleted(seed, tmp_path):
    seed("--until", UNTIL, "--history-only")
    labels = str(tmp_path / "other.json")
    with pytest.raises(CommandError, match=r"seed 101 .* --reset"):
        call_command("seed", "--seed", "102", "--labels", labels)
    call_command("seed", "--seed", "102", "--labels", labels, "--reset", "--history-only")
    assert {sensor.metadata["seed"] for sensor in Sensor.objects.all()} == {102}


def test_a_reset_leaves_what_was_not_seeded(seed):
    own = make_sensor()
    Reading.objects.create(sensor=own, time=datetime(2026, 5, 1, tzinfo=UTC), value=1, quality=1)
    seed("--until", UNTIL, "--history-only")
    seed("--until", UNTIL, "--history-only", "--reset")
    assert Sensor.objects.filter(pk=own.pk).exists()
    assert Reading.objects.filter(sensor=own).count() == 1


@pytest.mark.parametrize("until", ["yesterday", "2026-13-01T00:00:00Z"])
def test_an_end_that_is_no_time_is_refused(seed, until):
    with pytest.raises(CommandError, match="--until"):
        seed("--until", until)

"""What the demo reports, and that it notices what did not work."""

import json
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from anomalies.demo import course, outcome, summary
from anomalies.demo.evaluation import Alarm, evaluate
from anomalies.demo.outcome import Outcome
from anomalies.demo.reviewing import Reviewed
from anomalies.models import Decision, Rung, Verdict
from mlops.models import Promotion
from sensors.generator import FAULTS, RANGES, Fleet, Plan, generate
from sensors.models import QuarantinedReading, Reading, ScoringNote, Sensor, Site
from sensors.series import to_datetime
from tests.factories import NOW, make_anomaly, make_sensor, make_site

UNTIL = np.datetime64("2026-03-01T12:00", "us")
# Few readings, no faults: what is tested is the counting.
SMALL = Plan(slots=60, history=6, faults_per_sort=0, lead_in=2, lead_out=2)
PROMISED = {
    "database", "timescaledb", "sensors", "readings", "models_registered", "champions",
    "anomalies", "validated", "credible", "faults_injected", "faults_found", "precision",
    "recall", "seconds",
}  # fmt: skip


def _outcome(fleet: Fleet, alarms: list[Alarm]) -> Outcome:
    times = {stream.sensor: stream.in_event_order()[0] for stream in fleet.streams}
    return Outcome(
        fleet=fleet,
        evaluation=evaluate(fleet.faults, alarms, since=fleet.held_back_from, times=times),
        database="PostgreSQL 18.1",
        timescaledb=False,
        sensors=20,
        readings=20_300,
        quarantined=0,
        models_registered=15,
        champions=5,
        anomalies=len(alarms),
        validated=len(alarms),
        credible=0,
        failures=(),
    )


def _perfect(seed: int) -> Outcome:
    fleet = generate(seed, UNTIL)
    alarms = [Alarm(f.sensor, f.start, f.end, "champion", credible=True) for f in fleet.faults]
    return _outcome(fleet, alarms)


def test_the_json_is_one_line_with_all_that_is_promised():
    line = summary.as_json([_perfect(101)], 93.21, {"train": 20.0})
    assert "\n" not in line
    said = json.loads(line)
    assert said.keys() >= PROMISED
    assert (said["precision"], said["recall"], said["seconds"]) == (1.0, 1.0, 93.2)
    assert said["recall_by_sort"] == dict.fromkeys(sorted(FAULTS), 1.0)


def test_what_cannot_be_divided_is_null():
    said = json.loads(summary.as_json([_outcome(generate(101, UNTIL), [])], 1.0, {}))
    assert (said["precision"], said["recall"], said["faults_found"]) == (None, 0.0, 0)


def test_several_seeds_are_pooled_and_told_apart():
    nothing = _outcome(generate(102, UNTIL), [])
    said = json.loads(summary.as_json([_perfect(101), nothing], 1.0, {}))
    assert said["faults_injected"] == 64
    assert said["recall"] == 0.5
    assert said["seeds"]["101"]["recall"] == 1.0
    assert said["seeds"]["102"]["recall"] == 0.0


def test_the_tables_name_every_sort_and_every_kind():
    text = "\n".join(summary.tables([_perfect(101)]))
    for name in (*FAULTS, *RANGES, "champion"):
        assert name in text


def test_batches_hold_every_held_back_reading_of_their_site_once_in_order():
    fleet = generate(101, UNTIL)
    for slug in ("north-plant", "south-plant"):
        batches = course.batches_of(fleet, slug)
        rows = [row for batch in batches for row in batch]
        streams = [stream for stream in fleet.streams if stream.site == slug]
        assert len(batches) == course.BATCHES_PER_SITE
        assert len(rows) == sum(len(stream.times) - stream.history for stream in streams)
        assert len({(row["sensor"], row["time"]) for row in rows}) == len(rows)
        for stream in streams:
            if "clock_error" not in {fault.sort for fault in stream.faults}:
                times = [row["time"] for row in rows if row["sensor"] == stream.sensor]
                assert times == sorted(times)


@pytest.fixture
def settled(db) -> tuple[Fleet, Reviewed]:
    """A database as it is after a demo in which all worked."""
    fleet = generate(101, UNTIL, SMALL)
    site = make_site(slug="north-plant")
    for stream in fleet.streams:
        sensor = make_sensor(
            site=site, external_id=stream.sensor, kind=stream.kind, metadata={"seed": 101}
        )
        Reading.objects.bulk_create(
            Reading(sensor=sensor, time=to_datetime(time), value=value, quality=1.0)
            for time, value in zip(stream.times, stream.values, strict=True)
        )
    for kind in RANGES:
        Promotion.objects.create(name=f"anomaly-{kind}", version=1, promoted_at=NOW)
    make_anomaly(
        sensor=sensor,
        rung=Rung.CHAMPION,
        decision=Decision.CREDIBLE,
        start=NOW - timedelta(hours=2),
        peak=NOW - timedelta(hours=2),
        end=NOW - timedelta(hours=1),
        validation_due_at=None,
    )
    seen = {"rung": "champion", "detector": "tails", "model_name": "m", "model_version": 1}
    return fleet, Reviewed({**seen, "verdict": None}, {**seen, "verdict": "confirmed"})


def _failures(settled: tuple[Fleet, Reviewed]) -> tuple[str, ...]:
    return outcome.outcome_of(*settled, Verdict.CONFIRMED).failures


def test_nothing_failed_when_all_worked(settled):
    assert _failures(settled) == ()


def test_a_lost_reading_is_noticed(settled):
    Reading.objects.order_by("time").first().delete()
    assert "were sent" in _failures(settled)[0]


def test_a_quarantined_reading_is_not_a_lost_one(settled):
    lost = Reading.objects.order_by("time").first()
    lost.delete()
    QuarantinedReading.objects.create(
        site=Site.objects.get(), category="quality", code="low", payload="{}", digest=b"1",
        source="api", received_at=NOW,
    )  # fmt: skip
    assert _failures(settled) == ()


def test_an_open_note_is_noticed(settled):
    ScoringNote.objects.create(sensor=Sensor.objects.first(), since=NOW, until=NOW)
    assert _failures(settled) == ("some notes are still open",)


def test_an_anomaly_without_a_decision_is_noticed(settled):
    make_anomaly(sensor=Sensor.objects.order_by("pk").first(), decision="", validation_due_at=NOW)
    assert _failures(settled) == ("some anomalies have no decision",)


def test_a_validation_error_is_noticed(settled):
    make_anomaly(
        sensor=Sensor.objects.order_by("pk").first(),
        decision=Decision.ERROR,
        validation_due_at=None,
    )
    assert _failures(settled) == ("some validations failed",)


def test_two_anomalies_over_one_instant_are_noticed(settled):
    sensor = Sensor.objects.order_by("pk").first()
    for minute in (0, 5):
        make_anomaly(
            sensor=sensor,
            start=NOW - timedelta(minutes=30 - minute),
            peak=NOW - timedelta(minutes=20),
            end=NOW - timedelta(minutes=10),
            decision=Decision.CREDIBLE,
            validation_due_at=None,
        )
    assert _failures(settled) == ("anomalies of one sensor overlap",)


def test_champions_that_most_kinds_lack_are_noticed(settled):
    """One that the gate kept out is no failure."""
    own = [f"anomaly-{kind}" for kind in ("humidity", "pressure", "voltage")]
    Promotion.objects.filter(name=own[0]).update(name="synthetic-validation")
    assert _failures(settled) == ()
    Promotion.objects.filter(name__in=own).update(name="synthetic-validation")
    assert _failures(settled) == ("without a champion: humidity, pressure, voltage",)


def test_a_review_that_changed_nothing_is_noticed(settled):
    fleet, reviewed = settled
    unmoved = replace(reviewed, after=reviewed.before)
    assert _failures((fleet, unmoved)) == ("the review did not change the verdict",)


def test_an_api_that_does_not_name_the_model_is_noticed(settled):
    fleet, reviewed = settled
    nameless = replace(reviewed, before={**reviewed.before, "model_version": None})
    assert _failures((fleet, nameless)) == ("the API does not name the champion",)

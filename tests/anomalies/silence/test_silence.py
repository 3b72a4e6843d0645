"""A sensor that falls silent is an instrument anomaly until it speaks again."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from django.db import IntegrityError, transaction

from anomalies import silence, watch
from anomalies.models import Anomaly, AnomalyRevision, SilenceWatch
from anomalies.validation import validate_due
from sensors.models import ScoringNote, Sensor
from tests.anomalies.silence.speaking import (
    MINUTE,
    POLICY,
    keep_watch,
    look,
    past,
    score,
    silences,
    spans,
    speak,
)
from tests.factories import NOW, make_sensor

pytestmark = pytest.mark.django_db


def test_a_sensor_is_silent_once_its_patience_has_run_out() -> None:
    sensor = make_sensor()
    speak(sensor, past())
    keep_watch(5)
    assert silences(sensor) == []
    look(5.5)
    (found,) = silences(sensor)
    assert (found.is_open, found.nature, found.rung) == (True, "instrument", "statistical")
    assert found.start == NOW + MINUTE
    assert found.explanation["silence"]["intervals_missed"] == 5
    assert "every 1 min" in found.explanation["sentence"]
    assert validate_due(now=NOW + timedelta(hours=1)) == 1
    found.refresh_from_db()
    assert found.status
    assert found.confidence is not None


def test_many_looks_raise_it_once_and_make_it_more_severe() -> None:
    sensor = make_sensor()
    speak(sensor, past())
    keep_watch(240)
    (found,) = silences(sensor)
    assert found.severity == silence.MOST_SEVERE
    assert found.score > 0.9
    assert not AnomalyRevision.objects.filter(anomaly=found).exists()


def test_the_first_reading_after_it_ends_it() -> None:
    sensor = make_sensor()
    speak(sensor, past())
    keep_watch(20)
    speak(sensor, [30.0])
    score(30)
    (found,) = silences(sensor)
    assert (found.is_open, found.end) == (False, NOW + 30 * MINUTE)
    assert "was silent for 30 min" in found.explanation["sentence"]
    assert found.score == pytest.approx(30 / 35)
    look(31)
    assert len(silences(sensor)) == 1
    keep_watch(60, since=31)
    assert spans(sensor)[0] == (0.0, 30.0, False)


def test_the_sweep_alone_ends_it_when_its_note_was_scored_while_it_was_raised() -> None:
    sensor = make_sensor()
    speak(sensor, past())
    keep_watch(10)
    speak(sensor, [11.0])
    ScoringNote.objects.all().delete()
    watch.watch(now=NOW + 12 * MINUTE, policy=POLICY)
    assert spans(sensor) == [(0.0, 11.0, False)]


def test_late_readings_that_fill_the_gap_withdraw_it_with_a_trace() -> None:
    sensor = make_sensor()
    speak(sensor, past())
    keep_watch(20)
    speak(sensor, [float(m) for m in range(1, 21)], at=20.5)
    score(20.5)
    assert silences(sensor) == []
    gone = Anomaly.objects.get(sensor=sensor, detector=silence.DETECTOR)
    assert gone.withdrawn_at is not None
    (trace,) = gone.revisions.all()
    assert (trace.reason, trace.after) == ("late readings", {"withdrawn": True})


def test_late_readings_that_fill_it_in_part_revise_it() -> None:
    sensor = make_sensor()
    speak(sensor, past())
    keep_watch(20)
    speak(sensor, [float(m) for m in range(1, 6)], at=20.5)
    score(20.5)
    (found,) = silences(sensor)
    assert (found.start, found.is_open) == (NOW + 6 * MINUTE, True)
    assert [trace.reason for trace in found.revisions.all()] == ["late readings"]


def test_a_late_reading_in_the_middle_leaves_two() -> None:
    sensor = make_sensor()
    speak(sensor, past())
    keep_watch(60)
    speak(sensor, [60.0])
    score(60)
    speak(sensor, [30.0], at=61)
    score(61)
    assert spans(sensor) == [(0.0, 30.0, False), (30.0, 60.0, False)]


def test_history_raises_none() -> None:
    old, imported, delivered = make_sensor(), make_sensor(), make_sensor()
    speak(old, [m - 60 * 24 * 400 for m in past()], at=0)
    speak(imported, [m - 90 for m in past()], at=0, backfill=True)
    speak(delivered, [m - 90 for m in past()], at=0)
    keep_watch(120)
    assert not Anomaly.objects.silences().exists()


def test_too_few_readings_raise_none_unless_a_person_stated_the_interval() -> None:
    unknown, stated = make_sensor(), make_sensor(expected_interval_s=60)
    for sensor in (unknown, stated):
        speak(sensor, past(n=5))
    keep_watch(30)
    assert silences(unknown) == []
    (found,) = silences(stated)
    assert found.rung == "limits"


def test_a_retired_sensor_raises_none_and_ends_the_one_that_is_open() -> None:
    retired, retiring = make_sensor(status="retired"), make_sensor()
    speak(retiring, past())
    speak(make_sensor(), past())
    keep_watch(10)
    Sensor.objects.filter(pk=retiring.pk).update(status="retired")
    look(12)
    look(14)
    assert silences(retired) == []
    assert spans(retiring) == [(0.0, 12.0, False)]


def test_a_sensor_that_sends_on_change_is_waited_for() -> None:
    rng = np.random.default_rng(5)
    sensor = make_sensor()
    minutes = np.cumsum(rng.exponential(10, 200)).round(3)
    speak(sensor, list(minutes - minutes[-1]))
    keep_watch(60)
    assert silences(sensor) == []


def test_bursts_are_waited_for() -> None:
    sensor = make_sensor()
    bursts = [-60.0 * hour + i / 600 for hour in range(8, -1, -1) for i in range(-29, 1)]
    speak(sensor, bursts)
    keep_watch(150)
    assert silences(sensor) == []
    keep_watch(190, since=150)
    assert len(silences(sensor)) == 1


def test_after_a_break_of_the_watch_sensors_get_their_patience_once_more() -> None:
    sensor = make_sensor()
    speak(sensor, past())
    keep_watch(2)
    look(60)
    assert silences(sensor) == []
    assert SilenceWatch.objects.get().since == NOW + 60 * MINUTE
    keep_watch(66, since=60)
    assert len(silences(sensor)) == 1


def test_no_sensor_is_silent_twice_at_once() -> None:
    sensor = make_sensor()
    speak(sensor, past())
    keep_watch(10)
    (found,) = silences(sensor)
    found.pk, found.start = None, found.start + MINUTE
    with pytest.raises(IntegrityError), transaction.atomic():
        found.save(force_insert=True)
